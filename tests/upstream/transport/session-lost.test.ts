import { expect, test } from "bun:test";
import { StaticAuthorizer } from "../../../src/oauth/authorizer/static.ts";
import type { Authorizer } from "../../../src/oauth/authorizer/types.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { ServerCache } from "../../../src/platform/server-cache.ts";
import { connect } from "../../../src/upstream/connect.ts";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { memoryLog, plainHttp, relayClient } from "../../support/client.ts";
import { jsonRpc, serveHttp } from "../../support/serve-http.ts";
import { plainSettings } from "../../support/settings.ts";
import { handshake, initializeResult, opened, streamableClient } from "../../support/streamable.ts";

interface Body {
  readonly id?: number | string;
  readonly method: string;
}

/** A server whose first session is lost at the first call; `refuse` says so. */
function forgetful(refuse: (body: Body) => Response, forever = false) {
  const seen: string[] = [];
  let sessions = 0;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const body = (await request.json()) as Body;
    const session = request.headers.get("mcp-session-id");
    seen.push(`${session} ${body.method}`);
    if (body.method === "initialize") {
      const result = { protocolVersion: "2025-06-18", capabilities: {} };
      const response = jsonRpc({ id: body.id, result });
      response.headers.set("mcp-session-id", `s${++sessions}`);
      return response;
    }
    if (body.id === undefined) return new Response(null, { status: 202 });
    if (session === "s1" || forever) return refuse(body);
    return jsonRpc({ id: body.id, result: { session } });
  });
  return { url, seen };
}

const noRenewal: Authorizer = {
  headers: async () => ({}),
  refused: () => Promise.reject(new BridgeError("unauthorized", "Authentication failed: 401")),
};

function callOver(url: URL, authorizer = noRenewal) {
  const cache = new ServerCache(undefined, url, memoryLog());
  cache.set("transport", "streamable-http");
  const client = relayClient((facts) =>
    connect({
      settings: plainSettings(url),
      http: plainHttp(url),
      authorizer,
      cache,
      log: memoryLog(),
      redactor: new Redactor(),
      client: facts,
      ids: new RequestIds(),
      ask: () => Promise.reject(new Error("nobody asks here")),
    }),
  );
  client.send({ id: 0, method: "initialize", params: {} });
  client.send({ method: "notifications/initialized" });
  client.send({ id: 1, method: "tools/call", params: { name: "t" } });
  return client.next().then(() => client.next());
}

const sdk = (message: string) => ({ id: null, error: { code: -32000, message } });
const python = (message: string) => ({ id: "server-error", error: { code: -32600, message } });
const challenge = (words: string) =>
  new Response("no", { status: 401, headers: { "www-authenticate": words } });

test.each<[string, (body: Body) => Response]>([
  ["404", () => new Response("gone", { status: 404 })],
  ["404 of the official SDK", () => jsonRpc({ ...sdk("Session not found") }, 404)],
  [
    "404 with the request's id",
    ({ id }) => jsonRpc({ id, error: { code: -32001, message: "Session not found" } }, 404),
  ],
  ["404 of the official Python SDK", () => jsonRpc(python("Session not found"), 404)],
  ["400 of the official Python SDK", () => jsonRpc(python("Missing session ID"), 400)],
  [
    "404 with the request's id, whatever the code",
    ({ id }) => jsonRpc({ id, error: { code: -32600, message: "Session not found" } }, 404),
  ],
  ["410 that names the session", () => new Response("Session terminated", { status: 410 })],
  ["410 without words", () => new Response(null, { status: 410 })],
  ["400 with a code", () => Response.json({ code: "SESSION_NOT_FOUND" }, { status: 400 })],
  ["400 with a code in camel case", () => new Response("SessionExpired", { status: 400 })],
  [
    "400 with a code of one word",
    () => Response.json({ error: "invalid_session" }, { status: 400 }),
  ],
  ["409 that names the session id", () => new Response("unknown session id", { status: 409 })],
  ["412 with a code", () => Response.json({ error: "SESSION_EXPIRED" }, { status: 412 })],
  [
    "422 of a session id that ended",
    () => new Response("session id 'a1' has been terminated", { status: 422 }),
  ],
  [
    "400 that names the session",
    () => jsonRpc(sdk("Bad Request: No valid session ID provided"), 400),
  ],
  ["400 of a restarted server", () => jsonRpc(sdk("Bad Request: Server not initialized"), 400)],
  ["400 as text", () => new Response("unknown session", { status: 400 })],
  ["401 without a challenge", () => new Response("unknown session", { status: 401 })],
  ["401 with another challenge", () => challenge("Basic realm=x")],
  ["401 that no renewal helps", () => challenge('Bearer error="invalid_token"')],
])("%s starts another session, and the call is sent once more", async (_, refuse) => {
  const { url, seen } = forgetful(refuse);
  expect((await callOver(url)).result).toEqual({ session: "s2" });
  expect(seen).toEqual([
    "null initialize",
    "s1 notifications/initialized",
    "s1 tools/call",
    "null initialize",
    "s2 notifications/initialized",
    "s2 tools/call",
  ]);
});

