// The last good initialize and lists of a server answer while the server itself is still being reached.

import { abortable } from "../../platform/async.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { type Message, responseTo } from "../../wire/message.ts";
import type { CallContext, Deliver, ServerScope, Stop, Upstream } from "../core/types.ts";
import { handshakeMs, sendWithin, startLimitMs, startMs } from "../retry/deadline.ts";
import { type CachedPage, lists } from "./entry.ts";
import { CatalogLists, isOutOfReach, pauses } from "./lists.ts";
import { type CacheKey, type CatalogStore, pageKey } from "./store.ts";

interface CatalogOptions extends Omit<ServerScope, "now"> {
  readonly next: Upstream;
  readonly store: CatalogStore;
  /** Deadline of a call: no part of a start may take longer. */
  readonly timeoutMs: number;
  /** False: the server itself is asked in any case; what it says is kept all the same. */
  readonly mayAnswer: boolean;
  /** What the client's first initialize was answered with before any of this was there: it stays so. */
  readonly said?: CachedPage | undefined;
  /** `usualTimes` unless a test says otherwise. */
  readonly times?: typeof usualTimes;
}

/**
 * How long the server is waited for: where nothing is kept, where that is too old, and where it is not; and how
 * long an attempt that nobody waits for comes after the one that failed, at first.
 */
export const usualTimes = { startMs, staleMs: 5_000, freshMs: 300, againMs: 5_000 };

const closing: Stop = { by: "closing" };

