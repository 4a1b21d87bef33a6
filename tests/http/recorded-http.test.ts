import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { recordedHttp } from "../../src/http/recorded-http.ts";
import { RecordFile } from "../../src/platform/record-file.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { memoryLog, plainHttp } from "../support/client.ts";
import { ownFolder } from "../support/folder.ts";
import { recordedServer } from "../support/recorded-server.ts";
import { serveHttp } from "../support/serve-http.ts";
import { withHandshake } from "../support/streamable.ts";
import { chainClient } from "../support/whole-chain.ts";

let folder: ReturnType<typeof ownFolder>;
let path: string;
beforeEach(() => {
  folder = ownFolder();
  path = join(folder.path, "record.jsonl");
});
afterEach(() => folder[Symbol.dispose]());

const secret = "canary-secret-0123456789";

function recorder(url: URL) {
  const redactor = new Redactor();
  redactor.add(secret);
  return recordedHttp(plainHttp(url), new RecordFile({ path, redactor, log: memoryLog() }), {
    name: "kb",
  });
}

// biome-ignore lint/suspicious/noExplicitAny: lines of every kind
const lines = (): any[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const post = (url: URL, body = "{}", signal = new AbortController().signal) => ({
  method: "POST" as const,
  url,
  headers: { authorization: `Bearer ${secret}`, accept: "*/*" },
  body,
  signal,
});

test("an exchange is recorded with its status, times, chosen headers and body, without a secret", async () => {
  const headers = {
    "mcp-session-id": "canary-session",
    "retry-after": "3",
    "set-cookie": "a=canary",
  };
  const url = serveHttp(() => new Response(`no: ${secret}`, { status: 429, headers }));
  url.searchParams.set("key", "canary-query");
  const response = await recorder(url)(post(url, `{"method":"ping","params":{"key":"${secret}"}}`));
  expect(response.status).toBe(429);
  expect(await response.text()).toBe(`no: ${secret}`);
  const [request, head, body, end] = lines();
  expect(request).toMatchObject({
    http: 1,
    server: "kb",
    method: "POST",
    headers: ["accept", "authorization"],
    body: { method: "ping", params: { key: "..." } },
  });
  expect(request.at).toBeLessThanOrEqual(head.at);
  expect(head).toMatchObject({ http: 1, status: 429 });
  expect(head.headers).toMatchObject({ "retry-after": "3", "mcp-session-id": "..." });
  expect(body).toMatchObject({ http: 1, text: "no: ..." });
  expect(end).toMatchObject({ http: 1, end: "complete", bytes: 4 + secret.length });
  expect(readFileSync(path, "utf8")).not.toContain("canary");
});

test("a secret that arrives in two pieces is found", async () => {
  const more = Promise.withResolvers<void>();
  const url = serveHttp(() => {
    const body = async function* () {
      yield `data: ${secret.slice(0, 12)}`;
      await more.promise;
      yield `${secret.slice(12)}\n\n`;
    };
    // biome-ignore lint/suspicious/noExplicitAny: Bun takes a generator as body
    return new Response(body() as any, { headers: { "content-type": "text/event-stream" } });
  });
  const response = await recorder(url)(post(url));
  const reader = response.body!.getReader();
  await reader.read();
  more.resolve();
  for (;;) if ((await reader.read()).done) break;
  expect(readFileSync(path, "utf8")).not.toContain("canary");
  expect(lines().some(({ text }) => text === "data: ...\n\n")).toBe(true);
});

test("a failed request and a stopped one are recorded", async () => {
  const url = serveHttp(() => new Response("x"));
  const nobody = new URL("http://127.0.0.1:9/mcp");
  const http = recorder(url);
  await http(post(nobody)).catch(() => undefined);
  await http(post(url, "{}", AbortSignal.abort({ by: "deadline" }))).catch(() => undefined);
  expect(lines().filter(({ failed }) => failed)).toEqual([
    expect.objectContaining({ http: 1, failed: "connection-refused", error: expect.any(String) }),
    expect.objectContaining({ http: 2, failed: "stopped" }),
  ]);
});

test("a body that breaks in the middle is recorded with its beginning, and breaks for its reader", async () => {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("beginning")),
    pull: (controller) => controller.error(new Error("reset")),
  });
  const record = new RecordFile({ path, redactor: new Redactor(), log: memoryLog() });
  const http = recordedHttp(async () => new Response(body), record, { name: "kb" });
  const response = await http(post(new URL("https://kb.example/mcp")));
  expect(response.text()).rejects.toThrow("reset");
  await response.text().catch(() => undefined);
  expect(lines().slice(2)).toEqual([
    expect.objectContaining({ http: 1, text: "beginning" }),
    expect.objectContaining({ http: 1, end: "broken", bytes: 9 }),
  ]);
});

test("exchanges with two servers in one record have numbers of their own", async () => {
  const url = serveHttp(() => new Response("{}"));
  const record = new RecordFile({ path, redactor: new Redactor(), log: memoryLog() });
  for (const name of ["a", "b"])
    await (await recordedHttp(plainHttp(url), record, { name })(post(url))).text();
  const begun = lines().filter(({ server }) => server !== undefined);
  expect(begun.map(({ http, server }) => [http, server])).toEqual([
    [1, "a"],
    [2, "b"],
  ]);
});

