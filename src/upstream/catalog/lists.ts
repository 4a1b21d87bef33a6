// Answers lists from the catalog if the server is slow or out of reach, and fetches them from the server in the background.

import { abortable } from "../../platform/async.ts";
import type { Log } from "../../platform/log.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { type Message, notificationOf, requestOf, responseTo } from "../../wire/message.ts";
import type { RequestIds } from "../core/request-ids.ts";
import type { CallContext, Deliver, Stop } from "../core/types.ts";
import { lists, methodOf } from "./entry.ts";
import { type CacheKey, type CatalogStore, pageKey } from "./store.ts";

interface ListsOptions {
  readonly store: CatalogStore;
  readonly log: Log;
  readonly ids: RequestIds;
  /** How long a fresh cached page waits for the server: short enough for the second that Codex grants. */
  readonly freshMs: number;
  /** How long a stale cached page waits for the server; it is then used only if the server is out of reach. */
  readonly staleMs: number;
  /** First pause before a list that failed is fetched again. */
  readonly againMs: number;
  /** Above 0: fresh cached pages are served at once until the server has the handshake. */
  readonly listsFirstMs: number;
  /** Whether the server was out of reach at the start: cached pages of any age are then used. */
  readonly isOffline: boolean;
  /** The current cache key. */
  readonly cacheKey: () => CacheKey;
  /** Asks the server and caches its answer; `isBound`: gives up after `startLimitMs`. */
  readonly ask: (
    request: Message,
    deliver: Deliver,
    signal: AbortSignal,
    isBound: boolean,
    call?: CallContext,
  ) => Promise<void>;
  /** Takes messages that belong to no call. */
  readonly deliverToListener: Deliver;
  /** Resolves once the server has the whole handshake. */
  readonly opened: Promise<void>;
  /** Ends the work in the background. */
  readonly signal: AbortSignal;
}

type Pages = Readonly<Record<string, string>>;

/** Most pages of one list: a server may return cursors without end. */
const maxPages = 1000;
/** Longest pause between attempts in the background. */
const longestPauseMs = 300_000;

const superseded: Stop = { by: "closing" };

/** Whether an error means that the server is out of reach. */
export function isOutOfReach(error: unknown): boolean {
  const kinds = ["dns", "connection-refused", "unreachable", "timeout"];
  return error instanceof BridgeError && kinds.includes(error.kind);
}

/** Pauses between attempts in the background, each twice as long as the one before. */
export function pauses(firstMs: number): () => Promise<void> {
  let ms = firstMs / 2;
  return () => {
    ms = Math.min(ms * 2, longestPauseMs);
    return Bun.sleep(ms);
  };
}

/** The lists of one session whose handshake the catalog answered. */
export class CatalogLists {
  readonly #options: ListsOptions;
  /** Pages of the lists that the client reads from the catalog, as of their first page: cursors of different lists must not mix. */
  readonly #servedPages = new Map<string, Pages>();
  /** Aborts the background fetch of a list, by its method. */
  readonly #fetches = new Map<string, AbortController>();

  constructor(options: ListsOptions) {
    this.#options = options;
  }

  /** Forgets the lists that were served: the caller has changed. */
  forget(): void {
    this.#servedPages.clear();
  }

  /** Answers with the server's page, or with the cached one if the server is slow or fails. */
  async send(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call: CallContext | undefined,
  ): Promise<void> {
    const { store, cacheKey, ask } = this.#options;
    const page = pageKey(message);
    const method = methodOf(page);
    const cached = store.page(cacheKey(), page);
    const served = isFirst(page) ? undefined : this.#servedPages.get(method)?.[page];
    if (served !== undefined) return deliver(responseTo(message.head.id!, served));
    if (cached === undefined) return ask(message, deliver, signal, method === "tools/list", call);
    const isGood = this.#options.isOffline || store.isFresh(cached);
    const { listsFirstMs, opened } = this.#options;
    if (isGood && listsFirstMs > 0 && Bun.peek.status(opened) === "pending")
      return this.#serve(message, cached.result, deliver);
    await this.#race(message, isGood, deliver, signal, call);
  }

