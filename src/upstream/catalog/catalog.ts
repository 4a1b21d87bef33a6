// Answers initialize and lists from the cache while the connection to the server is being made.

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
  /** Deadline of a call; no part of the handshake may take longer. */
  readonly timeoutMs: number;
  /** Whether cached answers may be used; if not, the server is asked, and its answers are still cached. */
  readonly mayAnswer: boolean;
  /** The cached answer that the client's first initialize got before this object existed; it stays the answer. */
  readonly earlyAnswer?: CachedPage | undefined;
  /** Default: `usualTimes`; tests set their own. */
  readonly times?: typeof usualTimes;
}

/**
 * How long to wait for the server: with nothing cached, with a stale cache, with a fresh cache; and the first pause
 * between attempts in the background. `listsFirstMs`: how long the connecting waits for the client's lists, which the
 * catalog then answers at once; 0: the server is asked first.
 */
export const usualTimes = {
  startMs,
  staleMs: 5_000,
  freshMs: 300,
  againMs: 5_000,
  listsFirstMs: 0,
};

const closing: Stop = { by: "closing" };

export class CatalogUpstream implements Upstream {
  readonly #options: CatalogOptions;
  readonly #times: typeof usualTimes;
  #earlyAnswer: CachedPage | undefined;
  /** The client's handshake, and the cache key that belongs to it. */
  #initialize: Message | undefined;
  #initialized: Message | undefined;
  #cacheKey: CacheKey | undefined;
  #isDoubtful = false;
  /** Set if the catalog answered the handshake: the server gets it in the background. */
  #lists: CatalogLists | undefined;
  /** Ends the work in the background: aborted on close and by the client's next initialize. */
  #ended = new AbortController();
  #live: Promise<void> | undefined;
  /** Resolves when the connecting no longer waits for the client's lists; a call connects at once. */
  #listsServed = Promise.resolve();
  #announcing: Promise<void> | undefined;
  /** Whether the server has the whole handshake: messages then pass without waiting. */
  #handshakeDone = false;
  #opened = Promise.withResolvers<void>();
  /** Takes messages that belong to no call, once the client listens; they are queued before. */
  #listener: Deliver | undefined;
  #waiting: Message[] = [];

