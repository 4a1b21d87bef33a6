import { expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ServerCache } from "../../../src/platform/server-cache.ts";
import { type CallerIdentity, CatalogStore } from "../../../src/upstream/catalog/store.ts";
import { requestOf } from "../../../src/wire/message.ts";
import {
  codex,
  day,
  filled,
  keptIn,
  Server,
  shake,
  silent,
  start,
  toolsOf,
  url,
} from "../../support/catalog.ts";
import { memoryLog } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";

const initialize = (capabilities: object = {}) =>
  requestOf("0", "initialize", JSON.stringify({ ...codex, capabilities }));
const answer = '{"protocolVersion":"2025-06-18"}';
const page = (text: string, nextCursor?: string) =>
  JSON.stringify({ tools: [{ name: text }], nextCursor });
const first = "tools/list ";
const second = 'tools/list "2"';

/** The store of one process. */
function open(
  file: string,
  setting: { identity?: Partial<CallerIdentity>; now?: () => number } = {},
) {
  const cache = new ServerCache(file, url, memoryLog());
  const identity = { caller: "me", owner: undefined, ...setting.identity };
  const store = new CatalogStore(cache, () => identity, setting.now ?? (() => 0));
  return { cache, store, cacheKey: store.cacheKeyOf(initialize()) };
}

test("entries that two processes write, for different clients and for one, are merged", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  const [one, two] = [open(file), open(file)];
  const other = two.store.cacheKeyOf(initialize({ elicitation: {} }));
  // Each has found the file empty, and has salt of its own.
  one.store.saveStart(one.cacheKey, answer);
  two.store.saveStart(other, answer);
  two.store.saveStart(two.cacheKey, answer);
  one.cache.flush();
  two.cache.flush();
  one.store.savePage(one.cacheKey, first, page("a"));
  two.store.savePage(two.cacheKey, "prompts/list ", '{"prompts":[]}');
  two.cache.flush();
  one.cache.flush();
  const { store, cacheKey } = open(file);
  expect(store.start(other)?.result).toBe(answer);
  expect(store.page(cacheKey, first)?.result).toBe(page("a"));
  expect(store.page(cacheKey, "prompts/list ")?.result).toBe('{"prompts":[]}');
});

test("the pages after a changed page are dropped, the pages before it stay", () => {
  using folder = ownFolder();
  const { store, cacheKey } = open(join(folder.path, "kb.json"));
  store.saveStart(cacheKey, answer);
  const third = 'tools/list "3"';
  store.savePage(cacheKey, first, page("a", "2"));
  store.savePage(cacheKey, second, page("b", "3"));
  store.savePage(cacheKey, third, page("c"));
  expect(Object.keys(store.pages(cacheKey, "tools/list"))).toEqual([first, second, third]);
  store.savePage(cacheKey, second, page("B", "3"));
  expect(Object.keys(store.pages(cacheKey, "tools/list"))).toEqual([first, second]);
  store.savePage(cacheKey, first, page("A", "4"));
  expect(store.pages(cacheKey, "tools/list")).toEqual({ [first]: page("A", "4") });
  // No cursor leads there any more.
  store.savePage(cacheKey, second, page("b"));
  expect(store.pages(cacheKey, "tools/list")).toEqual({ [first]: page("A", "4") });
});

test("each page has its own age", () => {
  using folder = ownFolder();
  let now = 0;
  const { store, cacheKey } = open(join(folder.path, "kb.json"), { now: () => now });
  store.saveStart(cacheKey, answer);
  store.savePage(cacheKey, first, page("a"));
  now = 2 * day;
  store.saveStart(cacheKey, answer);
  expect(store.start(cacheKey)?.savedAt).toBe(2 * day);
  expect(store.page(cacheKey, first)?.savedAt).toBe(0);
  store.savePage(cacheKey, first, page("a"));
  expect(store.page(cacheKey, first)?.savedAt).toBe(2 * day);
});

test("an unchanged answer is not written again within a day", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  let now = 0;
  const { cache, store, cacheKey } = open(file, { now: () => now });
  const save = () => {
    store.saveStart(cacheKey, answer);
    store.savePage(cacheKey, first, page("a"));
    cache.flush();
    return statSync(file).ino;
  };
  const written = save();
  now = day - 1;
  expect(save()).toBe(written);
  now = day;
  expect(save()).not.toBe(written);
});