test.each([
  [409, '{"message":"checkout session has expired after payment was captured"}'],
  [409, "the browser session is closed"],
  [422, "repository not initialized"],
  [412, "no such session"],
  [400, "the payment session has been closed"],
  [400, "the tunnel session timed out"],
  [400, "run terraform init: initialize first"],
])(
  "a tool's own failure with %d and the words %s is no lost session: the call is sent once",
  async (status, words) => {
    const { url, seen } = forgetful(() => new Response(words, { status }), true);
    expect((await callOver(url)).error.message).toContain(`answered ${status}`);
    expect(seen.filter((one) => one.endsWith("tools/call"))).toHaveLength(1);
  },
);

test.each(["session has been terminated", "Session timed out", "Please initialize first"])(
  "a request that is no call starts another session where a 400 says: %s",
  async (words) => {
    const seen: string[] = [];
    let sessions = 0;
    const client = streamableClient(
      serveHttp(async (request) => {
        if (request.method !== "POST") return new Response(null, { status: 405 });
        const { id, method } = (await request.json()) as Body;
        const session = request.headers.get("mcp-session-id");
        seen.push(`${session} ${method}`);
        if (method === "initialize") return opened(id, `s${++sessions}`);
        if (id === undefined) return new Response(null, { status: 202 });
        return session === "s1"
          ? new Response(words, { status: 400 })
          : jsonRpc({ id, result: {} });
      }),
    );
    await handshake(client);
    client.send({ id: 1, method: "resources/list" });
    expect(await client.next()).toMatchObject({ id: 1, result: {} });
    expect(seen.filter((one) => one.endsWith("initialize"))).toHaveLength(2);
  },
);

test.each([
  [400, "no such session"],
  [404, "session not found"],
  [409, "SESSION_CLOSED"],
  [410, "session expired"],
  [422, "unknown session id"],
])(
  "a call that a fresh session refuses with %d (%s), too, is sent twice at most, however often it is made",
  async (status, words) => {
    let calls = 0;
    const client = streamableClient(
      serveHttp(async (request) => {
        if (request.method !== "POST") return new Response(null, { status: 405 });
        const { id, method } = (await request.json()) as Body;
        if (method === "initialize") return opened(id, "s");
        if (id === undefined) return new Response(null, { status: 202 });
        if (method !== "tools/call") return jsonRpc({ id, result: {} });
        calls++;
        return new Response(words, { status });
      }),
    );
    await handshake(client);
    for (let id = 1; id < 4; id++) {
      client.send({ id, method: "tools/call", params: { name: "t" } });
      expect((await client.next()).error.message).toContain(`answered ${status}`);
    }
    expect(calls).toBe(4);
  },
);

test("a 401 that stays after the token was renewed is first taken for a lost session", async () => {
  let renewals = 0;
  const { url, seen } = forgetful(() => challenge("Bearer"));
  const answer = await callOver(url, {
    headers: async () => ({ authorization: `Bearer ${renewals}` }),
    refused: async () => ++renewals > 0,
  });
  expect(answer.result).toEqual({ session: "s2" });
  expect(renewals).toBe(1);
  expect(seen.filter((one) => one === "s1 tools/call")).toHaveLength(2);
});

