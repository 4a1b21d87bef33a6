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

const unsupported =
  (code: number) =>
  ({ id }: Body) =>
    jsonRpc({ id, error: { code, message: "Unsupported protocol version" } });

const stateless = "2026-07-28";

const refused = fails(-32601, 404);
const older = ["2025-06-18"];

test("a client that initializes is answered by the server's own initialize, which costs one request", async () => {
  const { url, seen } = serveMethods({ "server/discover": discover([stateless]), initialize });
  const client = chainClient(url);
  expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
  await client.call("tools/list");
  expect(seen.filter((method) => method !== "GET")).toEqual([
    "initialize",
    "notifications/initialized",
    "tools/list",
  ]);
  expect(client.cache.get("transport")).toBe("streamable-http");
});

test.each<[string, (body: Body) => Response]>([
  ["400", () => new Response("Bad Request", { status: 400 })],
  ["404", () => new Response("no", { status: 404 })],
  ["405", () => new Response("no", { status: 405 })],
  ["an unknown method", fails(-32601, 200)],
  ["an unknown method on 404", refused],
  ["an unsupported revision", fails(-32022, 400, { supported: [stateless] })],
  ["invalid parameters", fails(-32602, 200, { supported: [stateless] })],
  ["an unsupported revision under a code of drafts", unsupported(-32004)],
  ["an unsupported revision under a code of SDKs", unsupported(-32000)],
])(
  "a server that refuses initialize with %s is served by the stateless protocol where it speaks that, and so at once the next time",
  async (_, refusal) => {
    for (const versions of [[stateless], [stateless, "2025-11-25"]]) {
      const answers = { "server/discover": discover(versions), initialize: refusal };
      const { url, seen } = serveMethods(answers);
      const client = chainClient(url);
      expect((await client.start()).result?.serverInfo).toEqual({ name: "kb", version: "unknown" });
      expect(seen).toEqual(["initialize", "server/discover"]);
      expect(client.cache.get("transport")).toBe("stateless-http");
    }
    const { url, seen } = serveMethods({ "server/discover": discover([stateless]) });
    const again = chainClient(url, { remembered: "stateless-http" });
    expect((await again.start()).result?.serverInfo).toEqual({ name: "kb", version: "unknown" });
    expect(seen).toEqual(["server/discover"]);
  },
);

test.each<[string, (body: Body) => Response]>([
  ["500", () => new Response("broken", { status: 500 })],
  ["502", () => new Response("broken", { status: 502 })],
  ["500 and an unknown method", fails(-32601, 500)],
  ["501 and an unknown method", fails(-32601, 501)],
  ["503 and an invalid request", fails(-32600, 503)],
  ["500 and a code of the stateless protocol", fails(-32022, 500, { supported: [stateless] })],
  ["an internal error", fails(-32603, 200)],
  ["an error of its own", fails(-32000, 200)],
])(
  "a server that fails at initialize with %s is not asked by another protocol",
  async (_, failure) => {
    const { url, seen } = serveMethods({
      "server/discover": discover([stateless]),
      initialize: failure,
    });
    const client = chainClient(url, { retry: { attempts: 1 } });
    expect((await client.start()).error).toBeDefined();
    expect(seen.filter((method) => method !== "GET")).toEqual(["initialize"]);
  },
);

test.each([500, 501, 503])(
  "the server's own error with %d to initialize reaches the client as it is",
  async (status) => {
    const { url } = serveMethods({ initialize: fails(-32601, status) });
    const client = chainClient(url, { retry: { attempts: 1 } });
    expect((await client.start()).error).toEqual({ code: -32601, message: "m" });
  },
);

test("a server that never answers initialize is not asked by another protocol", async () => {
  const seen: string[] = [];
  const url = serveHttp(async (request) => {
    seen.push(((await request.json()) as Body).method);
    return new Promise<Response>(() => undefined);
  });
  expect((await chainClient(url, { timeoutMs: 50 }).start()).error.data.kind).toBe("timeout");
  expect(seen).not.toContain("server/discover");
});

