import { expect, test } from "bun:test";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { chainClient } from "../../support/whole-chain.ts";

interface Body {
  readonly id?: number | string;
  readonly method: string;
}

/** A server by its answers to the methods it knows; what came is kept. */
function serveMethods(answers: Record<string, (body: Body) => Response>) {
  const seen: string[] = [];
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") {
      seen.push(request.method);
      return new Response("no", { status: 405 });
    }
    const body = (await request.json()) as Body;
    seen.push(body.method);
    if (body.id === undefined) return new Response(null, { status: 202 });
    return answers[body.method]?.(body) ?? jsonRpc({ id: body.id, result: {} });
  });
  return { url, seen };
}

const initialize = ({ id }: Body) =>
  jsonRpc({ id, result: { protocolVersion: "2025-06-18", capabilities: {} } });
const discover =
  (supportedVersions: readonly string[]) =>
  ({ id }: Body) =>
    jsonRpc({ id, result: { supportedVersions, capabilities: {} } });
const fails =
  (code: number, status: number, data?: object) =>
  ({ id }: Body) =>
    jsonRpc({ id, error: { code, message: "m", ...(data && { data }) } }, status);

const modern = "2026-07-28";

test.each<[string, (body: Body) => Response]>([
  ["400 without a session", () => new Response("Bad Request", { status: 400 })],
  ["404", () => new Response("no", { status: 404 })],
  ["an unknown method", fails(-32601, 200)],
  ["an unknown method on 404", fails(-32601, 404)],
  ["403", () => new Response("no", { status: 403 })],
  ["500", () => new Response("broken", { status: 500 })],
  ["an empty result", ({ id }) => jsonRpc({ id, result: {} })],
  ["202 and nothing", () => new Response(null, { status: 202 })],
  ["a page", () => new Response("<p>", { headers: { "content-type": "text/html" } })],
  ["only older revisions", discover(["2025-06-18"])],
  ["both eras", discover([modern, "2025-11-25"])],
  ["an unsupported revision, only older ones", fails(-32022, 400, { supported: ["2025-06-18"] })],
])("a server that answers the probe with %s gets the client's own initialize", async (_, probe) => {
  const { url, seen } = serveMethods({ "server/discover": probe, initialize });
  const client = chainClient(url);
  expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
  expect(seen.slice(0, 2)).toEqual(["server/discover", "initialize"]);
  expect(client.cache.get("transport")).toBe("streamable-http");
});

test.each<[string, (body: Body) => Response, number]>([
  ["the modern revision", discover([modern]), 1],
  ["unsupported, but the modern revision is", fails(-32022, 400, { supported: [modern] }), 2],
])("a server that answers the probe with %s is a modern one", async (_, probe, probes) => {
  const { url, seen } = serveMethods({ "server/discover": probe });
  const client = chainClient(url);
  await client.start();
  expect(seen).toEqual(Array(probes).fill("server/discover"));
});

test.each([-32020, -32021])(
  "a modern error %d to the probe is the answer to initialize",
  async (code) => {
    const { url, seen } = serveMethods({ "server/discover": fails(code, 400) });
    const client = chainClient(url);
    expect((await client.start()).error.code).toBe(code);
    expect(seen).toEqual(["server/discover"]);
    expect(client.cache.get("transport")).toBeUndefined();
  },
);

test("the probe is made once, however much a call would be repeated", async () => {
  const down = () => new Response("down", { status: 503 });
  const { url, seen } = serveMethods({ "server/discover": down, initialize });
  const client = chainClient(url, { retry: { attempts: 3 } });
  await client.start();
  expect(seen.slice(0, 2)).toEqual(["server/discover", "initialize"]);
});

const json = { "content-type": "application/json" };

test.each<[string, () => Response, object]>([
  ["503", () => new Response("warming up", { status: 503, headers: { "retry-after": "0" } }), {}],
  ["429", () => new Response("slow down", { status: 429 }), {}],
  ["an answer cut short", () => new Response("{", { headers: json, status: 502 }), {}],
  [
    "503, though remembered",
    () => new Response("down", { status: 503 }),
    { remembered: "stateless-http" },
  ],
])(
  "a modern server whose first answers to the probe are %s is asked again when it knows no initialize",
  async (_, failure, remembered) => {
    let failures = 2;
    const { url, seen } = serveMethods({
      "server/discover": (body) => (failures-- > 0 ? failure() : discover([modern])(body)),
      initialize: fails(-32601, 404),
    });
    const client = chainClient(url, { ...remembered, retry: { attempts: 3 } });
    expect((await client.start()).result.serverInfo).toEqual({ name: "kb", version: "unknown" });
    const probe = "server/discover";
    expect(seen).toEqual([probe, "initialize", probe, probe]);
    expect(client.cache.get("transport")).toBe("stateless-http");
  },
);

test("a server that knows neither initialize nor the probe is told by its own words", async () => {
  const { url } = serveMethods({
    "server/discover": () => new Response("no", { status: 400 }),
    initialize: fails(-32601, 404),
  });
  expect((await chainClient(url).start()).error).toEqual({ code: -32601, message: "m" });
});

