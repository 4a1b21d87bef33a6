// The session of the legacy era: one initialize, what was agreed, recovery when the server forgets it.

import { abortable, sleep } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import { idKey, type Message } from "../../wire/message.ts";
import { batchRevision } from "../../wire/program-facts.ts";
import type { CallContext, ClientFacts, Deliver, ServerScope, Upstream } from "../core/types.ts";
import { sendWithin, startMs } from "../retry/deadline.ts";
import { noteAnswer, type Session, SessionLost } from "../transport/session-lost.ts";
import { sendParts } from "../transport/split-batch.ts";
import type { AbandonedSessions } from "./abandoned-sessions.ts";
import { SessionSetup } from "./session-setup.ts";

interface SessionOptions extends ServerScope {
  readonly next: Upstream;
  readonly session: Session;
  readonly client: ClientFacts;
  /** Deadline of a call. */
  readonly timeoutMs: number;
  /** Where sessions go that were replaced in vain; undefined for a transport that ends them itself. */
  readonly abandoned: AbandonedSessions | undefined;
}

/** Waits before a session that was lost while listening is replaced, ever longer where that fails. */
const firstBackoffMs = 100;
const longestBackoffMs = 60_000;
/** Listening that lasted this long was well: the next loss is replaced soon. */
const lastingMs = 30_000;

/** A server that does not say that it took `initialized` is asked on after this, or a third of a call's time. */
const announcedMs = 5000;

/** What may stand in a header field as it is (RFC 9110 5.5), as short as a revision can be. */
const headerText = /^[\x21-\x7e]{1,64}$/;

const deliverNothing: Deliver = async () => undefined;

/** Gates everything behind initialize (and `initialized`), and replays both after a lost session. */
export class SessionUpstream implements Upstream {
  readonly #options: SessionOptions;
  #initialize: Message | undefined;
  #initialized: Message | undefined;
  /** Settles when initialize was answered; rejects with why it was not. */
  #agreed = Promise.withResolvers<void>();
  /** Settles when the server has taken `initialized`. */
  #announced: Promise<void> = Promise.resolve();
  /** The handshake is done: requests wait for nothing any more. */
  #handshakeDone = false;
  #recovering: Promise<void> | undefined;
  /** Whether the session is known to be lost and no other has taken its place. */
  #isLost = false;
  /** Ids of what the server asked in this session, and in those that were lost: no answer may reach another session. */
  readonly #asked = new Set<string>();
  readonly #askedBefore = new Set<string>();
  readonly #setup = new SessionSetup();
  /** Aborted when another session takes the place of the present one: its listening stream is opened at once. */
  #renewed = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#agreed.promise.catch(() => undefined);
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const { method, kind } = message.head;
    const isStart = method === "initialize" && kind === "request";
    if (this.#handshakeDone && kind === "request" && !isStart)
      return this.#forward(message, deliver, signal, call);
    return isStart
      ? this.#start(message, deliver, signal, call)
      : this.#sendInTurn(message, deliver, signal, call);
  }

  /** Sends what has to wait for the handshake, or belongs to it. */
  async #sendInTurn(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { method, kind } = message.head;
    await abortable(this.#agreed.promise, signal);
    if (method === "notifications/initialized") {
      this.#initialized = message;
      // Some servers refuse requests before they have seen `initialized`: those that follow wait for it, for a while.
      const sent = this.#forward(message, deliver, signal);
      const taken = sent.catch(() => undefined);
      const announceWaitMs = Math.min(announcedMs, this.#options.timeoutMs / 3);
      this.#announced = Promise.race([taken, Bun.sleep(announceWaitMs)]).then(() => {
        if (this.#initialized === message) this.#handshakeDone = true;
      });
      return sent;
    }
    // The client may have been told an earlier revision: each side is spoken to in its own.
    if (kind === "batch" && this.#options.session.version !== batchRevision)
      return sendParts(message, (part) => this.send(part, deliver, signal, call));
    if (kind !== "response") await abortable(this.#announced, signal);
    else if (this.#isStale(message)) return;
    await this.#forward(message, deliver, signal, call);
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    await abortable(this.#announced, signal);
    const { next, now } = this.#options;
    const take = this.#noting(deliver);
    for (let failures = 0; !signal.aborted; failures++) {
      const startedAt = now();
      const renewed = this.#renewed.signal;
      const either = AbortSignal.any([signal, renewed]);
      try {
        await next.listen(take, either);
        if (!renewed.aborted) return;
      } catch (error) {
        if (!(error instanceof SessionLost) && !renewed.aborted) throw error;
        // A server that drops every new session at once must not be asked for one after the other.
        if (now() - startedAt > lastingMs) failures = 0;
        const backoff = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failures, 10));
        await sleep(backoff, either).catch(() => signal.throwIfAborted());
        // A server that counts its sessions from one again gives the next the id of the lost one.
        if (error instanceof SessionLost && !renewed.aborted)
          await this.#recover(error.id).catch(() => undefined);
      }
    }
  }

  async close(deadlineMs: number): Promise<void> {
    const { next, abandoned } = this.#options;
    await Promise.all([next.close(deadlineMs), abandoned?.close(deadlineMs)]);
  }

  async #start(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { next } = this.#options;
    if (this.#initialize !== undefined) this.#await();
    this.#initialize = message;
    // This attempt's own: one that fails late must not spoil the agreement of the next.
    const agreed = this.#agreed;
    try {
      await next.send(message, (answer) => this.#agree(answer, deliver, agreed), signal, call);
    } catch (error) {
      agreed.reject(signal.aborted ? notInitialized() : error);
      throw error;
    }
  }

  /** A client that initializes again starts afresh. */
  #await(): void {
    this.#options.session.id = undefined;
    this.#isLost = false;
    this.#handshakeDone = false;
    this.#setup.clear();
    this.#agreed = Promise.withResolvers<void>();
    this.#agreed.promise.catch(() => undefined);
  }

  async #agree(
    answer: Message,
    deliver: Deliver,
    agreed: PromiseWithResolvers<void>,
  ): Promise<void> {
    if (answer.head.kind !== "response") return deliver(answer);
    if (answer.head.isError)
      agreed.reject(new BridgeError("bad-answer", "the server refused to initialize"));
    else {
      this.#options.session.version = this.#revisionIn(answer);
      agreed.resolve();
    }
    await deliver(answer);
    const { log, name, session } = this.#options;
    if (!answer.head.isError)
      log.info("connected", { server: name, protocol: "session", revision: session.version });
  }

  /** The revision that an answer to initialize agrees on; undefined where it names none. It becomes a header of every request: text that cannot is refused. */
  #revisionIn(answer: Message): string | undefined {
    const version = answer.value(["result", "protocolVersion"]);
    if (typeof version !== "string") return undefined;
    if (headerText.test(version)) return version;
    throw new BridgeError(
      "bad-answer",
      `"${this.#options.name}" answers initialize with a protocolVersion that is no header value`,
      { hint: "its operator can tell more" },
    );
  }

