// The catalogs of one server: which of them, its caller's identity and what it asks with decide.
import type { Memory } from "../../platform/server-cache.ts";
import type { Message } from "../../wire/message.ts";
import {
  type Entry,
  isEntry,
  isPage,
  isResult,
  isStored,
  type Kept,
  lists,
  memoryKey,
  methodOf,
  type Stored,
} from "./entry.ts";

/** Whose eyes see what a server shows. */
export interface Identity {
  /** Text that differs where the configuration makes another caller of us; it may hold secrets. */
  readonly caller: string;
  /** What the stored sign-in belongs to; undefined where there is none. */
  readonly holder: string | undefined;
}

/** A client, with whose eyes it sees; only hashes of it are kept. */
export interface Viewer {
  readonly text: string;
  readonly holder: string | undefined;
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
  readonly #memory: Memory;
  readonly #identity: () => Identity;
  readonly #now: () => number;

  constructor(memory: Memory, identity: () => Identity, now: () => number) {
    this.#memory = memory;
    this.#identity = identity;
    this.#now = now;
  }

  /** Who asks with this `initialize`, as the configuration and the sign-in stand now. */
  viewerOf(initialize: Message): Viewer {
    // As the client wrote it: what is nested deep can be read, but not written anew.
    const told = ["protocolVersion", "capabilities"].map((name) =>
      initialize.text(["params", name]),
    );
    const { caller, holder } = this.#identity();
    return { text: JSON.stringify([schemaVersion, ...told, caller]), holder };
  }

  /** The answer to initialize. */
  start(viewer: Viewer): Kept | undefined {
    const entry = this.#entry(viewer);
    return entry && { result: entry.initialize, savedAt: entry.savedAt };
  }

  page(viewer: Viewer, page: string): Kept | undefined {
    const kept = this.#entry(viewer)?.lists[page];
    return isPage(kept, methodOf(page)) ? kept : undefined;
  }

  /** The results of a list's pages. */
  pages(viewer: Viewer, method: string): Readonly<Record<string, string>> {
    const kept = Object.entries(this.#entry(viewer)?.lists ?? {});
    const own = kept.filter(([page, one]) => methodOf(page) === method && isPage(one, method));
    return Object.fromEntries(own.map(([page, { result }]) => [page, result]));
  }

  /** Whether it is younger than a week. */
  isFresh({ savedAt }: Kept): boolean {
    const age = this.#now() - savedAt;
    return age >= 0 && age < weekMs;
  }

  /** Keeps an answer to initialize; writes only where that is news, or a day old. */
  saveStart(viewer: Viewer, result: string): void {
    if (!isResult(result, "initialize") || this.#isKnown(this.start(viewer), result)) return;
    const savedAt = this.#now();
    this.#change(viewer, (old) => ({ lists: {}, ...old, initialize: result, savedAt }));
  }

  /** The same for a page of a list. The pages behind one that changed are forgotten: its cursor led to them. */
  savePage(viewer: Viewer, page: string, result: string): void {
    const method = methodOf(page);
    if (!isResult(result, method) || this.#isKnown(this.page(viewer, page), result)) return;
    const kept = { result, savedAt: this.#now() };
    this.#change(viewer, (old) => {
      if (old === undefined) return undefined;
      if (isPage(old.lists[page], method) && old.lists[page].result === result)
        return { ...old, lists: { ...old.lists, [page]: kept } };
      const before = pagesBefore(page, old.lists);
      if (before === undefined) return old;
      const others = Object.entries(old.lists).filter(([one]) => methodOf(one) !== method);
      return { ...old, lists: { ...Object.fromEntries(others), ...before, [page]: kept } };
    });
  }

  #isKnown(old: Kept | undefined, result: string): boolean {
    return old?.result === result && this.#now() - old.savedAt < dayMs;
  }

  #entry(viewer: Viewer): Entry | undefined {
    const stored = this.#memory.get(memoryKey);
    return isStored(stored) ? entryFor(viewer, stored) : undefined;
  }

  /** Changes what is kept for a viewer, here and on disk, where another process may keep more. */
  #change(viewer: Viewer, change: (old: Entry | undefined) => Entry | undefined): void {
    this.#memory.change(memoryKey, (value) => {
      const stored = isStored(value) ? value : { salt: crypto.randomUUID(), entries: {} };
      const { salt, entries } = stored;
      const old = entryFor(viewer, stored);
      // What is said to nobody takes the place of nothing that was said to somebody.
      if (viewer.holder === undefined && old?.holder !== undefined) return value;
      const next = change(old);
      if (next === undefined) return value;
      const key = hash(viewer.text, salt);
      const holder = viewer.holder === undefined ? {} : { holder: hash(viewer.holder, salt) };
      const { [key]: _, ...others } = entries;
      return { salt, entries: bounded({ ...next, ...holder }, key, others) } satisfies Stored;
    });
  }
}

function hash(text: string, salt: string): string {
  return Bun.CryptoHasher.hash("sha256", `${salt}\n${text}`, "hex");
}

/** What is kept for the viewer; a list outlives the sign-in it was got with, but is not shown to another one. */
function entryFor({ text, holder }: Viewer, { salt, entries }: Stored): Entry | undefined {
  const entry = entries[hash(text, salt)];
  if (!isEntry(entry)) return undefined;
  return holder === undefined || entry.holder === hash(holder, salt) ? entry : undefined;
}

/** The pages from the first of a list to the one before `page`; undefined where none of them leads there. */
function pagesBefore(page: string, pages: Entry["lists"]): Record<string, Kept> | undefined {
  const method = methodOf(page);
  const before: Record<string, Kept> = {};
  for (let at = `${method} `; at !== page; ) {
    const kept = pages[at];
    if (!isPage(kept, method) || Object.hasOwn(before, at)) return undefined;
    before[at] = kept;
    at = `${method} ${JSON.stringify(JSON.parse(kept.result).nextCursor)}`;
  }
  return before;
}

/** The entries that may be kept: this one, and of the others the newest that there is room for. */
function bounded(entry: Entry, key: string, others: Stored["entries"]): Record<string, Entry> {
  const isSound = (other: [string, unknown]): other is [string, Entry] => isEntry(other[1]);
  const newest = Object.entries(others)
    .filter(isSound)
    .sort(([, a], [, b]) => b.savedAt - a.savedAt);
  const kept: Record<string, Entry> = {};
  let left = maxChars;
  for (const [name, one] of [[key, fitting(entry)] as const, ...newest].slice(0, maxEntries)) {
    left -= sizeOf(one);
    if (left < 0) break;
    kept[name] = one;
  }
  return kept;
}

/** The entry without the lists that there is no room for; the pages of one belong together. */
function fitting(entry: Entry): Entry {
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