test.each([
  ["session", refused, ["initialize"]],
  ["stateless", initialize, ["server/discover"]],
] as const)('with "protocol": "%s" nothing else is tried', async (protocol, answer, expected) => {
  const answers = { "server/discover": discover([stateless]), initialize: answer };
  const { url, seen } = serveMethods(answers);
  const { result, error } = await chainClient(url, { protocol }).start();
  expect(seen).toEqual([...expected]);
  if (protocol === "session") expect(error.code).toBe(-32601);
  else expect(result.serverInfo).toEqual({ name: "kb", version: "unknown" });
});

test('with "protocol": "stateless" a server that does not speak it is told as that', async () => {
  const { url } = serveMethods({ "server/discover": refused, initialize });
  const { error } = await chainClient(url, { protocol: "stateless" }).start();
  expect(error.data.kind).toBe("bad-answer");
  expect(error.message).toContain("server/discover");
});

test("a remembered stateless transport is ignored if the protocol is set to session", async () => {
  const { url, seen } = serveMethods({ "server/discover": discover([stateless]), initialize });
  await chainClient(url, { protocol: "session", remembered: "stateless-http" }).start();
  expect(seen[0]).toBe("initialize");
});

/** Takes `newest` and older revisions alone. */
const upTo =
  (newest: string, refusal: (body: Body) => Response) =>
  (body: Body & { readonly params?: { readonly protocolVersion: string } }) =>
    body.params!.protocolVersion > newest ? refusal(body) : initialize(body);

test.each<[string, (body: Body) => Response]>([
  ["400", () => new Response("unsupported protocol version", { status: 400 })],
  ["422", () => new Response("unsupported", { status: 422 })],
  ["invalid parameters", fails(-32602, 200, { supported: older })],
  ["an unsupported revision", unsupported(-32000)],
])(
  "a server that refuses the newest revision with %s is asked for the next older one, once, and so at once the next time",
  async (_, refusal) => {
    const { url, seen } = serveMethods({ initialize: upTo("2025-06-18", refusal) });
    const client = chainClient(url);
    expect((await client.start({}, "2025-11-25")).result.protocolVersion).toBe("2025-06-18");
    expect(seen.filter((method) => method === "initialize")).toHaveLength(2);
    expect((await client.start({}, "2025-11-25")).result.protocolVersion).toBe("2025-06-18");
    expect(seen.filter((method) => method === "initialize")).toHaveLength(3);
    expect(client.cache.get("revision")).toBe("2025-06-18");
  },
);

test("if an older revision is refused, too, it is not remembered, and the client gets the refusal", async () => {
  const { url, seen } = serveMethods({ initialize: upTo("2024-11-05", fails(-32602, 200)) });
  const client = chainClient(url);
  expect((await client.start({}, "2025-11-25")).error.code).toBe(-32602);
  expect(seen).toEqual(["initialize", "initialize", "server/discover"]);
  expect(client.cache.get("revision")).toBeUndefined();
});

test("if the remembered older revision is refused, the client's own revision is used again", async () => {
  const { url } = serveMethods({
    initialize: (body) =>
      JSON.stringify(body).includes("2025-11-25") ? initialize(body) : fails(-32602, 200)(body),
  });
  const client = chainClient(url);
  client.cache.set("revision", "2025-06-18");
  expect((await client.start({}, "2025-11-25")).result.protocolVersion).toBe("2025-06-18");
  expect(client.cache.get("revision")).toBeUndefined();
});

test("a server that lists the supported revision in its refusal gets server/discover once more", async () => {
  let asked = 0;
  const { url } = serveMethods({
    initialize: refused,
    "server/discover": (body) =>
      asked++ === 0
        ? fails(-32022, 400, { supported: [stateless] })(body)
        : discover([stateless])(body),
  });
  expect((await chainClient(url).start()).result.serverInfo.name).toBe("kb");
  expect(asked).toBe(2);
});

