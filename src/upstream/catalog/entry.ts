// The shape of a server's catalog in its cache file. Every value is checked before use: the file may hold anything.
import type { ServerCache } from "../../platform/server-cache.ts";

/** JSON text of a `result` of the server, and when it was saved (ms since the epoch). */
export interface CachedPage {
  readonly result: string;
  readonly savedAt: number;
}

/** The answers that one client got, signed in as one identity. */
export interface CatalogEntry {
  readonly initialize: string;
  readonly savedAt: number;
  /** Hash of the grant's owner; absent for an anonymous caller. */
  readonly owner?: string;
  /** By `pageKey`. */
  readonly lists: Readonly<Record<string, CachedPage>>;
}

export interface CatalogFile {
  /** Salt of all hashes in this file, so that they cannot be compared with those of another file. */
  readonly salt: string;
  /** By the hash of the cache key. */
  readonly entries: Readonly<Record<string, unknown>>;
}

/** Key of the catalog in a server's cache file. */
export const cacheKeyName = "catalog";

/** Lists that are cached: the member with their items, and the notification of a change. */
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

/** The method in a `pageKey`, which has the form "method cursor". */
export const methodOf = (page: string) => page.slice(0, page.indexOf(" "));

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value is a time that Date can represent. */
const isInstant = (value: unknown) => typeof value === "number" && value >= 0 && value <= latestAt;

export function isCatalogFile(value: unknown): value is CatalogFile {
  if (!isRecord(value)) return false;
  const { salt, entries } = value;
  return typeof salt === "string" && isRecord(entries);
}

/** Checks an entry without its pages: each is checked when it is read, so that a start does not parse them all. */
export function isEntry(value: unknown): value is CatalogEntry {
  if (!isRecord(value)) return false;
  const { savedAt, lists: pages, initialize } = value;
  return isInstant(savedAt) && isRecord(pages) && isResult(initialize, "initialize");
}

/** Whether a value is a cached page of the list `method`. */
export function isPage(value: unknown, method: string): value is CachedPage {
  if (!isRecord(value)) return false;
  const { savedAt, result } = value;
  return isInstant(savedAt) && isResult(result, method);
}

/** Whether a text is a result of `method`, on one line: it is written to the client unchanged. */
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
  return isCatalogFile(found) ? Object.values(found.entries).filter(isEntry) : [];
}

function toolPages({ lists: pages }: CatalogEntry): CachedPage[] {
  const own = Object.entries(pages).filter(([page]) => methodOf(page) === "tools/list");
  return own.map(([, page]) => page).filter((page) => isPage(page, "tools/list"));
}

const toolsOn = ({ result }: CachedPage) => (JSON.parse(result) as { tools: unknown[] }).tools;

/** Age and number of tools of a server's newest catalog, for `status`; `tools` is undefined if they were never listed. */
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

/** The results of the newest cached list of tools, page by page; empty if there is none. */
export function newestToolLists(cache: ServerCache): string[] {
  const [newest] = entriesIn(cache).sort((a, b) => b.savedAt - a.savedAt);
  return newest === undefined ? [] : toolPages(newest).map(({ result }) => result);
}

/** Whether a cached list of the server holds a tool of that name. */
export function hasCachedTool(cache: ServerCache, name: string): boolean {
  const tools = entriesIn(cache).flatMap(toolPages).flatMap(toolsOn);
  return tools.some((tool) => (tool as { name?: unknown } | null)?.name === name);
}
