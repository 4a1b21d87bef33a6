// What a server said last of itself: its answer to initialize and its lists, kept between runs.
import type { Memory } from "../host/memory.ts";
import type { Message } from "../wire/message.ts";

/** What one client, signed in as one identity, was told. Every text is the JSON of a `result`. */
export interface Catalog {
  readonly initialize: string;
  /** By `pageKey`. */
  readonly lists: Readonly<Record<string, string>>;
  readonly savedAt: number;
}

interface Stored {
  /** Key of the hashes below: what they are of cannot be guessed from one file with the help of another. */
  readonly salt: string;
  readonly entries: Readonly<Record<string, Catalog>>;
}

const memoryKey = "catalog";
/** Changes when the meaning of an entry changes. */
const schemaVersion = 1;
/** Clients that differ in revision or capabilities, and identities: more than these are forgotten, the oldest first. */
const maxEntries = 4;
const maxEntryChars = 8 * 1024 * 1024;
const weekMs = 7 * 24 * 60 * 60 * 1000;
const dayMs = 24 * 60 * 60 * 1000;

/** Lists that are kept; what is announced when one changed. */
export const lists: Readonly<Record<string, string>> = {
  "tools/list": "notifications/tools/list_changed",
  "prompts/list": "notifications/prompts/list_changed",
  "resources/list": "notifications/resources/list_changed",
  "resources/templates/list": "notifications/resources/list_changed",
};

/** Names one page of a list: its method and the cursor that leads to it. */
export function pageKey(request: Message): string {
  return `${request.head.method} ${request.text(["params", "cursor"]) ?? ""}`;
}

/** The catalogs of one server; which one, its caller's identity and what it asks with decide. */
export class CatalogStore {
  readonly #memory: Memory;
  readonly #identity: () => string;
  readonly #now: () => number;

  /** `identity`: whose eyes see the lists (catalog-identity); it never leaves here but as a keyed hash. */
  constructor(memory: Memory, identity: () => string, now: () => number) {
    this.#memory = memory;
    this.#identity = identity;
    this.#now = now;
  }

  /** Names the catalog that answers to this `initialize`. */
  keyOf(initialize: Message): string {
    // As the client wrote it: what is nested deep can be read, but not written anew.
    const told = ["protocolVersion", "capabilities"].map((name) =>
      initialize.text(["params", name]),
    );
    const whole = JSON.stringify([schemaVersion, ...told, this.#identity()]);
    return new Bun.CryptoHasher("sha256", this.#stored().salt).update(whole).digest("hex");
  }

  /** What is kept under `key`; `isFresh` false where it is older than a week. */
  read(key: string): { catalog: Catalog; isFresh: boolean } | undefined {
    const catalog = this.#stored().entries[key];
    if (catalog === undefined) return undefined;
    const age = this.#now() - catalog.savedAt;
    return { catalog, isFresh: age >= 0 && age < weekMs };
  }

  /** Keeps what the server says now; writes only where that is news, or nearly a day old. */
  save(key: string, said: Omit<Catalog, "savedAt">): void {
    const { salt, entries } = this.#stored();
    const old = entries[key];
    const savedAt = this.#now();
    const isKnown = old !== undefined && JSON.stringify(old) === asText(said, old.savedAt);
    if (isKnown && savedAt - old.savedAt < dayMs) return;
    if (asText(said, savedAt).length > maxEntryChars) return;
    const all = Object.entries({ ...entries, [key]: { ...said, savedAt } })
      .sort(([, a], [, b]) => b.savedAt - a.savedAt)
      .slice(0, maxEntries);
    this.#memory.set(memoryKey, { salt, entries: Object.fromEntries(all) } satisfies Stored);
  }

  #stored(): Stored {
    const found = this.#memory.get(memoryKey);
    if (isStored(found)) return found;
    const fresh: Stored = { salt: crypto.randomUUID(), entries: {} };
    this.#memory.set(memoryKey, fresh);
    return fresh;
  }
}

/** Forgets every catalog of a server; the returned function puts them back where no newer one came. */
export function forgetCatalog(memory: Memory): (memory: Memory) => void {
  const kept = memory.get(memoryKey);
  if (kept === undefined) return () => undefined;
  memory.set(memoryKey, undefined);
  memory.flush();
  return (later) => {
    const found = later.get(memoryKey);
    if (isStored(found) && Object.keys(found.entries).length > 0) return;
    later.set(memoryKey, kept);
    later.flush();
  };
}

/** What `status` tells of the newest catalog of a server; `tools` undefined where they were never listed. */
export function newestCatalog(
  memory: Memory,
): { readonly savedAt: number; readonly tools: number | undefined } | undefined {
  const found = memory.get(memoryKey);
  const entries = isStored(found) ? Object.values(found.entries) : [];
  const [newest] = entries.sort((a, b) => b.savedAt - a.savedAt);
  if (newest === undefined) return undefined;
  const pages = Object.entries(newest.lists).filter(([page]) => page.startsWith("tools/list "));
  const counts = pages.map(([, result]) => {
    const { tools } = JSON.parse(result) as { tools?: unknown };
    return Array.isArray(tools) ? tools.length : 0;
  });
  const tools = counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count);
  return { savedAt: newest.savedAt, tools };
}

/** Whether any kept list of the server's holds a tool of that name. */
export function keepsTool(memory: Memory, name: string): boolean {
  const found = memory.get(memoryKey);
  const entries = isStored(found) ? Object.values(found.entries) : [];
  return entries.some((entry) =>
    Object.entries(entry.lists).some(([page, result]) => {
      if (!page.startsWith("tools/list ")) return false;
      const { tools } = JSON.parse(result) as { tools?: unknown };
      return (
        Array.isArray(tools) && tools.some((tool: { name?: unknown } | null) => tool?.name === name)
      );
    }),
  );
}

function asText({ initialize, lists: pages }: Omit<Catalog, "savedAt">, savedAt: number): string {
  return JSON.stringify({ initialize, lists: pages, savedAt } satisfies Catalog);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The file may say anything. */
function isStored(value: unknown): value is Stored {
  if (!isRecord(value)) return false;
  const { salt, entries } = value;
  return typeof salt === "string" && isRecord(entries) && Object.values(entries).every(isCatalog);
}

function isCatalog(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { savedAt, lists, initialize } = value;
  return (
    typeof savedAt === "number" &&
    isRecord(lists) &&
    [initialize, ...Object.values(lists)].every(isResult)
  );
}

function isResult(text: unknown): boolean {
  if (typeof text !== "string") return false;
  try {
    return isRecord(JSON.parse(text));
  } catch {
    return false;
  }
}