  async #race(
    message: Message,
    isGood: boolean,
    deliver: Deliver,
    signal: AbortSignal,
    call: CallContext | undefined,
  ) {
    const { store, cacheKey, ask, deliverToListener, freshMs, staleMs } = this.#options;
    let response: Message | undefined;
    let isLate = false;
    const take: Deliver = async (incoming) => {
      const isAnswer = incoming.head.kind === "response";
      if (isAnswer) response = incoming;
      if (!isLate) await deliver(incoming);
      else if (!isAnswer) await deliverToListener(incoming);
    };
    const either = AbortSignal.any([signal, this.#options.signal]);
    const live = ask(message, take, either, true, call);
    const failed = live.then(
      () => undefined,
      (error) => ({ error }),
    );
    const failure = await Promise.race([failed, Bun.sleep(isGood ? freshMs : staleMs)]);
    const page = pageKey(message);
    const method = methodOf(page);
    if (response !== undefined) this.#servedPages.delete(method);
    // Looked up again: the caller may have changed meanwhile.
    const cached = store.page(cacheKey(), page);
    const isUsable = isGood || failure === undefined || isOutOfReach(failure.error);
    if (response !== undefined || signal.aborted || cached === undefined || !isUsable) return live;
    isLate = true;
    await this.#serve(
      message,
      cached.result,
      deliver,
      failed.then(() => response),
    );
  }

  /** Answers with a cached page, and fetches the list in the background; `answer`: the server's, under way. */
  async #serve(
    message: Message,
    result: string,
    deliver: Deliver,
    answer: Promise<Message | undefined> = Promise.resolve(undefined),
  ): Promise<void> {
    const { store, cacheKey, log } = this.#options;
    const page = pageKey(message);
    const method = methodOf(page);
    log.debug("list from the catalog", { method });
    const served = store.pages(cacheKey(), method);
    this.#servedPages.set(method, served);
    void this.#catchUp(page, answer, served);
    await deliver(responseTo(message.head.id!, result));
  }

  /** Fetches the list in the background after an answer from the catalog, page by page; caches it, and announces a change once. */
  async #catchUp(first: string, answer: Promise<Message | undefined>, served: Pages) {
    const { deliverToListener, log } = this.#options;
    const method = methodOf(first);
    this.#fetches.get(method)?.abort(superseded);
    const own = new AbortController();
    this.#fetches.set(method, own);
    const signal = AbortSignal.any([own.signal, this.#options.signal]);
    let response = await answer;
    let isAnnounced = false;
    let page: string | undefined = first;
    try {
      // A cursor may lead back to an earlier page.
      const seen = new Set<string>();
      while (page !== undefined && !seen.has(page) && seen.size < maxPages) {
        seen.add(page);
        response ??= await this.#ask(page, signal);
        if (signal.aborted || response.head.isError === true) return;
        const hasChanged = served[page] !== undefined && served[page] !== response.text(["result"]);
        if (hasChanged && !isAnnounced)
          await deliverToListener(notificationOf(lists[method]!.changed));
        isAnnounced ||= hasChanged;
        const cursor = response.value(["result", "nextCursor"]);
        page = typeof cursor === "string" ? `${method} ${JSON.stringify(cursor)}` : undefined;
        response = undefined;
      }
    } catch (error) {
      if (!signal.aborted)
        log.warn("list not renewed", { method, error: asBridgeError(error).message });
    }
  }

  /** Fetches a page; tries again until the server answers. */
  async #ask(page: string, signal: AbortSignal): Promise<Message> {
    const { ask, deliverToListener, opened, log, ids, againMs } = this.#options;
    const method = methodOf(page);
    const params = isFirst(page) ? undefined : `{"cursor":${page.slice(method.length + 1)}}`;
    const pause = pauses(againMs);
    for (;;) {
      await abortable(opened, signal);
      let answer: Message | undefined;
      const take: Deliver = async (incoming) => {
        if (incoming.head.kind === "response") answer = incoming;
        else await deliverToListener(incoming);
      };
      const request = requestOf(ids.next("list"), method, params);
      await ask(request, take, signal, true).catch((error) =>
        log.debug("list not renewed yet", { method, error: asBridgeError(error).message }),
      );
      if (answer !== undefined) return answer;
      await abortable(pause(), signal);
    }
  }
}

const isFirst = (page: string) => page.endsWith(" ");