test.each([-32020, -32021])(
  "an error %d of the stateless protocol to server/discover is the answer to initialize",
  async (code) => {
    const { url, seen } = serveMethods({
      initialize: refused,
      "server/discover": fails(code, 400),
    });
    const client = chainClient(url);
    expect((await client.start()).error.code).toBe(code);
    expect(seen).toEqual(["initialize", "server/discover"]);
    expect(client.cache.get("transport")).toBeUndefined();
  },
);

const json = { "content-type": "application/json" };

test.each<[string, () => Response]>([
  ["503", () => new Response("warming up", { status: 503, headers: { "retry-after": "0" } })],
  ["429", () => new Response("slow down", { status: 429 })],
  ["an answer cut short", () => new Response("{", { headers: json, status: 502 })],
])(
  "a stateless server whose first answers to server/discover are %s is asked again",
  async (_, failure) => {
    let failures = 2;
    const { url, seen } = serveMethods({
      "server/discover": (body) => (failures-- > 0 ? failure() : discover([stateless])(body)),
      initialize: refused,
    });
    const client = chainClient(url, { retry: { attempts: 3 } });
    expect((await client.start()).result.serverInfo).toEqual({ name: "kb", version: "unknown" });
    expect(seen).toEqual(["initialize", ...Array(3).fill("server/discover")]);
    expect(client.cache.get("transport")).toBe("stateless-http");
  },
);

test("if the server knows neither initialize nor server/discover, the client gets the server's own error", async () => {
  const { url } = serveMethods({
    "server/discover": () => new Response("no", { status: 400 }),
    initialize: fails(-32601, 404),
  });
  expect((await chainClient(url).start()).error).toEqual({ code: -32601, message: "m" });
});

test("a remembered session server that has become stateless is recognized by its refusal", async () => {
  const { url, seen } = serveMethods({
    initialize: fails(-32022, 400, { supported: [stateless] }),
    "server/discover": discover([stateless]),
  });
  const client = chainClient(url, { remembered: "streamable-http" });
  expect((await client.start()).result.serverInfo).toEqual({ name: "kb", version: "unknown" });
  expect(seen.slice(0, 2)).toEqual(["initialize", "server/discover"]);
  expect(client.cache.get("transport")).toBe("stateless-http");
});

test("a refusal with a code of the stateless protocol reaches the client if the server does not speak that protocol", async () => {
  const { url } = serveMethods({
    initialize: fails(-32020, 400),
    "server/discover": fails(-32601, 200),
  });
  const client = chainClient(url, { remembered: "streamable-http" });
  expect((await client.start()).error.code).toBe(-32020);
});

test.each(["stateless-http", "sse"])(
  "a remembered %s server that has come to speak Streamable HTTP is found out",
  async (remembered) => {
    const { url } = serveMethods({ "server/discover": fails(-32601, 200), initialize });
    const client = chainClient(url, { remembered });
    expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
    expect(client.cache.get("transport")).toBe("streamable-http");
  },
);

test("if no transport works, the client gets the server's answer to initialize", async () => {
  const { url, seen } = serveMethods({
    "server/discover": () => new Response("no", { status: 404 }),
    initialize: () => new Response("no", { status: 404 }),
  });
  const client = chainClient(url);
  expect((await client.start()).error.code).toBe(1404);
  expect(seen).toEqual(["initialize", "server/discover", "GET"]);
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

test("messages after an initialize that fails get an error, too, and another initialize may succeed", async () => {
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

test("a client that sends server/discover and then initialize is served by the session protocol", async () => {
  const { url, seen } = serveMethods({ "server/discover": fails(-32601, 404), initialize });
  const client = chainClient(url, { remembered: "streamable-http" });
  const _meta = { "io.modelcontextprotocol/protocolVersion": stateless };
  expect((await client.call("server/discover", { _meta })).at(-1).error.code).toBe(-32601);
  expect((await client.start()).result.protocolVersion).toBe("2025-06-18");
  await client.call("tools/list");
  expect(seen).toContain("notifications/initialized");
});

test("messages after a failed initialize get its error at once, and another initialize works", async () => {
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