test("a 401 that stays in the new session too means the credential", async () => {
  const { url } = forgetful(() => new Response("no", { status: 401 }), true);
  const { error } = await callOver(url);
  expect(error.code).toBe(1402);
  expect(error.message).toContain("Authentication failed");
});

test.each<[string, (body: Body) => Response, object]>([
  [
    "an error under the request's id",
    ({ id }) => jsonRpc({ id, error: { code: -32000, message: "no such session" } }, 400),
    { code: -32000, message: "no such session" },
  ],
  [
    "an error under no id",
    () => jsonRpc(sdk("no such chat session"), 404),
    { code: -32000, message: "no such chat session" },
  ],
  [
    "a refusal as text",
    () => new Response("no such thing", { status: 404 }),
    { code: 1404, message: expect.stringContaining("answered 404 and said: no such thing") },
  ],
  [
    "a refused credential",
    () => challenge('Bearer error_description="expired yesterday"'),
    {
      code: 1402,
      message: expect.stringMatching(/and said: expired yesterday: .*run .* setup --server kb/),
    },
  ],
  [
    "a refused credential that nothing challenges",
    () => new Response("expired yesterday", { status: 401 }),
    { code: 1402, message: expect.stringContaining("answered 401 and said: expired yesterday") },
  ],
])("%s that stays in a new session is reported in its own words", async (_, refuse, error) => {
  const { url, seen } = forgetful(refuse, true);
  const authorizer = new StaticAuthorizer(plainSettings(url), {
    env: {},
    redactor: new Redactor(),
    reload: () => undefined,
  });
  expect((await callOver(url, authorizer)).error).toMatchObject(error);
  expect(seen.filter((one) => one.endsWith("initialize"))).toHaveLength(2);
});

test.each<[string, object, number]>([
  [
    "invalid parameters that speak of sessions",
    { code: -32602, message: "session_name is missing" },
    400,
  ],
  ["an error of the tool's own", { code: 7, message: "your session has ended" }, 400],
  [
    "an error about a session of the tool's",
    { code: -32000, message: "no such chat session" },
    400,
  ],
  [
    "an error of a call that was executed",
    { code: -32000, message: "charge made, but the checkout session could not be closed" },
    400,
  ],
])("%s pass word for word", async (_, error, status) => {
  const { url, seen } = forgetful(({ id }) => jsonRpc({ id, error }, status));
  expect((await callOver(url)).error).toEqual(error);
  expect(seen.filter((one) => one.endsWith("initialize"))).toHaveLength(1);
  expect(seen.filter((one) => one.endsWith("tools/call"))).toHaveLength(1);
});

test("a 404 whatever its words starts another session, and the call is sent once more", async () => {
  for (const body of [
    ({ id }: Body) => jsonRpc({ id, error: { code: -32600, message: "Not Found" } }, 404),
    () => jsonRpc({ id: null, error: { code: -32600, message: "Not Found" } }, 404),
    () => new Response("<p>nothing here", { status: 404 }),
    () => new Response(null, { status: 404 }),
  ]) {
    const { url } = forgetful(body);
    expect((await callOver(url)).result).toEqual({ session: "s2" });
  }
});

test.each<[string, (id: unknown) => Response, object]>([
  [
    "a JSON-RPC error",
    (id) => jsonRpc({ id, error: { code: -32601, message: "no such method" } }, 404),
    { code: -32601, message: "no such method" },
  ],
  [
    "text",
    () => new Response("no such route", { status: 404 }),
    { code: 1404, message: expect.stringContaining("no such route") },
  ],
  ["no body", () => new Response(null, { status: 404 }), { code: 1404 }],
])(
  "a request that a fresh session answers with 404 and %s, too, costs one session, however often it is made",
  async (_, refusal, error) => {
    const seen: string[] = [];
    const url = serveHttp(async (request) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as Body;
      seen.push(method);
      if (method === "initialize") return opened(id, `s${seen.length}`);
      if (id === undefined) return new Response(null, { status: 202 });
      return method === "x/unknown" ? refusal(id) : jsonRpc({ id, result: {} });
    });
    const client = streamableClient(url);
    await handshake(client);
    for (let id = 1; id < 5; id++) {
      client.send({ id, method: "x/unknown" });
      expect((await client.next()).error).toMatchObject(error);
    }
    expect(seen.filter((method) => method === "initialize")).toHaveLength(2);
    expect(seen.filter((method) => method === "x/unknown")).toHaveLength(5);
  },
);