export class CatalogUpstream implements Upstream {
  readonly #options: CatalogOptions;
  readonly #times: typeof usualTimes;
  #said: CachedPage | undefined;
  /** The client's handshake, and who sees what the server answers. */
  #initialize: Message | undefined;
  #initialized: Message | undefined;
  #cacheKey: CacheKey | undefined;
  #isDoubtful = false;
  /** There where the catalog answered the handshake: the server gets it in the background. */
  #lists: CatalogLists | undefined;
  /** Ends what happens behind the answers: with the client, or its next handshake. */
  #ended = new AbortController();
  #live: Promise<void> | undefined;
  #announcing: Promise<void> | undefined;
  /** The server has the whole handshake: nothing stands between it and the client any more. */
  #handshakeDone = false;
  #opened = Promise.withResolvers<void>();
  /** Where messages go that belong to no call, once the client listens. */
  #aside: Deliver | undefined;
  #waiting: Message[] = [];

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#said = options.said;
    this.#times = options.times ?? usualTimes;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const { kind, method } = message.head;
    if (kind === "request" && method === "initialize")
      return this.#start(message, deliver, signal, call);
    if (kind === "request" && method !== undefined && Object.hasOwn(lists, method))
      return this.#list(message, deliver, signal, call);
    if (method === "notifications/initialized") this.#initialized = message;
    const isThrough = this.#lists === undefined || this.#handshakeDone;
    if (isThrough) return this.#options.next.send(message, deliver, signal, call);
    return this.#sendLate(message, deliver, signal, call);
  }

  async #sendLate(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { next } = this.#options;
    await abortable(this.#connect(), signal);
    if (message !== this.#initialized) await next.send(message, deliver, signal, call);
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#aside = deliver;
    for (const message of this.#waiting.splice(0)) await deliver(message);
    const pause = pauses(this.#times.againMs);
    while (this.#lists !== undefined && !signal.aborted) {
      const failed = await abortable(this.#connect(), signal).catch((error) => error ?? true);
      if (failed === undefined) break;
      if (signal.aborted) return;
      // Calls try at once; nobody waits for this, and a refused credential must not be sent for ever.
      await abortable(pause(), signal).catch(() => undefined);
    }
    await this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#ended.abort(closing);
    return this.#options.next.close(deadlineMs);
  }

  /** The credential may be another by now: what one caller is told is neither shown to the next nor kept for it. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  #cacheKeyNow(): CacheKey {
    const old = this.#cacheKey!;
    if (!this.#isDoubtful) return old;
    this.#isDoubtful = false;
    const now = this.#options.store.cacheKeyOf(this.#initialize!);
    if (now.text !== old.text || now.owner !== old.owner) this.#lists?.forget();
    this.#cacheKey = now;
    return now;
  }

  async #start(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call: CallContext | undefined,
  ): Promise<void> {
    const { store, log, name, ids, mayAnswer } = this.#options;
    this.#ended.abort(closing);
    this.#ended = new AbortController();
    this.#initialize = message;
    this.#initialized = undefined;
    this.#cacheKey = store.cacheKeyOf(message);
    this.#isDoubtful = false;
    this.#lists = undefined;
    this.#live = undefined;
    this.#handshakeDone = false;
    this.#opened = Promise.withResolvers();
    const said = this.#said;
    this.#said = undefined;
    const kept = said ?? (mayAnswer ? store.start(this.#cacheKey) : undefined);
    const isFresh = kept !== undefined && (kept === said || store.isFresh(kept));
    if (!isFresh) {
      const isAway = await this.#startLive(message, deliver, signal, kept === undefined, call);
      if (!isAway || kept === undefined) return;
    }
    log.debug("answering from the catalog", { server: name });
    this.#lists = new CatalogLists({
      ...this.#times,
      store,
      log,
      ids,
      isOffline: !isFresh,
      cacheKey: () => this.#cacheKeyNow(),
      ask: (...asked) => this.#ask(...asked),
      tell: (said) => this.#tell(said),
      opened: this.#opened.promise,
      signal: this.#ended.signal,
    });
    const delivered = deliver(responseTo(message.head.id!, kept.result));
    // Behind the turn in which the answer leaves: what reaches the server runs here for the first time.
    setImmediate(() =>
      this.#connect().catch((error) =>
        log.warn("not connected yet", { server: name, error: asBridgeError(error).message }),
      ),
    );
    await delivered;
  }

  /** The handshake with the server itself; true where it is out of reach and what is kept may stand in for it. */
  async #startLive(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    isAlone: boolean,
    call: CallContext | undefined,
  ): Promise<boolean> {
    const { startMs: mostMs, staleMs } = this.#times;
    const ms = isAlone ? startLimitMs(this.#options.timeoutMs, mostMs) : staleMs;
    const take: Deliver = (said) => {
      this.#learnStart(said);
      return deliver(said);
    };
    try {
      await sendWithin(ms, this.#options, message, take, signal, call);
      return false;
    } catch (error) {
      if (isAlone || signal.aborted || !isOutOfReach(error)) throw error;
      return true;
    }
  }

  /** Resolves once the server has taken the handshake that the catalog answered; a failed attempt is made anew. */
  #connect(): Promise<void> {
    this.#live ??= this.#handshake().catch((error) => {
      this.#live = undefined;
      throw error;
    });
    return this.#live.then(() => this.#announce());
  }

  async #handshake(): Promise<void> {
    const { name } = this.#options;
    let answer: Message | undefined;
    this.#announcing = undefined;
    await this.#shake(this.#initialize!, async (said) => {
      this.#learnStart(said);
      if (said.head.kind === "response") answer = said;
      else await this.#tell(said);
    });
    if (answer?.head.isError === true)
      throw new BridgeError("server-error", `"${name}" refused to initialize`, {
        hint: (command) => `see ${command(`test --server ${name}`)}`,
      });
  }

  /** `initialized` follows as soon as the client has sent it. */
  async #announce(): Promise<void> {
    if (this.#initialized === undefined) return;
    const { signal } = this.#ended;
    const tell: Deliver = (said) => this.#tell(said);
    this.#announcing ??= this.#shake(this.#initialized, tell).catch((error) => {
      this.#announcing = undefined;
      throw error;
    });
    await this.#announcing;
    if (signal.aborted) return;
    this.#handshakeDone = true;
    this.#opened.resolve();
  }

  /** Sends a part of the handshake that no call's deadline bounds: what is lost on the way must be made anew. */
  #shake(message: Message, take: Deliver): Promise<void> {
    const ms = handshakeMs(this.#options.timeoutMs);
    return sendWithin(ms, this.#options, message, take, this.#ended.signal);
  }

  #list(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    if (this.#lists !== undefined) return this.#lists.send(message, deliver, signal, call);
    return this.#ask(message, deliver, signal, message.head.method === "tools/list", call);
  }

  /** Asks the server for a page of a list, once it is reached, and keeps it. */
  async #ask(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    isBound: boolean,
    call?: CallContext,
  ): Promise<void> {
    const { next, name, timeoutMs } = this.#options;
    const take: Deliver = async (said) => {
      await deliver(said);
      this.#learnPage(message, said);
    };
    const send: Upstream["send"] = async (...sent) => {
      if (this.#lists !== undefined) await abortable(this.#connect(), sent[2]);
      await next.send(...sent);
    };
    const ms = startLimitMs(timeoutMs, this.#times.startMs);
    if (isBound) await sendWithin(ms, { next: { send }, name }, message, take, signal, call);
    else await send(message, take, signal, call);
  }

  #learnStart(said: Message): void {
    const result = resultOf(said);
    if (result !== undefined) this.#options.store.saveStart(this.#cacheKeyNow(), result);
  }

  #learnPage(request: Message, said: Message): void {
    const result = resultOf(said);
    // A client that never initialized is a modern one: nothing is kept for it.
    if (result === undefined || this.#cacheKey === undefined) return;
    this.#options.store.savePage(this.#cacheKeyNow(), pageKey(request), result);
  }

  async #tell(message: Message): Promise<void> {
    if (this.#aside === undefined) this.#waiting.push(message);
    else await this.#aside(message);
  }
}

/** What a response holds for keeping: an error of the server is not kept. */
function resultOf(said: Message): string | undefined {
  const { kind, isError } = said.head;
  return kind === "response" && isError !== true ? said.text(["result"]) : undefined;
}
