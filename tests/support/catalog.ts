import { ServerCache } from "../../src/platform/server-cache.ts";
import { CatalogUpstream, usualTimes } from "../../src/upstream/catalog/catalog.ts";
import type { CachedPage } from "../../src/upstream/catalog/entry.ts";
import { CatalogStore } from "../../src/upstream/catalog/store.ts";
import { RequestIds } from "../../src/upstream/core/request-ids.ts";
import type { Deliver, Upstream } from "../../src/upstream/core/types.ts";
import type { BridgeError } from "../../src/wire/errors.ts";
import { errorTo, type Message, responseTo } from "../../src/wire/message.ts";
import { memoryLog, type RelayClient, relayClient } from "./client.ts";

export const url = new URL("https://example.com/mcp");
export const day = 24 * 60 * 60 * 1000;
/** Longer than any test, in milliseconds. */
export const ages = 1e9;
export const codex = { protocolVersion: "2025-06-18", capabilities: { elicitation: {} } };

/** A server whose answers the test chooses and may delay. */
export class Server implements Upstream {
  /** Methods received; those of a later page of a list with its cursor. */
  readonly seen: string[] = [];
  version = "1";
  tools = ["one"];
  /** Awaited before each answer. */
  ready: Promise<void> = Promise.resolve();
  /** Counts messages, of one method or all. */
  failure: BridgeError | undefined;
  failing: string | undefined;
  onResponseHeaders: Deliver | undefined;
  /** A method whose first message is never answered. */
  swallows: string | undefined;
  /** The cursor that every page names in place of its own next one. */
  nextCursor: string | undefined;
  /** A method that the server answers with an error. */
  refuses: string | undefined;

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { method, id } = message.head;
    const cursor = message.value(["params", "cursor"]);
    this.seen.push(cursor === undefined ? method! : `${method} ${cursor}`);
    if (method === this.swallows) {
      this.swallows = undefined;
      return rejected(signal);
    }
    await Promise.race([this.ready, rejected(signal)]);
    const fails = this.failing === undefined || this.failing === method;
    if (this.failure !== undefined && fails) throw this.failure;
    if (id === undefined) return;
    const refusal = errorTo(id, { code: -32000, message: "refused" });
    const isRefused = method === this.refuses;
    await deliver(isRefused ? refusal : responseTo(id, JSON.stringify(this.#result(message))));
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.onResponseHeaders = deliver;
    await rejected(signal).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.seen.push("close");
  }

  #result(message: Message): object {
    const { method } = message.head;
    if (method === "initialize")
      return { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { v: this.version } };
    if (method !== "tools/list") return {};
    const at = Number(message.value(["params", "cursor"]) ?? 0);
    const next = this.nextCursor ?? (at + 1 < this.tools.length ? String(at + 1) : undefined);
    const more = next !== undefined && { nextCursor: next };
    return { tools: [{ name: this.tools[at] }], ...more };
  }
}

function rejected(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}

const never = new Promise<void>(() => undefined);

/** A server that never answers. */
export function silent(): Server {
  const server = new Server();
  server.ready = never;
  return server;
}

export interface Setting {
  readonly cache: ServerCache;
  identity?: string | (() => string);
  owner?: string;
  now?: number | (() => number);
  timeoutMs?: number;
  mayAnswer?: boolean;
  earlyAnswer?: CachedPage;
  times?: Partial<typeof usualTimes>;
}

export interface CatalogClient extends RelayClient {
  readonly catalog: CatalogUpstream;
}

const asFunction = <T>(value: T | (() => T)) =>
  typeof value === "function" ? (value as () => T) : () => value;

/** A client and a server, with the catalog of `memory` between them. */
export function start(server: Upstream, setting: Setting): CatalogClient {
  const { cache, identity = "me", owner, now = 0, timeoutMs = 60_000 } = setting;
  const { mayAnswer = true, earlyAnswer, times } = setting;
  const identityNow = asFunction(identity);
  const store = new CatalogStore(cache, () => ({ caller: identityNow(), owner }), asFunction(now));
  const catalog = new CatalogUpstream({
    next: server,
    store,
    log: memoryLog(),
    name: "kb",
    ids: new RequestIds(),
    timeoutMs,
    mayAnswer,
    earlyAnswer,
    times: { ...usualTimes, ...times },
  });
  return { ...relayClient(catalog), catalog };
}

export const remembering = () => new ServerCache(undefined, url, memoryLog());

export async function shake(client: RelayClient, params: object = codex) {
  client.send({ id: 0, method: "initialize", params });
  const answer = await client.next();
  client.send({ method: "notifications/initialized" });
  return answer;
}

let ids = 1;

/** The names on a page of tools, or the error; skips messages before the answer. */
export async function toolsOf(client: RelayClient, cursor?: string) {
  const id = ids++;
  const params = cursor === undefined ? {} : { params: { cursor } };
  client.send({ id, method: "tools/list", ...params });
  for (;;) {
    const { id: answered, result, error } = await client.next();
    if (answered === id) return error ?? result.tools.map(({ name }: { name: string }) => name);
  }
}

/** Runs once, so that the memory holds every page. */
export async function filled(
  setting: Partial<Setting> = {},
  server = new Server(),
): Promise<ServerCache> {
  const cache = setting.cache ?? remembering();
  const client = start(server, { ...setting, cache });
  await shake(client);
  for (let page = 0; page < server.tools.length; page++)
    await toolsOf(client, page === 0 ? undefined : String(page));
  await client.end();
  return cache;
}

/** Starts while the server is silent. */
export async function keptIn(cache: ServerCache, setting: Partial<Setting> = {}) {
  const client = start(silent(), { ...setting, cache, times: { freshMs: 1, startMs: 1 } });
  client.send({ id: 0, method: "initialize", params: codex });
  const { result } = await client.next();
  return result === undefined ? undefined : await toolsOf(client);
}