/**
 * A server that loses all sessions at the first two requests of `method`, so that the method is in doubt afterwards.
 * `answer` answers every request but initialize.
 */
function losingTwice(
  method: string,
  answer: (body: Body, isKnown: boolean) => Response | Promise<Response>,
) {
  const state = { known: new Set<string>(), sessions: 0 };
  let lost = 0;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const body = (await request.json()) as Body;
    const { id } = body;
    if (body.method === "initialize") {
      state.known.add(`s${++state.sessions}`);
      return opened(id, `s${state.sessions}`);
    }
    if (id === undefined) return new Response(null, { status: 202 });
    if (body.method === method && lost++ < 2) state.known.clear();
    return answer(body, state.known.has(request.headers.get("mcp-session-id")!));
  });
  return { client: streamableClient(url), state };
}

test("a request that got 404 in a fresh session begins another one each time the server has lost that, too", async () => {
  const { client, state } = losingTwice("x/first", async ({ id }, isKnown) => {
    if (isKnown) return jsonRpc({ id, result: {} });
    // Some refusals come when another session is there.
    if (Number(id) > 100 && Number(id) % 2 === 1) await Bun.sleep(50);
    return new Response("", { status: 404 });
  });
  await handshake(client);
  client.send({ id: 1, method: "x/first" });
  expect((await client.next()).error).toMatchObject({ code: 1404 });
  client.send({ id: 2, method: "x/first" });
  expect(await client.next()).toMatchObject({ id: 2, result: {} });
  expect(state.sessions).toBe(3);
  for (let id = 3; id <= 8; id++) {
    state.known.clear();
    client.send({ id, method: "x/first" });
    expect(await client.next()).toMatchObject({ id, result: {} });
  }
  // All requests in flight at the time, too: they share one ping and one session.
  for (let round = 0; round < 3; round++) {
    const before = state.sessions;
    state.known.clear();
    const ids = Array.from({ length: 24 }, (_, n) => 100 * (round + 1) + n);
    for (const id of ids) client.send({ id, method: "x/first" });
    const answers = await Promise.all(ids.map(() => client.next()));
    expect(answers.map(({ error }) => error)).toEqual(ids.map(() => undefined));
    expect(state.sessions).toBe(before + 1);
  }
});

test.each([409, 412, 422])(
  "a call's own %i is delivered, and the call sent once, also where the call is in doubt and another request renews the session",
  async (status) => {
    let executions = 0;
    const { client, state } = losingTwice("tools/call", async ({ id, method }, isKnown) => {
      if (!isKnown) return new Response("", { status: 404 });
      if (method !== "tools/call") return jsonRpc({ id, result: {} });
      executions++;
      await Bun.sleep(100);
      return new Response("the record is locked", { status });
    });
    await handshake(client);
    const params = { name: "t", arguments: {} };
    client.send({ id: 1, method: "tools/call", params });
    expect((await client.next()).error).toMatchObject({ code: 1404 });
    client.send({ id: 4, method: "x/other" });
    expect(await client.next()).toMatchObject({ id: 4, result: {} });
    client.send({ id: 2, method: "tools/call", params });
    while (executions === 0) await Bun.sleep(5);
    state.known.clear();
    client.send({ id: 3, method: "x/other" });
    expect(await client.next()).toMatchObject({ id: 3, result: {} });
    const { id, error } = await client.next();
    expect(id).toBe(2);
    expect(error.message).toContain("the record is locked");
    expect(executions).toBe(1);
  },
);

test.each([
  ["404 and a JSON-RPC error", 404, 2],
  ["404 without JSON", 404, 4],
  ["500", 500, 2],
] as const)(
  "where the server answers ping with %s, a request that is refused in every session costs few",
  async (how, status, most) => {
    let sessions = 0;
    const url = serveHttp(async (request) => {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method } = (await request.json()) as Body;
      if (method === "initialize") return opened(id, `s${++sessions}`);
      if (id === undefined) return new Response(null, { status: 202 });
      const error = { code: -32601, message: "no such method" };
      if (method !== "ping") return jsonRpc({ id, error }, 404);
      return how.includes("JSON-RPC")
        ? jsonRpc({ id, error }, status)
        : new Response("", { status });
    });
    const client = streamableClient(url);
    await handshake(client);
    for (let id = 1; id <= 8; id++) {
      client.send({ id, method: "resources/list" });
      expect((await client.next()).error.code).toBe(-32601);
    }
    expect(sessions).toBeLessThanOrEqual(most);
  },
);

