// The session protocol's handshake, and its recovery when the server has lost the session.

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
  /** Takes sessions that were replaced in vain; undefined for a transport that ends them itself. */
  readonly abandoned: AbandonedSessions | undefined;
}

/** Backoff before a session that was lost while listening is replaced. */
const firstBackoffMs = 100;
const longestBackoffMs = 60_000;
/** A listening stream that lasted this long was healthy: the backoff starts again. */
const lastingMs = 30_000;

/** Requests wait this long for the answer to `initialized`, or for a third of a call's deadline if that is shorter. */
const announcedMs = 5000;

/** Text that is valid as a header value (RFC 9110 5.5) and short enough for a revision. */
const headerText = /^[\x21-\x7e]{1,64}$/;

const deliverNothing: Deliver = async () => undefined;

/** The refusal of a request in a new session, too. The hint of a 404 is about the URL's path, which initialize has found right. */
function refusedAnew(refusal: BridgeError): BridgeError {
  const { kind, message, status, serverError } = refusal;
  if (kind !== "server-not-found") return refusal;
  return new BridgeError(kind, `${message}, in a new session, too`, {
    hint: "the server does not keep its sessions, or does not know this request: its operator must lead all requests of a session to one instance",
    serverError,
    cause: refusal,
    ...(status !== undefined && { status }),
  });
}

/** Holds messages back until initialize and `initialized` are done, and repeats both after the session is lost. */
export class SessionUpstream implements Upstream {
  readonly #options: SessionOptions;
  #initialize: Message | undefined;
  #initialized: Message | undefined;
  /** Settles with the answer to initialize; rejects with the reason if there is none. */
  #agreed = Promise.withResolvers<void>();
  /** Resolves when the server has accepted `initialized`, or was waited for long enough. */
  #announced: Promise<void> = Promise.resolve();
  /** Whether the handshake is done: requests no longer wait. */
  #handshakeDone = false;
  #recovering: Promise<void> | undefined;
  /** Whether the session is lost and not yet replaced. */
  #isLost = false;
  /** Ids of the server's requests in this session, and in lost ones: the client's answer must not reach another session. */
  readonly #requestIds = new Set<string>();
  readonly #lostRequestIds = new Set<string>();
  readonly #setup = new SessionSetup();
  /** Whether close() was called: a message that is late must not begin another session. */
  #isClosed = false;
  /** Aborted when a new session replaces this one, so that its listening stream is opened at once. */
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