test("beyond four clients or two million characters the oldest entries are dropped first, and tools stay longer than other lists", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  let now = 0;
  const { cache, store } = open(file, { now: () => now });
  const cacheKeys = Array.from({ length: 6 }, (_, n) => store.cacheKeyOf(initialize({ n })));
  const large = page("x".repeat(900_000));
  for (const cacheKey of cacheKeys) {
    now++;
    store.saveStart(cacheKey, answer);
  }
  expect(cacheKeys.map((cacheKey) => store.start(cacheKey)?.savedAt)).toEqual([
    undefined,
    undefined,
    3,
    4,
    5,
    6,
  ]);
  for (const cacheKey of cacheKeys.slice(2)) store.savePage(cacheKey, first, large);
  expect(cacheKeys.map((cacheKey) => store.page(cacheKey, first) !== undefined)).toEqual([
    false,
    false,
    false,
    false,
    true,
    true,
  ]);
  const own = cacheKeys[5]!;
  const prompts = (length: number) => JSON.stringify({ prompts: ["x".repeat(length)] });
  store.savePage(own, "prompts/list ", prompts(900_000));
  expect(store.page(own, "prompts/list ")).toBeDefined();
  store.savePage(own, "prompts/list ", prompts(1_300_000));
  expect(store.page(own, "prompts/list ")).toBeUndefined();
  expect(store.page(own, first)).toBeDefined();
  // A list that has become too large is not served as it was.
  store.savePage(own, first, page("x".repeat(2_200_000)));
  expect(store.page(own, first)).toBeUndefined();
  expect(store.start(own)).toBeDefined();
  cache.flush();
  expect(readFileSync(file).length).toBeLessThan(2_200_000);
});

test("a cached list survives a sign-out, and is not served to another grant's owner", () => {
  using folder = ownFolder();
  const file = join(folder.path, "kb.json");
  const as = (owner: string | undefined) => open(file, { identity: { owner } });
  const { cache, store, cacheKey } = as("mine");
  store.saveStart(cacheKey, answer);
  store.savePage(cacheKey, first, page("a"));
  cache.flush();
  expect(readFileSync(file, "utf8")).not.toContain("mine");
  const seen = ({ store, cacheKey }: ReturnType<typeof as>) => store.page(cacheKey, first)?.result;
  expect(seen(as("mine"))).toBe(page("a"));
  expect(seen(as(undefined))).toBe(page("a"));
  const nobody = as(undefined);
  nobody.store.savePage(nobody.cacheKey, first, page("anybody's"));
  expect(seen(nobody)).toBe(page("a"));
  const other = as("another's");
  expect(seen(other)).toBeUndefined();
  other.store.saveStart(other.cacheKey, answer);
  expect(seen(other)).toBeUndefined();
});

test("a second handshake forgets the lists of the first one", async () => {
  const cache = await filled();
  const client = start(new Server(), { cache });
  await shake(client);
  const params = { ...codex, capabilities: {} };
  await shake(client, params);
  await client.end();
  const later = start(silent(), { cache, times: { startMs: 1, freshMs: 1 } });
  await shake(later, params);
  expect((await toolsOf(later)).data.kind).toBe("timeout");
});

test.each<[string, (entry: Record<string, unknown>) => object]>([
  ["a line break", (entry) => ({ ...entry, initialize: '{\n"protocolVersion":"2025-06-18"}' })],
  ["no revision", (entry) => ({ ...entry, initialize: "{}" })],
  ["no JSON", (entry) => ({ ...entry, initialize: "{" })],
  ["no such time", (entry) => ({ ...entry, savedAt: 1e300 })],
  ["no lists", (entry) => ({ ...entry, lists: [] })],
])("an entry with %s is not served", async (_, damage) => {
  expect(await keptIn(await damaged(damage))).toBeUndefined();
});

test.each<[string, object | string]>([
  ["a line break", { result: '{"tools":\n[]}', savedAt: 0 }],
  ["no tools", { result: "{}", savedAt: 0 }],
  ["tools that are no list", { result: '{"tools":1}', savedAt: 0 }],
  ["no such time", { result: '{"tools":[]}', savedAt: -1 }],
  ["nothing", "tools"],
])("a page with %s is not served, and the server is waited for", async (_, kept) => {
  const cache = await damaged((entry) => ({ ...entry, lists: { [first]: kept } }));
  expect((await keptIn(cache)).data.kind).toBe("timeout");
});

/** A filled memory whose one entry was damaged. */
async function damaged(damage: (entry: Record<string, unknown>) => object): Promise<ServerCache> {
  const cache = await filled();
  cache.change("catalog", (old) => {
    const { salt, entries } = old as { salt: string; entries: object };
    const sick = Object.entries(entries).map(([key, entry]) => [key, damage(entry)]);
    return { salt, entries: Object.fromEntries(sick) };
  });
  return cache;
}
