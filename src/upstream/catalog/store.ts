// Reads and writes the catalogs of one server, one for each cache key.
import type { ServerCache } from "../../platform/server-cache.ts";
import type { Message } from "../../wire/message.ts";
import {
  type CachedPage,
  type CatalogEntry,
  type CatalogFile,
  cacheKeyName,
  isCatalogFile,
  isEntry,
  isPage,
  isResult,
  lists,
  methodOf,
} from "./entry.ts";

/** The caller as the server sees it. */
export interface CallerIdentity {
  /** Text that changes whenever the configuration makes the bridge a different caller; may hold secrets. */
  readonly caller: string;
  /** Owner of the stored grant; undefined without a sign-in. */
  readonly owner: string | undefined;
}

/** Cache key: changes whenever the server would see a different caller or client. Only its hashes are stored. */
export interface CacheKey {
  readonly text: string;
  readonly owner: string | undefined;
}

/** Raised when the meaning of an entry changes. */
const schemaVersion = 2;
/** Most entries (clients with other revisions or capabilities, other callers) of a server; the oldest are dropped. */
const maxEntries = 4;
/** Most characters of all entries together: a start reads them first, at 4 ms for 1 MB. */
const maxChars = 2 * 1024 * 1024;
const weekMs = 7 * 24 * 60 * 60 * 1000;
const dayMs = 24 * 60 * 60 * 1000;

/** Key of one page of a list: its method, a space, and its cursor as JSON text. */
export function pageKey(request: Message): string {
  const cursor = request.value(["params", "cursor"]);
  const text = typeof cursor === "string" ? JSON.stringify(cursor) : undefined;
  return `${request.head.method} ${text ?? request.text(["params", "cursor"]) ?? ""}`;
}

export class CatalogStore {
  readonly #cache: ServerCache;
  readonly #identity: () => CallerIdentity;
  readonly #now: () => number;

  constructor(cache: ServerCache, identity: () => CallerIdentity, now: () => number) {
    this.#cache = cache;
    this.#identity = identity;
    this.#now = now;
  }

  /** The cache key of a client's `initialize`, by the current configuration and sign-in. */
  cacheKeyOf(initialize: Message): CacheKey {
    // The client's own text: deeply nested JSON can be read, but not serialized again.
    const asked = ["protocolVersion", "capabilities"].map((name) =>
      initialize.text(["params", name]),
    );
    const { caller, owner } = this.#identity();
    return { text: JSON.stringify([schemaVersion, ...asked, caller]), owner };
  }

  /** The cached answer to initialize. */
  start(cacheKey: CacheKey): CachedPage | undefined {
    const entry = this.#entry(cacheKey);
    return entry && { result: entry.initialize, savedAt: entry.savedAt };
  }

  page(cacheKey: CacheKey, page: string): CachedPage | undefined {
    const cached = this.#entry(cacheKey)?.lists[page];
    return isPage(cached, methodOf(page)) ? cached : undefined;
  }

  /** The cached results of a list's pages, by `pageKey`. */
  pages(cacheKey: CacheKey, method: string): Readonly<Record<string, string>> {
    const cached = Object.entries(this.#entry(cacheKey)?.lists ?? {});
    const own = cached.filter(([page, one]) => methodOf(page) === method && isPage(one, method));
    return Object.fromEntries(own.map(([page, { result }]) => [page, result]));
  }

  /** Whether it is younger than a week. */
  isFresh({ savedAt }: CachedPage): boolean {
    const age = this.#now() - savedAt;
    return age >= 0 && age < weekMs;
  }

  /** Caches an answer to initialize; writes only if it has changed or the cached one is a day old. */
  saveStart(cacheKey: CacheKey, result: string): void {
    if (!isResult(result, "initialize") || this.#isKnown(this.start(cacheKey), result)) return;
    const savedAt = this.#now();
    this.#change(cacheKey, (old) => ({ lists: {}, ...old, initialize: result, savedAt }));
  }

  /** Caches a page of a list. If it has changed, the pages after it are dropped: its old cursor led to them. */
  savePage(cacheKey: CacheKey, page: string, result: string): void {
    const method = methodOf(page);
    if (!isResult(result, method) || this.#isKnown(this.page(cacheKey, page), result)) return;
    const cached = { result, savedAt: this.#now() };
    this.#change(cacheKey, (old) => {
      if (old === undefined) return undefined;
      if (isPage(old.lists[page], method) && old.lists[page].result === result)
        return { ...old, lists: { ...old.lists, [page]: cached } };
      const before = pagesBefore(page, old.lists);
      if (before === undefined) return old;
      const others = Object.entries(old.lists).filter(([one]) => methodOf(one) !== method);
      return { ...old, lists: { ...Object.fromEntries(others), ...before, [page]: cached } };
    });
  }

  #isKnown(old: CachedPage | undefined, result: string): boolean {
    return old?.result === result && this.#now() - old.savedAt < dayMs;
  }

  #entry(cacheKey: CacheKey): CatalogEntry | undefined {
    const file = this.#cache.get(cacheKeyName);
    return isCatalogFile(file) ? entryFor(cacheKey, file) : undefined;
  }