test("of a very long line the beginning is recorded, and the body passes whole", async () => {
  const long = "x".repeat(3 * 1024 * 1024);
  const url = serveHttp(() => new Response(long));
  expect(await (await recorder(url)(post(url))).text()).toBe(long);
  expect(lines()[2].text.length).toBe(1024 * 1024);
  expect(lines()[3]).toMatchObject({ end: "complete", bytes: long.length });
});

const mebibyte = 1024 * 1024;
/** A body with the secret across the place where a long line is cut. */
const across = (inside: number) => `${"x".repeat(mebibyte - inside)}${secret} and more`;

test.each([1, 5, secret.length - 1])(
  "no part of a secret is left where a long line is cut: after %d characters of it",
  async (inside) => {
    const url = serveHttp(() => new Response(`${across(inside)}\nnext: ${secret}\nlast`));
    const body = across(inside);
    await (await recorder(url)(post(url, body))).text();
    expect(readFileSync(path, "utf8")).not.toContain("x".concat(secret.slice(0, inside)));
    const texts = lines().flatMap(({ text }) => text ?? []);
    expect(lines()[0].body).toEndWith("x...");
    expect(texts[0]).toEndWith("x...");
    // The lines after the long one are whole.
    expect(texts.slice(1).join("")).toBe("next: ...\nlast");
  },
);

test.each([5, secret.length - 1])(
  "no part of a secret is left where a body breaks or its reader stops: after %d characters of it",
  async (inside) => {
    const redactor = new Redactor();
    redactor.add(secret);
    const record = new RecordFile({ path, redactor, log: memoryLog() });
    const bodyThat = (pull: (controller: ReadableStreamDefaultController) => void) =>
      new ReadableStream({
        start: (controller) =>
          controller.enqueue(new TextEncoder().encode(`data: ${secret.slice(0, inside)}`)),
        pull,
      });
    const read = async (body: ReadableStream) => {
      const http = recordedHttp(async () => new Response(body), record, { name: "kb" });
      return (await http(post(new URL("https://kb.example/mcp")))).body!.getReader();
    };
    const broken = await read(bodyThat((controller) => controller.error(new Error("reset"))));
    await broken.read();
    await broken.read().catch(() => undefined);
    const stopped = await read(bodyThat(() => undefined));
    await stopped.read();
    await stopped.cancel();
    expect(lines().flatMap(({ text, end }) => text ?? end ?? [])).toEqual([
      ...["data: ...", "broken"],
      ...["data: ...", "stopped"],
    ]);
  },
);

test("an address and an error of an exchange show no secret either", async () => {
  const redactor = new Redactor();
  redactor.add(secret);
  const http = recordedHttp(
    async () => {
      throw new BridgeError("unreachable", `no way to ${secret}`);
    },
    new RecordFile({ path, redactor, log: memoryLog() }),
    { name: "kb" },
  );
  await http(post(new URL(`https://kb.example/${secret}/mcp`))).catch(() => undefined);
  expect(lines()).toMatchObject([
    { url: "https://kb.example/.../mcp" },
    { error: "no way to ..." },
  ]);
});

/** Responses of a faulty server to a tool call. */
const faults: Record<string, (id: number) => Response> = {
  "a sign-in page": () =>
    new Response("<html>sign in</html>", { headers: { "content-type": "text/html" } }),
  "a response cut in the middle": (id) =>
    new Response(`{"jsonrpc":"2.0","id":${id},"result":{"con`, {
      headers: { "content-type": "application/json" },
    }),
  "a stream without an answer": () =>
    new Response(': hello\n\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n', {
      headers: { "content-type": "text/event-stream" },
    }),
  "an answer to another request": () => Response.json({ jsonrpc: "2.0", id: 999, result: {} }),
  "a gateway's error": () => new Response("upstream timed out", { status: 504 }),
  "a JSON-RPC error in a 400": (id) =>
    Response.json({ jsonrpc: "2.0", id, error: { code: -32000, message: "no" } }, { status: 400 }),
};

test.each(Object.keys(faults))(
  "a recorded fault happens again without the server, for a test of ours: %s",
  async (name) => {
    const url = serveHttp(
      withHandshake((_, { id, method }) =>
        method === "tools/call" ? faults[name]!(id) : new Response(null, { status: 405 }),
      ),
    );
    const settings = { transport: "http" as const, remembered: "streamable-http" };
    const live = chainClient(url, { ...settings, http: recorder(url) });
    await live.start();
    const params = { name: "look", arguments: {} };
    const came = await live.call("tools/call", params);
    await live.end();
    const offline = new URL("https://kb.example/mcp");
    const again = chainClient(offline, { ...settings, http: recordedServer(path) });
    expect(await again.start()).toMatchObject({ result: { protocolVersion: "2025-06-18" } });
    expect(await again.call("tools/call", params)).toEqual(came);
    expect(came.at(-1).error.message).toBeString();
    await again.end();
  },
);
