// Lists of a server that is slow or away come from the catalog; behind that the server itself is asked, page by page.

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
  /** How long what is kept waits for the server: fresh beats instant while both fit into the second that Codex grants. */
  readonly freshMs: number;
  /** The same for what is too old to be served unless the server is out of reach. */
  readonly staleMs: number;
  /** Before a list that could not be got is asked for once more, at first. */
  readonly againMs: number;
  /** Whether the server was out of reach at the start: then what is kept counts, however old. */
  readonly isOffline: boolean;
  /** Who looks at it now. */
  readonly cacheKey: () => CacheKey;
  /** Asks the server itself and keeps what it says; `isBound`: gives up in the time of a start. */
  readonly ask: (
    request: Message,
    deliver: Deliver,
    signal: AbortSignal,
    isBound: boolean,
    call?: CallContext,
  ) => Promise<void>;
  /** Takes what belongs to no call. */
  readonly tell: Deliver;
  /** Resolves once the server has the whole handshake. */
  readonly opened: Promise<void>;
  /** Ends what happens behind the answers. */
  readonly signal: AbortSignal;
}

type Pages = Readonly<Record<string, string>>;

/** A server that hands out cursors for ever is not followed further. */
const maxPages = 1000;
/** Longest pause between attempts that nobody waits for. */
const longestPauseMs = 300_000;

const superseded: Stop = { by: "closing" };

/** Whether an error tells that the server is out of reach, not that it has changed. */
export function isOutOfReach(error: unknown): boolean {
  const kinds = ["dns", "connection-refused", "unreachable", "timeout"];
  return error instanceof BridgeError && kinds.includes(error.kind);
}

/** Pauses before further attempts that nobody waits for, each twice as long as the one before. */
export function pauses(firstMs: number): () => Promise<void> {
  let ms = firstMs / 2;
  return () => {
    ms = Math.min(ms * 2, longestPauseMs);
    return Bun.sleep(ms);
  };
}

/** The lists of one start whose handshake the catalog answered. */
export class CatalogLists {
  readonly #options: ListsOptions;
  /** Lists that the client reads from the catalog, as they were at the first page: cursors belong together. */
  readonly #shown = new Map<string, Pages>();
  /** What goes on behind the last such answer, by the list. */
  readonly #behind = new Map<string, AbortController>();

  constructor(options: ListsOptions) {
    this.#options = options;
  }

  /** Another caller sees other lists. */
  forget(): void {
    this.#shown.clear();
  }

  /** Answers with what the server says, or with the kept page where that takes its time or fails. */
  async send(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call: CallContext | undefined,
  ): Promise<void> {
    const { store, cacheKey, ask } = this.#options;
    const page = pageKey(message);
    const method = methodOf(page);
    const kept = store.page(cacheKey(), page);
    const shown = isFirst(page) ? undefined : this.#shown.get(method)?.[page];
    if (shown !== undefined) return deliver(responseTo(message.head.id!, shown));
    if (kept === undefined) return ask(message, deliver, signal, method === "tools/list", call);
    const isGood = this.#options.isOffline || store.isFresh(kept);
    await this.#race(message, isGood, deliver, signal, call);
  }

  async #race(
    message: Message,
    isGood: boolean,
    deliver: Deliver,
    signal: AbortSignal,
    call: CallContext | undefined,
  ) {
    const { store, cacheKey, ask, tell, freshMs, staleMs } = this.#options;
    let said: Message | undefined;
    let isLate = false;
    const take: Deliver = async (one) => {
      const isAnswer = one.head.kind === "response";
      if (isAnswer) said = one;
      if (!isLate) await deliver(one);
      else if (!isAnswer) await tell(one);
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
    if (said !== undefined) this.#shown.delete(method);
    // Looked up again: the credential may be another's by now.
    const kept = store.page(cacheKey(), page);
    const isUsable = isGood || failure === undefined || isOutOfReach(failure.error);
    if (said !== undefined || signal.aborted || kept === undefined || !isUsable) return live;
    isLate = true;
    this.#options.log.debug("list from the catalog", { method });
    const shown = store.pages(cacheKey(), method);
    this.#shown.set(method, shown);
    const answer = failed.then(() => said);
    void this.#catchUp(page, answer, shown);
    await deliver(responseTo(message.head.id!, kept.result));
  }

  /** Asks on behind an answer from the catalog, from its page to the last: what changed is announced, once, and kept. */
  async #catchUp(first: string, answer: Promise<Message | undefined>, shown: Pages) {
    const { tell, log } = this.#options;
    const method = methodOf(first);
    this.#behind.get(method)?.abort(superseded);
    const own = new AbortController();
    this.#behind.set(method, own);
    const signal = AbortSignal.any([own.signal, this.#options.signal]);
    let said = await answer;
    let isTold = false;
    let page: string | undefined = first;
    try {
      // A cursor that leads back to a page would lead there for ever.
      const seen = new Set<string>();
      while (page !== undefined && !seen.has(page) && seen.size < maxPages) {
        seen.add(page);
        said ??= await this.#ask(page, signal);
        if (signal.aborted || said.head.isError === true) return;
        const isNews = shown[page] !== undefined && shown[page] !== said.text(["result"]);
        if (isNews && !isTold) await tell(notificationOf(lists[method]!.changed));
        isTold ||= isNews;
        const cursor = said.value(["result", "nextCursor"]);
        page = typeof cursor === "string" ? `${method} ${JSON.stringify(cursor)}` : undefined;
        said = undefined;
      }
    } catch (error) {
      if (!signal.aborted)
        log.warn("list not renewed", { method, error: asBridgeError(error).message });
    }
  }

  /** A page, asked for until the server answers. */
  async #ask(page: string, signal: AbortSignal): Promise<Message> {
    const { ask, tell, opened, log, ids, againMs } = this.#options;
    const method = methodOf(page);
    const params = isFirst(page) ? undefined : `{"cursor":${page.slice(method.length + 1)}}`;
    const pause = pauses(againMs);
    for (;;) {
      await abortable(opened, signal);
      let answer: Message | undefined;
      const take: Deliver = async (said) => {
        if (said.head.kind === "response") answer = said;
        else await tell(said);
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
