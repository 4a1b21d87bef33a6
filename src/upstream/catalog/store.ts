// The catalogs of one server: which of them, its caller's identity and what it asks with decide.
import type { ServerCache } from "../../platform/server-cache.ts";
import type { Message } from "../../wire/message.ts";
import {
  type CachedPage,
  type CatalogEntry,
  type CatalogFile,
  cacheKeyName,
  isEntry,
  isPage,
  isResult,
  isStored,
  lists,
  methodOf,
} from "./entry.ts";

/** Whose eyes see what a server shows. */
export interface Identity {
  /** Text that differs where the configuration makes another caller of us; it may hold secrets. */
  readonly caller: string;
  /** What the stored sign-in belongs to; undefined where there is none. */
  readonly owner: string | undefined;
}

/** A client, with whose eyes it sees; only hashes of it are kept. */
export interface CacheKey {
  readonly text: string;
  readonly owner: string | undefined;
}

/** Changes when the meaning of an entry changes. */
const schemaVersion = 2;
/** Clients that differ in revision or capabilities, and identities: more than these are forgotten, the oldest first. */
const maxEntries = 4;
/** What is kept of a server in all: a start reads it before anything else, 4 ms for 1 MB. */
const maxChars = 2 * 1024 * 1024;
const weekMs = 7 * 24 * 60 * 60 * 1000;
const dayMs = 24 * 60 * 60 * 1000;

/** Names one page of a list: its method and the cursor that leads to it, as JSON. */
export function pageKey(request: Message): string {
  const cursor = request.value(["params", "cursor"]);
  const text = typeof cursor === "string" ? JSON.stringify(cursor) : undefined;
  return `${request.head.method} ${text ?? request.text(["params", "cursor"]) ?? ""}`;
}

export class CatalogStore {
  readonly #cache: ServerCache;
  readonly #identity: () => Identity;
  readonly #now: () => number;

  constructor(cache: ServerCache, identity: () => Identity, now: () => number) {
    this.#cache = cache;
    this.#identity = identity;
    this.#now = now;
  }

  /** Who asks with this `initialize`, as the configuration and the sign-in stand now. */
  cacheKeyOf(initialize: Message): CacheKey {
    // As the client wrote it: what is nested deep can be read, but not written anew.
    const told = ["protocolVersion", "capabilities"].map((name) =>
      initialize.text(["params", name]),
    );
    const { caller, owner } = this.#identity();
    return { text: JSON.stringify([schemaVersion, ...told, caller]), owner };
  }

  /** The answer to initialize. */
  start(cacheKey: CacheKey): CachedPage | undefined {
    const entry = this.#entry(cacheKey);
    return entry && { result: entry.initialize, savedAt: entry.savedAt };
  }

  page(cacheKey: CacheKey, page: string): CachedPage | undefined {
    const kept = this.#entry(cacheKey)?.lists[page];
    return isPage(kept, methodOf(page)) ? kept : undefined;
  }

  /** The results of a list's pages. */
  pages(cacheKey: CacheKey, method: string): Readonly<Record<string, string>> {
    const kept = Object.entries(this.#entry(cacheKey)?.lists ?? {});
    const own = kept.filter(([page, one]) => methodOf(page) === method && isPage(one, method));
    return Object.fromEntries(own.map(([page, { result }]) => [page, result]));
  }

  /** Whether it is younger than a week. */
  isFresh({ savedAt }: CachedPage): boolean {
    const age = this.#now() - savedAt;
    return age >= 0 && age < weekMs;
  }

  /** Keeps an answer to initialize; writes only where that is news, or a day old. */
  saveStart(cacheKey: CacheKey, result: string): void {
    if (!isResult(result, "initialize") || this.#isKnown(this.start(cacheKey), result)) return;
    const savedAt = this.#now();
    this.#change(cacheKey, (old) => ({ lists: {}, ...old, initialize: result, savedAt }));
  }

  /** The same for a page of a list. The pages behind one that changed are forgotten: its cursor led to them. */
  savePage(cacheKey: CacheKey, page: string, result: string): void {
    const method = methodOf(page);
    if (!isResult(result, method) || this.#isKnown(this.page(cacheKey, page), result)) return;
    const kept = { result, savedAt: this.#now() };
    this.#change(cacheKey, (old) => {
      if (old === undefined) return undefined;
      if (isPage(old.lists[page], method) && old.lists[page].result === result)
        return { ...old, lists: { ...old.lists, [page]: kept } };
      const before = pagesBefore(page, old.lists);
      if (before === undefined) return old;
      const others = Object.entries(old.lists).filter(([one]) => methodOf(one) !== method);
      return { ...old, lists: { ...Object.fromEntries(others), ...before, [page]: kept } };
    });
  }

  #isKnown(old: CachedPage | undefined, result: string): boolean {
    return old?.result === result && this.#now() - old.savedAt < dayMs;
  }

  #entry(cacheKey: CacheKey): CatalogEntry | undefined {
    const stored = this.#cache.get(cacheKeyName);
    return isStored(stored) ? entryFor(cacheKey, stored) : undefined;
  }

  /** Changes what is kept for a viewer, here and on disk, where another process may keep more. */
  #change(
    cacheKey: CacheKey,
    change: (old: CatalogEntry | undefined) => CatalogEntry | undefined,
  ): void {
    this.#cache.change(cacheKeyName, (value) => {
      const stored = isStored(value) ? value : { salt: crypto.randomUUID(), entries: {} };
      const { salt, entries } = stored;
      const old = entryFor(cacheKey, stored);
      // What is said to nobody takes the place of nothing that was said to somebody.
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

/** What is kept for the viewer; a list outlives the sign-in it was got with, but is not shown to another one. */
function entryFor(
  { text, owner }: CacheKey,
  { salt, entries }: CatalogFile,
): CatalogEntry | undefined {
  const entry = entries[hash(text, salt)];
  if (!isEntry(entry)) return undefined;
  return owner === undefined || entry.owner === hash(owner, salt) ? entry : undefined;
}

/** The pages from the first of a list to the one before `page`; undefined where none of them leads there. */
function pagesBefore(
  page: string,
  pages: CatalogEntry["lists"],
): Record<string, CachedPage> | undefined {
  const method = methodOf(page);
  const before: Record<string, CachedPage> = {};
  for (let at = `${method} `; at !== page; ) {
    const kept = pages[at];
    if (!isPage(kept, method) || Object.hasOwn(before, at)) return undefined;
    before[at] = kept;
    at = `${method} ${JSON.stringify(JSON.parse(kept.result).nextCursor)}`;
  }
  return before;
}

/** The entries that may be kept: this one, and of the others the newest that there is room for. */
function bounded(
  entry: CatalogEntry,
  key: string,
  others: CatalogFile["entries"],
): Record<string, CatalogEntry> {
  const isSound = (other: [string, unknown]): other is [string, CatalogEntry] => isEntry(other[1]);
  const newest = Object.entries(others)
    .filter(isSound)
    .sort(([, a], [, b]) => b.savedAt - a.savedAt);
  const kept: Record<string, CatalogEntry> = {};
  let left = maxChars;
  for (const [name, one] of [[key, fitting(entry)] as const, ...newest].slice(0, maxEntries)) {
    left -= sizeOf(one);
    if (left < 0) break;
    kept[name] = one;
  }
  return kept;
}

/** The entry without the lists that there is no room for; the pages of one belong together. */
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

const sizeOf = (kept: object) => JSON.stringify(kept).length;
