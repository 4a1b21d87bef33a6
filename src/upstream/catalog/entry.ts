// What is kept of one server in its cache file, judged before it is believed: the file may say anything.
import type { ServerCache } from "../../platform/server-cache.ts";

/** A text that the server said, the JSON of a `result`, and when. */
export interface CachedPage {
  readonly result: string;
  readonly savedAt: number;
}

/** What one client, signed in as one identity, was told. */
export interface CatalogEntry {
  readonly initialize: string;
  readonly savedAt: number;
  /** Hash of what the sign-in belonged to; absent where there was none. */
  readonly owner?: string;
  /** By `pageKey`. */
  readonly lists: Readonly<Record<string, CachedPage>>;
}

export interface CatalogFile {
  /** Stands before what is hashed: what that is cannot be guessed from one file with the help of another. */
  readonly salt: string;
  /** By the hash of who asked, and what with. */
  readonly entries: Readonly<Record<string, unknown>>;
}

/** The name of all catalogs of a server in its memory. */
export const cacheKeyName = "catalog";

/** Lists that are kept: where their items stand, and what is announced when they changed. */
export const lists: Readonly<Record<string, { readonly items: string; readonly changed: string }>> =
  {
    "tools/list": { items: "tools", changed: "notifications/tools/list_changed" },
    "prompts/list": { items: "prompts", changed: "notifications/prompts/list_changed" },
    "resources/list": { items: "resources", changed: "notifications/resources/list_changed" },
    "resources/templates/list": {
      items: "resourceTemplates",
      changed: "notifications/resources/list_changed",
    },
  };

const latestAt = 8_640_000_000_000_000;

/** The method of a list's page; its cursor stands behind a space. */
export const methodOf = (page: string) => page.slice(0, page.indexOf(" "));

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a number is one that Date can show. */
const isInstant = (value: unknown) => typeof value === "number" && value >= 0 && value <= latestAt;

export function isStored(value: unknown): value is CatalogFile {
  if (!isRecord(value)) return false;
  const { salt, entries } = value;
  return typeof salt === "string" && isRecord(entries);
}

/** Its pages are judged one by one, when they are asked for: a start must not parse all that is kept. */
export function isEntry(value: unknown): value is CatalogEntry {
  if (!isRecord(value)) return false;
  const { savedAt, lists: pages, initialize } = value;
  return isInstant(savedAt) && isRecord(pages) && isResult(initialize, "initialize");
}

/** Whether a value is a page that may be served to a request of that method. */
export function isPage(value: unknown, method: string): value is CachedPage {
  if (!isRecord(value)) return false;
  const { savedAt, result } = value;
  return isInstant(savedAt) && isResult(result, method);
}

/** Whether a text may be the result of that method: it goes out on one line, as it stands. */
export function isResult(text: unknown, method: string): text is string {
  if (typeof text !== "string" || text.includes("\n") || text.includes("\r")) return false;
  try {
    const result: unknown = JSON.parse(text);
    if (!isRecord(result)) return false;
    const { protocolVersion } = result;
    if (method === "initialize") return typeof protocolVersion === "string";
    return Array.isArray(result[lists[method]?.items ?? ""]);
  } catch {
    return false;
  }
}

function entriesIn(cache: ServerCache): CatalogEntry[] {
  const found = cache.get(cacheKeyName);
  return isStored(found) ? Object.values(found.entries).filter(isEntry) : [];
}

function toolPages({ lists: pages }: CatalogEntry): CachedPage[] {
  const own = Object.entries(pages).filter(([page]) => methodOf(page) === "tools/list");
  return own.map(([, kept]) => kept).filter((kept) => isPage(kept, "tools/list"));
}

const toolsOn = ({ result }: CachedPage) => (JSON.parse(result) as { tools: unknown[] }).tools;

/** What `status` tells of the newest catalog of a server; `tools` undefined where they were never listed. */
export function newestCatalog(
  cache: ServerCache,
): { readonly savedAt: number; readonly tools: number | undefined } | undefined {
  const [newest] = entriesIn(cache).sort((a, b) => b.savedAt - a.savedAt);
  if (newest === undefined) return undefined;
  const pages = toolPages(newest);
  if (pages.length === 0) return { savedAt: newest.savedAt, tools: undefined };
  const tools = pages.reduce((sum, page) => sum + toolsOn(page).length, 0);
  return { savedAt: Math.min(...pages.map(({ savedAt }) => savedAt)), tools };
}

/** Whether any kept list of the server's holds a tool of that name. */
export function keepsTool(cache: ServerCache, name: string): boolean {
  const tools = entriesIn(cache).flatMap(toolPages).flatMap(toolsOn);
  return tools.some((tool) => (tool as { name?: unknown } | null)?.name === name);
}
