import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Http, HttpRequest } from "../../src/http/client.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { connect } from "../../src/upstream/connect.ts";
import { RequestIds } from "../../src/upstream/core/request-ids.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { memoryLog, type RelayClient, relayClient } from "../support/client.ts";
import { runsOf } from "../support/property.ts";
import { plainSettings } from "../support/settings.ts";

const runs = runsOf(import.meta.path);
const url = new URL("http://127.0.0.1:1/mcp");
const decoder = new TextDecoder();

/** A relay in front of the whole chain; the network is `http`. */
function clientOver(http: Http): RelayClient {
  const cache = new ServerCache(undefined, url, memoryLog());
  cache.set("transport", "streamable-http");
  return relayClient((client) =>
    connect({
      settings: plainSettings(url),
      http,
      authorizer: { headers: async () => ({}), refused: async () => false },
      cache,
      log: memoryLog(),
      redactor: new Redactor(),
      client,
      ids: new RequestIds(),
      ask: () => Promise.reject(new Error("nobody asks here")),
    }),
  );
}

const json = (text: string) =>
  new Response(text, { headers: { "content-type": "application/json" } });
const stream = (text: string) =>
  new Response(text, { headers: { "content-type": "text/event-stream" } });
const initialized = (id: unknown) =>
  `{"jsonrpc":"2.0","id":${id},"result":{"protocolVersion":"2025-11-25","capabilities":{}}}`;

async function shakeHands(client: RelayClient): Promise<void> {
  client.send({ id: "init", method: "initialize", params: {} });
  await client.line();
  client.send({ method: "notifications/initialized" });
}

const answers = ["json", "event", "late event"] as const;
const mishaps = ["drop with id", "drop without id", "lost", "500", "reset", "hang"] as const;
type Mishap = (typeof mishaps)[number];

/** What happens to one call: mishaps one after another, then an answer. */
interface Fate {
  readonly mishaps: readonly Mishap[];
  readonly answer: (typeof answers)[number];
  readonly isCancelled: boolean;
}

const fate: fc.Arbitrary<Fate> = fc.record({
  mishaps: fc.array(fc.constantFrom(...mishaps), { maxLength: 3 }),
  answer: fc.constantFrom(...answers),
  isCancelled: fc.boolean(),
});

/** A server of the session protocol that treats every call as its fate says. */
class FatefulServer {
  #sessions = 0;
  readonly #left: Mishap[][];
  readonly #fates: readonly Fate[];

  constructor(fates: readonly Fate[]) {
    this.#fates = fates;
    this.#left = fates.map((one) => [...one.mishaps]);
  }

  readonly http: Http = async (request) => {
    if (request.method === "DELETE") return new Response(null, { status: 200 });
    if (request.method === "GET") {
      const resumed = /^call-(\d+)$/.exec(request.headers["last-event-id"] ?? "");
      if (resumed === null) return new Response(null, { status: 405 });
      return this.#next(Number(resumed[1]), request);
    }
    const body = JSON.parse(decoder.decode(request.body as Uint8Array));
    if (body.method === "initialize") {
      const response = json(initialized(JSON.stringify(body.id)));
      response.headers.set("mcp-session-id", `s-${++this.#sessions}`);
      return response;
    }
    if (body.id === undefined) return new Response(null, { status: 202 });
    return this.#next(body.id, request);
  };

  async #next(call: number, request: HttpRequest): Promise<Response> {
    await Promise.resolve();
    const answer = `{"jsonrpc":"2.0","id":${call},"result":{"call":${call}}}`;
    switch (this.#left[call]!.shift()) {
      case "drop with id":
        return stream(`retry: 10\nid: call-${call}\ndata:\n\n`);
      case "drop without id":
        return stream('data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n');
      case "lost":
        return new Response("gone", { status: 404 });
      case "500":
        return new Response("broken", { status: 500 });
      case "reset":
        throw new BridgeError("outcome-unknown", "the connection broke");
      case "hang":
        return this.#fates[call]!.isCancelled ? await untilAborted(request) : json(answer);
    }
    if (this.#fates[call]!.answer === "json") return json(answer);
    const before = 'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n';
    const isLate = this.#fates[call]!.answer === "late event";
    return stream(`${isLate ? before : ""}data: ${answer}\n\n`);
  }
}

function untilAborted({ signal }: HttpRequest): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

test("answers, drops, resumes, lost sessions and cancellations in any order settle every id exactly once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { minLength: 1, maxLength: 6 }), async (fates) => {
      const client = clientOver(new FatefulServer(fates).http);
      await shakeHands(client);
      for (const [id] of fates.entries()) client.send({ id, method: "tools/call", params: {} });
      for (const [requestId, { isCancelled }] of fates.entries())
        if (isCancelled) client.send({ method: "notifications/cancelled", params: { requestId } });
      await client.end();
      await client.relay.finish(5000);
      // Lines leave at the end of a turn of the event loop.
      for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
      const settled = client.rest
        .map(
          (line) => JSON.parse(line) as { id?: number; method?: string; result?: { call: number } },
        )
        .filter(({ method }) => method === undefined);
      for (const { id, result } of settled) if (result) expect(result.call).toBe(id!);
      const ids = settled.map(({ id }) => id!).sort();
      expect(new Set(ids).size).toBe(ids.length);
      // A call that is cancelled may have been answered before.
      for (const [id, { isCancelled }] of fates.entries())
        if (!isCancelled) expect(ids).toContain(id);
    }),
    runs,
  );
}, 120_000);

/** JSON text of any shape, with numbers that no double holds and spaces where they may stand. */
const text = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), fc.bigInt())
  .map(([value, indent, big]) =>
    JSON.stringify({ value, big: "BIG", "a\u2028": 1 }, null, indent).replace(
      '"BIG"',
      `${big}.0e3`,
    ),
  );

test("requests, answers and notifications arrive byte for byte, line breaks between tokens aside", async () => {
  const onOneLine = (message: string) => message.replace(/[\r\n]/g, " ");
  await fc.assert(
    fc.asyncProperty(text, text, text, async (params, result, said) => {
      const request = `{"jsonrpc":"2.0", "params":${onOneLine(params)},"id":7,"method":"x/y"}`;
      const notice = `{"method":"notifications/x","params":${said},"jsonrpc":"2.0"}`;
      const answer = `{"result":${result}, "id":7 ,"jsonrpc":"2.0"}`;
      const bodies: string[] = [];
      const client = clientOver(async ({ method, body }) => {
        if (method !== "POST") return new Response(null, { status: 405 });
        const sent = decoder.decode(body as Uint8Array);
        if (sent.includes('"initialize"')) return json(initialized('"init"'));
        if (sent.includes('"notifications/initialized"'))
          return new Response(null, { status: 202 });
        bodies.push(sent);
        const data = (message: string) => `data: ${message.replaceAll("\n", "\ndata: ")}\n\n`;
        return stream(`${data(notice)}${data(answer)}`);
      });
      await shakeHands(client);
      client.write(`${request}\n`);
      expect(await client.line()).toBe(onOneLine(notice));
      expect(await client.line()).toBe(onOneLine(answer));
      expect(bodies).toEqual([request]);
      await client.end();
      await client.relay.finish(0);
    }),
    runs,
  );
}, 120_000);