  /** Sends a message that waits for the handshake or is part of it. */
  async #sendInTurn(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { method, kind } = message.head;
    await abortable(this.#agreed.promise, signal);
    if (method === "notifications/initialized") {
      this.#initialized = message;
      // Some servers refuse requests before they have seen `initialized`, so later requests wait for it, up to a limit.
      const sent = this.#forward(message, deliver, signal);
      const taken = sent.catch(() => undefined);
      const announceWaitMs = Math.min(announcedMs, this.#options.timeoutMs / 3);
      this.#announced = Promise.race([taken, Bun.sleep(announceWaitMs)]).then(() => {
        if (this.#initialized === message) this.#handshakeDone = true;
      });
      return sent;
    }
    // The client may have got an earlier revision from the catalog: a batch is split for a server without batches.
    if (kind === "batch" && this.#options.session.version !== batchRevision)
      return sendParts(message, (part) => this.send(part, deliver, signal, call));
    if (kind !== "response") await abortable(this.#announced, signal);
    else if (this.#isStale(message)) return;
    await this.#forward(message, deliver, signal, call);
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    await abortable(this.#announced, signal);
    const { next, now } = this.#options;
    const take = this.#recordingIds(deliver);
    for (let failures = 0; !signal.aborted; failures++) {
      const startedAt = now();
      const renewed = this.#renewed.signal;
      const either = AbortSignal.any([signal, renewed]);
      try {
        await next.listen(take, either);
        if (!renewed.aborted) return;
      } catch (error) {
        if (!(error instanceof SessionLost) && !renewed.aborted) throw error;
        if (this.#isClosed) return;
        // A server that drops every new session at once must not get initialize in a tight loop.
        if (now() - startedAt > lastingMs) failures = 0;
        const backoff = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failures, 10));
        await sleep(backoff, either).catch(() => signal.throwIfAborted());
        // A restarted server may give the new session the id of the lost one.
        if (error instanceof SessionLost && !renewed.aborted)
          await this.#recover(error.id).catch(() => undefined);
      }
    }
  }

  async close(deadlineMs: number): Promise<void> {
    const { next, abandoned } = this.#options;
    this.#isClosed = true;
    await Promise.all([next.close(deadlineMs), abandoned?.close(deadlineMs)]);
  }

  async #start(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { next } = this.#options;
    if (this.#initialize !== undefined) this.#reset();
    this.#initialize = message;
    // Captured: an initialize that fails late must not reject the promise of the next one.
    const agreed = this.#agreed;
    try {
      await next.send(message, (answer) => this.#agree(answer, deliver, agreed), signal, call);
    } catch (error) {
      agreed.reject(signal.aborted ? notInitialized() : error);
      throw error;
    }
  }

  /** Forgets the session: the client initializes again. */
  #reset(): void {
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

  /** The revision in an answer to initialize; undefined if it names none. Throws if it is no valid header value, since every request carries it as a header. */
  #revisionIn(answer: Message): string | undefined {
    const version = answer.value(["result", "protocolVersion"]);
    if (typeof version !== "string") return undefined;
    if (headerText.test(version)) return version;
    throw new BridgeError(
      "bad-answer",
      `"${this.#options.name}" answers initialize with a protocolVersion that is not a valid header value`,
      { hint: "ask the server's operator" },
    );
  }

  #forward(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    // While the session is lost, the server would refuse the request: recover first.
    if (this.#isLost)
      return abortable(this.#recover(undefined), signal).then(() =>
        this.#sendOnce(message, deliver, signal, call),
      );
    return this.#sendOnce(message, deliver, signal, call);
  }

  #sendOnce(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const take = this.#recordingIds(this.#setup.noting(message, deliver));
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
    if (this.#isClosed) throw error.refusal;
    try {
      await abortable(this.#recover(error.id), signal);
      if (message.head.kind !== "response")
        await this.#options.next.send(message, take, signal, call);
    } catch (again) {
      if (!(again instanceof SessionLost)) throw again;
      // The new session got the same refusal: the old one was not lost, and the server still keeps it.
      this.#options.abandoned?.add(error.id);
      noteAnswer(this.#options.session, message, again);
      throw refusedAnew(again.refusal);
    }
  }

  /** Repeats initialize, `initialized` and the session's setup, once for all callers. The client does not see the answers. */
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
    for (const id of this.#requestIds) this.#lostRequestIds.add(id);
    this.#requestIds.clear();
    session.id = undefined;
    const take: Deliver = async (answer) => {
      if (answer.head.kind === "response") answered = answer;
    };
    await sendWithin(startMs, this.#options, this.#initialize, take, signal);
    if (answered === undefined || answered.head.isError)
      throw new BridgeError("server-error", `"${name}" lost the session and refuses a new one`);
    session.version = this.#revisionIn(answered);
    if (this.#initialized !== undefined)
      await sendWithin(startMs, this.#options, this.#initialized, deliverNothing, signal);
    // From here on the server sends its messages on the new session's stream.
    this.#renewed.abort();
    this.#renewed = new AbortController();
    await this.#setup.renew(next, this.#options, signal);
    this.#isLost = false;
  }

  /** Wraps `deliver`: records the ids of the server's requests. */
  #recordingIds(deliver: Deliver): Deliver {
    return (incoming) => {
      const { kind } = incoming.head;
      if (kind === "request" || kind === "batch")
        for (const id of incoming.requestIds().map(idKey)) {
          this.#requestIds.add(id);
          this.#lostRequestIds.delete(id);
        }
      return deliver(incoming);
    };
  }

  /** Whether a response of the client answers a request of a lost session; forgets its id. */
  #isStale({ head }: Message): boolean {
    const id = idKey(head.id!);
    this.#requestIds.delete(id);
    return this.#lostRequestIds.delete(id);
  }
}

function notInitialized(): BridgeError {
  return new BridgeError("unreachable", "the server was not initialized in time", {
    hint: "restart the client once the server answers",
    safeToRetry: true,
  });
}