  #forward(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    // A request without a session, sent in the middle of a replay or after one that failed, would be refused.
    if (this.#isLost)
      return abortable(this.#recover(undefined), signal).then(() =>
        this.#sendOnce(message, deliver, signal, call),
      );
    return this.#sendOnce(message, deliver, signal, call);
  }

  #sendOnce(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const take = this.#noting(this.#setup.noting(message, deliver));
    return this.#options.next
      .send(message, take, signal, call)
      .catch((error) => this.#sendAgain(error, message, take, signal, call));
  }

  async #sendAgain(
    error: unknown,
    message: Message,
    take: Deliver,
    signal: AbortSignal,
    call: CallContext | undefined,
  ): Promise<void> {
    if (!(error instanceof SessionLost)) throw error;
    try {
      await abortable(this.#recover(error.id), signal);
      if (message.head.kind !== "response")
        await this.#options.next.send(message, take, signal, call);
    } catch (again) {
      if (!(again instanceof SessionLost)) throw again;
      // A new session changed nothing: it was not lost, and the server still keeps it.
      this.#options.abandoned?.add(error.id);
      if (again.status === 404) noteAnswer(this.#options.session, message);
      throw again.told;
    }
  }

  /** Replays initialize, `initialized` and what was set up; the answers are the bridge's own business. One at a time. */
  #recover(lostId: string | undefined): Promise<void> {
    if (!this.#isLost && this.#options.session.id !== lostId) return Promise.resolve();
    this.#recovering ??= this.#replay().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  async #replay(): Promise<void> {
    const { next, session, log, name } = this.#options;
    if (this.#initialize === undefined) return;
    log.info("session lost, starting another", { server: name });
    const signal = AbortSignal.timeout(startMs);
    let answered: Message | undefined;
    this.#isLost = true;
    for (const id of this.#asked) this.#askedBefore.add(id);
    this.#asked.clear();
    session.id = undefined;
    const take: Deliver = async (answer) => {
      if (answer.head.kind === "response") answered = answer;
    };
    await sendWithin(startMs, this.#options, this.#initialize, take, signal);
    if (answered === undefined || answered.head.isError)
      throw new BridgeError("server-error", `"${name}" lost the session and refuses another`);
    session.version = this.#revisionIn(answered);
    if (this.#initialized !== undefined)
      await sendWithin(startMs, this.#options, this.#initialized, deliverNothing, signal);
    // What the server says from here on, it says on the stream of the new session.
    this.#renewed.abort();
    this.#renewed = new AbortController();
    await this.#setup.renew(next, this.#options, signal);
    this.#isLost = false;
  }

  /** `deliver`, noting what the server asks on the way. */
  #noting(deliver: Deliver): Deliver {
    return (said) => {
      const { kind } = said.head;
      if (kind === "request" || kind === "batch")
        for (const id of said.requestIds().map(idKey)) {
          this.#asked.add(id);
          this.#askedBefore.delete(id);
        }
      return deliver(said);
    };
  }

  /** Whether a response of the client answers what only a lost session asked; it is forgotten with that. */
  #isStale({ head }: Message): boolean {
    const id = idKey(head.id!);
    this.#asked.delete(id);
    return this.#askedBefore.delete(id);
  }
}

function notInitialized(): BridgeError {
  return new BridgeError("unreachable", "the server was not initialized in time", {
    hint: "restart the client once the server answers",
    safeToRetry: true,
  });
}