  /** Read, modify, write: `change` is applied again to what other processes wrote meanwhile. */
  #change(
    cacheKey: CacheKey,
    change: (old: CatalogEntry | undefined) => CatalogEntry | undefined,
  ): void {
    this.#cache.change(cacheKeyName, (value) => {
      const file = isCatalogFile(value) ? value : { salt: crypto.randomUUID(), entries: {} };
      const { salt, entries } = file;
      const old = entryFor(cacheKey, file);
      // An anonymous answer never overwrites one that was given to a signed-in caller.
      if (cacheKey.owner === undefined && old?.owner !== undefined) return value;
      const next = change(old);
      if (next === undefined) return value;
      const key = hash(cacheKey.text, salt);
      const owner = cacheKey.owner === undefined ? {} : { owner: hash(cacheKey.owner, salt) };
      const { [key]: _, ...others } = entries;
      return { salt, entries: bounded({ ...next, ...owner }, key, others) } satisfies CatalogFile;
    });
  }
}

function hash(text: string, salt: string): string {
  return Bun.CryptoHasher.hash("sha256", `${salt}\n${text}`, "hex");
}

/** The entry of a cache key. An entry of one grant's owner is served after sign-out, but never to another owner. */
function entryFor(
  { text, owner }: CacheKey,
  { salt, entries }: CatalogFile,
): CatalogEntry | undefined {
  const entry = entries[hash(text, salt)];
  if (!isEntry(entry)) return undefined;
  return owner === undefined || entry.owner === hash(owner, salt) ? entry : undefined;
}

/** The pages from a list's first one to the one before `page`; undefined if their cursors do not lead to `page`. */
function pagesBefore(
  page: string,
  pages: CatalogEntry["lists"],
): Record<string, CachedPage> | undefined {
  const method = methodOf(page);
  const before: Record<string, CachedPage> = {};
  for (let at = `${method} `; at !== page; ) {
    const cached = pages[at];
    if (!isPage(cached, method) || Object.hasOwn(before, at)) return undefined;
    before[at] = cached;
    at = `${method} ${JSON.stringify(JSON.parse(cached.result).nextCursor)}`;
  }
  return before;
}

/** The entries to store: this one, and the newest others that fit. */
function bounded(
  entry: CatalogEntry,
  key: string,
  others: CatalogFile["entries"],
): Record<string, CatalogEntry> {
  const isSound = (other: [string, unknown]): other is [string, CatalogEntry] => isEntry(other[1]);
  const newest = Object.entries(others)
    .filter(isSound)
    .sort(([, a], [, b]) => b.savedAt - a.savedAt);
  const cached: Record<string, CatalogEntry> = {};
  let left = maxChars;
  for (const [name, one] of [[key, fitting(entry)] as const, ...newest].slice(0, maxEntries)) {
    left -= sizeOf(one);
    if (left < 0) break;
    cached[name] = one;
  }
  return cached;
}

/** Drops the lists that do not fit; a list is stored with all of its pages or not at all. */
function fitting(entry: CatalogEntry): CatalogEntry {
  let left = maxChars - sizeOf({ ...entry, lists: {} });
  const fit = Object.keys(lists).flatMap((method) => {
    const pages = Object.entries(entry.lists).filter(([page]) => methodOf(page) === method);
    const size = sizeOf(pages);
    if (size > left) return [];
    left -= size;
    return pages;
  });
  return { ...entry, lists: Object.fromEntries(fit) };
}

const sizeOf = (cached: object) => JSON.stringify(cached).length;