  constructor(options: CatalogOptions) {
    this.#options = options;
    this.#earlyAnswer = options.earlyAnswer;
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
    if (message === this.#initialized) await abortable(this.#listsServed, signal);
    await abortable(this.#connect(), signal);
    if (message !== this.#initialized) await next.send(message, deliver, signal, call);
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#listener = deliver;
    for (const message of this.#waiting.splice(0)) await deliver(message);
    const pause = pauses(this.#times.againMs);
    await abortable(this.#listsServed, signal);
    while (this.#lists !== undefined && !signal.aborted) {
      const failed = await abortable(this.#connect(), signal).catch((error) => error ?? true);
      if (failed === undefined) break;
      if (signal.aborted) return;
      // Calls connect at once; this loop pauses, because a refused credential must not be sent again and again.
      await abortable(pause(), signal).catch(() => undefined);
    }
    await this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#ended.abort(closing);
    return this.#options.next.close(deadlineMs);
  }

  /** The credential may have changed: the cache key is computed again, so that one caller's answers never reach another. */
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
    const earlyAnswer = this.#earlyAnswer;
    this.#earlyAnswer = undefined;
    const cached = earlyAnswer ?? (mayAnswer ? store.start(this.#cacheKey) : undefined);
    const isFresh = cached !== undefined && (cached === earlyAnswer || store.isFresh(cached));
    if (!isFresh) {
      const isAway = await this.#startLive(message, deliver, signal, cached === undefined, call);
      if (!isAway || cached === undefined) return;
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
      deliverToListener: (incoming) => this.#deliverToListener(incoming),
      opened: this.#opened.promise,
      signal: this.#ended.signal,
    });
    const delivered = deliver(responseTo(message.head.id!, cached.result));
    const connect = () =>
      this.#connect().catch((error) =>
        log.warn("not connected yet", { server: name, error: asBridgeError(error).message }),
      );
    // In a later turn of the event loop: loading the code that connects must not delay the answer.
    const { listsFirstMs } = this.#times;
    if (listsFirstMs > 0) this.#listsServed = Bun.sleep(listsFirstMs);
    if (listsFirstMs > 0) void this.#listsServed.then(connect);
    else setImmediate(connect);
    await delivered;
  }

  /** Sends initialize to the server; true if it is out of reach and a cached answer may be used instead. */
  async #startLive(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    isAlone: boolean,
    call: CallContext | undefined,
  ): Promise<boolean> {
    const { startMs: mostMs, staleMs } = this.#times;
    const ms = isAlone ? startLimitMs(this.#options.timeoutMs, mostMs) : staleMs;
    const take: Deliver = (incoming) => {
      this.#learnStart(incoming);
      return deliver(incoming);
    };
    try {
      await sendWithin(ms, this.#options, message, take, signal, call);
      return false;
    } catch (error) {
      if (isAlone || signal.aborted || !isOutOfReach(error)) throw error;
      return true;
    }
  }

  /** Resolves once the server has the handshake that the catalog answered. After a failure, the next call tries again. */
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
    await this.#shake(this.#initialize!, async (incoming) => {
      this.#learnStart(incoming);
      if (incoming.head.kind === "response") answer = incoming;
      else await this.#deliverToListener(incoming);
    });
    if (answer?.head.isError === true)
      throw new BridgeError("server-error", `"${name}" refused to initialize`, {
        hint: (command) => `see ${command(`test --server ${name}`)}`,
      });
  }

  /** Sends `initialized` as soon as the client has sent it. */
  async #announce(): Promise<void> {
    if (this.#initialized === undefined) return;
    const { signal } = this.#ended;
    const take: Deliver = (incoming) => this.#deliverToListener(incoming);
    this.#announcing ??= this.#shake(this.#initialized, take).catch((error) => {
      this.#announcing = undefined;
      throw error;
    });
    await this.#announcing;
    if (signal.aborted) return;
    this.#handshakeDone = true;
    this.#opened.resolve();
  }

  /** Sends a part of the handshake, which no call's deadline bounds. */
  #shake(message: Message, take: Deliver): Promise<void> {
    const ms = handshakeMs(this.#options.timeoutMs);
    return sendWithin(ms, this.#options, message, take, this.#ended.signal);
  }

  #list(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    if (this.#lists !== undefined) return this.#lists.send(message, deliver, signal, call);
    return this.#ask(message, deliver, signal, message.head.method === "tools/list", call);
  }

  /** Asks the server for a page of a list once it is connected, and caches the page. */
  async #ask(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    isBound: boolean,
    call?: CallContext,
  ): Promise<void> {
    const { next, name, timeoutMs } = this.#options;
    const take: Deliver = async (incoming) => {
      await deliver(incoming);
      this.#learnPage(message, incoming);
    };
    const send: Upstream["send"] = async (...sent) => {
      if (this.#lists !== undefined) await abortable(this.#connect(), sent[2]);
      await next.send(...sent);
    };
    const ms = startLimitMs(timeoutMs, this.#times.startMs);
    if (isBound) await sendWithin(ms, { next: { send }, name }, message, take, signal, call);
    else await send(message, take, signal, call);
  }

  #learnStart(incoming: Message): void {
    const result = resultOf(incoming);
    if (result !== undefined) this.#options.store.saveStart(this.#cacheKeyNow(), result);
  }

  #learnPage(request: Message, incoming: Message): void {
    const result = resultOf(incoming);
    // A client that sent no initialize speaks the stateless protocol: nothing is cached for it.
    if (result === undefined || this.#cacheKey === undefined) return;
    this.#options.store.savePage(this.#cacheKeyNow(), pageKey(request), result);
  }

  async #deliverToListener(message: Message): Promise<void> {
    if (this.#listener === undefined) this.#waiting.push(message);
    else await this.#listener(message);
  }
}

/** The result to cache from a response; undefined for an error. */
function resultOf(incoming: Message): string | undefined {
  const { kind, isError } = incoming.head;
  return kind === "response" && isError !== true ? incoming.text(["result"]) : undefined;
}