test("a session id that the server gives late, or anew in each answer, is the one of the next request", async () => {
  const seen: string[] = [];
  let newest: string | null = null;
  const url = serveHttp(async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as Body;
    const session = request.headers.get("mcp-session-id");
    seen.push(`${session} ${method}`);
    if (session !== newest) return new Response(null, { status: 404 });
    const response =
      id === undefined
        ? new Response(null, { status: 202 })
        : jsonRpc({ id, result: method === "initialize" ? initializeResult : {} });
    if (method !== "initialize") {
      newest = `s${seen.length}`;
      response.headers.set("mcp-session-id", newest);
    }
    return response;
  });
  const client = streamableClient(url);
  await handshake(client);
  for (const id of [1, 2, 3]) {
    client.send({ id, method: "tools/call", params: { name: "t" } });
    expect(await client.next()).toMatchObject({ id, result: {} });
  }
  expect(seen).toEqual([
    "null initialize",
    "null notifications/initialized",
    "s2 tools/call",
    "s3 tools/call",
    "s4 tools/call",
  ]);
});

test("an error with id null answers the only request that it can mean", async () => {
  const error = { code: -32000, message: "Bad Request: Unsupported protocol version", data: 1 };
  const { url } = forgetful(() => jsonRpc({ id: null, error }, 400), true);
  expect(await callOver(url)).toEqual({ jsonrpc: "2.0", id: 1, error });
});

test.each<[string, () => Response]>([
  ["not found", () => new Response("gone", { status: 404 })],
  ["refused as official SDKs do", () => jsonRpc(sdk("No valid session ID provided"), 400)],
  ["refused as the official Python SDK does", () => jsonRpc(python("Session not found"), 404)],
  ["refused with 401", () => new Response("unknown session", { status: 401 })],
])(
  "a listening stream that is %s after a restart makes another session, and listens again",
  async (_, refuse) => {
    const streams: ReadableStreamDefaultController[] = [];
    let sessions = 0;
    const url = serveHttp(async (request) => {
      const session = request.headers.get("mcp-session-id");
      if (request.method === "GET") {
        if (session !== `s${sessions}`) return refuse();
        const start = (controller: ReadableStreamDefaultController) => {
          streams.push(controller);
          controller.enqueue("retry: 10\nid: e1\ndata:\n\n");
        };
        return new Response(new ReadableStream({ start }), {
          headers: { "content-type": "text/event-stream" },
        });
      }
      if (request.method === "DELETE") return new Response();
      const { id, method } = (await request.json()) as Body;
      if (method !== "initialize") return new Response(null, { status: 202 });
      const response = jsonRpc({ id, result: { protocolVersion: "2025-06-18", capabilities: {} } });
      response.headers.set("mcp-session-id", `s${++sessions}`);
      return response;
    });
    const cache = new ServerCache(undefined, url, memoryLog());
    cache.set("transport", "streamable-http");
    const client = relayClient((facts) =>
      connect({
        settings: plainSettings(url),
        http: plainHttp(url),
        authorizer: noRenewal,
        cache,
        log: memoryLog(),
        redactor: new Redactor(),
        client: facts,
        ids: new RequestIds(),
        ask: () => Promise.reject(new Error("nobody asks here")),
      }),
    );
    client.send({ id: 0, method: "initialize", params: {} });
    client.send({ method: "notifications/initialized" });
    await client.next();
    while (streams.length < 1) await Bun.sleep(1);
    sessions = 7;
    streams[0]!.close();
    while (streams.length < 2) await Bun.sleep(1);
    const said = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
    streams[1]!.enqueue(`data: ${JSON.stringify(said)}\n\n`);
    expect(await client.next()).toEqual(said);
    expect(sessions).toBe(8);
  },
);
