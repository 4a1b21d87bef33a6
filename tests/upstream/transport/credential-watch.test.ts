import { expect, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import { ServerCache } from "../../../src/platform/server-cache.ts";
import { connect } from "../../../src/upstream/connect.ts";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import { memoryLog, plainHttp, relayClient } from "../../support/client.ts";
import { jsonRpc, noInitialize, serveHttp } from "../../support/serve-http.ts";
import { plainSettings } from "../../support/settings.ts";
import { opened } from "../../support/streamable.ts";

interface Body {
  readonly id?: number | string;
  readonly method: string;
}

/** A client whose credential is renewed by each refusal that asks for it. */
function renewing(url: URL) {
  let token = 0;
  const cache = new ServerCache(undefined, url, memoryLog());
  const client = relayClient((facts) =>
    connect({
      settings: plainSettings(url),
      http: plainHttp(url),
      authorizer: {
        headers: async () => ({ authorization: `Bearer ${token}` }),
        refused: async () => ++token > 0,
      },
      cache,
      log: memoryLog(),
      redactor: new Redactor(),
      client: facts,
      ids: new RequestIds(),
      ask: () => Promise.reject(new Error("nobody asks here")),
    }),
  );
  const call = async (id: number, method: string) => {
    client.send({ id, method, params: { protocolVersion: "2025-06-18", capabilities: {} } });
    while ((await client.next()).id !== id);
  };
  const start = async () => {
    await call(0, "initialize");
    client.send({ method: "notifications/initialized" });
  };
  return { call, start, renewals: () => token };
}

const challenge = () =>
  new Response("no", { status: 401, headers: { "www-authenticate": "Bearer" } });

test("a 401 on the listening stream renews the credential once; the stream then rests until another credential is accepted", async () => {
  const opens: (string | null)[] = [];
  let least = 0;
  const url = serveHttp(async (request) => {
    const authorization = request.headers.get("authorization");
    if (request.method === "GET") {
      opens.push(authorization);
      return challenge();
    }
    const { id, method } = (await request.json()) as Body;
    if (Number(authorization!.slice(7)) < least) return challenge();
    if (method === "initialize") return opened(id, "s1");
    return id === undefined ? new Response(null, { status: 202 }) : jsonRpc({ id, result: {} });
  });
  const { call, start, renewals } = renewing(url);
  await start();
  while (opens.length < 2) await Bun.sleep(1);
  for (let id = 1; id < 40; id++) await call(id, "ping");
  expect(renewals()).toBe(1);
  expect(opens).toEqual(["Bearer 0", "Bearer 1"]);
  // A call needs another credential: the stream is tried with it.
  least = 2;
  await call(40, "ping");
  while (opens.length < 3) await Bun.sleep(1);
  expect(opens[2]).toBe("Bearer 2");
});

test("a 401 to subscriptions/listen renews the credential no further either", async () => {
  const seen: string[] = [];
  const url = serveHttp(async (request) => {
    const { id, method } = (await request.json()) as Body;
    seen.push(method);
    if (method === "initialize") return noInitialize(id);
    if (method === "subscriptions/listen") return challenge();
    const capabilities = { tools: { listChanged: true } };
    const supportedVersions = ["2026-07-28"];
    return jsonRpc({ id, result: { resultType: "complete", supportedVersions, capabilities } });
  });
  const { call, start, renewals } = renewing(url);
  await start();
  const listens = () => seen.filter((method) => method === "subscriptions/listen").length;
  while (listens() < 3) await Bun.sleep(1);
  for (let id = 1; id < 20; id++) await call(id, "tools/call");
  expect([listens(), renewals()]).toEqual([3, 2]);
});