test("a remembered server of the legacy era costs no probe", async () => {
  const { url, seen } = serveMethods({ initialize });
  const client = chainClient(url, { remembered: "streamable-http" });
  await client.start();
  expect(seen[0]).toBe("initialize");
});

test("a remembered server that has become modern is found out by its refusal", async () => {
  const { url, seen } = serveMethods({
    initialize: fails(-32022, 400, { supported: [modern] }),
    "server/discover": discover([modern]),
  });
  const client = chainClient(url, { remembered: "streamable-http" });
  expect((await client.start()).result.serverInfo).toEqual({ name: "kb", version: "unknown" });
  expect(seen.slice(0, 2)).toEqual(["initialize", "server/discover"]);
  expect(client.cache.get("transport")).toBe("stateless-http");
});

test("a refusal that looks modern, by a server that is not, reaches the client", async () => {
  const { url } = serveMethods({
    initialize: fails(-32020, 400),
    "server/discover": fails(-32601, 200),
  });
  const client = chainClient(url, { remembered: "streamable-http" });
  expect((await client.start()).error.code).toBe(-32020);
});

test.each(["stateless-http", "sse"])(
  "a remembered %s server that has become a legacy one is found out",
  async (remembered) => {
    const { url } = serveMethods({ "server/discover": fails(-32601, 200), initialize });
    const client = chainClient(url, { remembered });
    expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
    expect(client.cache.get("transport")).toBe("streamable-http");
  },
);

test("a server that does neither transport is told by its answer to initialize", async () => {
  const { url, seen } = serveMethods({
    "server/discover": () => new Response("no", { status: 404 }),
    initialize: () => new Response("no", { status: 404 }),
  });
  const client = chainClient(url);
  expect((await client.start()).error.code).toBe(1404);
  expect(seen.slice(0, 3)).toEqual(["server/discover", "initialize", "GET"]);
});

test("with transport http nothing but POST is tried", async () => {
  const { url, seen } = serveMethods({
    "server/discover": () => new Response("no", { status: 405 }),
    initialize: () => new Response("no", { status: 405 }),
  });
  const client = chainClient(url, { transport: "http" });
  expect((await client.start()).error.code).toBe(1500);
  expect(seen).not.toContain("GET");
});

test("what is sent behind an initialize that fails gets an error too, and another initialize may do better", async () => {
  let isBroken = true;
  const broken = () => new Response("down", { status: 500 });
  const { url } = serveMethods({
    "server/discover": broken,
    initialize: (body) => (isBroken ? broken() : initialize(body)),
  });
  const client = chainClient(url);
  client.send({ id: "i", method: "initialize", params: {} });
  client.send({ id: "t", method: "tools/list" });
  const came = [await client.next(), await client.next()];
  expect(came.map(({ id, error }) => [id, error.code]).sort()).toEqual([
    ["i", 1500],
    ["t", 1500],
  ]);
  isBroken = false;
  expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
  expect((await client.call("tools/list")).at(-1).result).toEqual({});
});

test("a client that probes first and then initializes is served in its second way", async () => {
  const { url, seen } = serveMethods({ "server/discover": fails(-32601, 404), initialize });
  const client = chainClient(url, { remembered: "streamable-http" });
  const _meta = { "io.modelcontextprotocol/protocolVersion": modern };
  expect((await client.call("server/discover", { _meta })).at(-1).error.code).toBe(-32601);
  expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
  await client.call("tools/list");
  expect(seen).toContain("notifications/initialized");
});

test("what comes behind an initialize that failed is told why at once, and another initialize works", async () => {
  let isUp = false;
  const { url } = serveMethods({
    "server/discover": fails(-32601, 404),
    initialize: (body) => (isUp ? initialize(body) : new Response("no", { status: 418 })),
    ping: ({ id }) => jsonRpc({ id, result: { pong: true } }),
  });
  const client = chainClient(url);
  expect((await client.start()).error.data.kind).toBe("server-error");
  client.send({ id: "behind", method: "ping" });
  expect((await client.next()).error.data.kind).toBe("server-error");
  isUp = true;
  expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
  client.send({ id: "then", method: "ping" });
  expect((await client.next()).result).toEqual({ pong: true });
});

test.each<[string, (body: Body) => Response]>([
  ["an unknown method", fails(-32601, 404)],
  ["404", () => new Response("no", { status: 404 })],
  ["400", () => new Response("no", { status: 400 })],
])(
  "a remembered server that has become modern and refuses initialize with %s is asked",
  async (_, refusal) => {
    const { url } = serveMethods({ initialize: refusal, "server/discover": discover([modern]) });
    for (const transport of ["auto", "http"] as const) {
      const client = chainClient(url, { remembered: "streamable-http", transport });
      expect((await client.start()).result?.serverInfo).toEqual({ name: "kb", version: "unknown" });
      expect(client.cache.get("transport")).toBe("stateless-http");
    }
  },
);
