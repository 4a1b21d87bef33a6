// A combined run as a process: rules, audit, record and sign-in of its servers, through one face.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { bridgeHome } from "../support/oauth-bridge.ts";
import { type ClientProcess, handshake, startClient } from "../support/oauth-client.ts";
import { type AuthorizationServer, startProvider } from "../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../support/oauth-resource.ts";
import { approveDevice } from "../support/oauth-user.ts";
import { runProgram } from "../support/program.ts";

const state = { ...listing(), pages: [["get", "put"]] };
const server = listingServer(state);
let provider: AuthorizationServer;
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider({ deviceIntervalSec: 0.05 });
  resource = startProtectedServer(provider);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await resource.close();
  await provider.close();
});

const plain = { auth: { type: "none" } };
const namesIn = async (client: ClientProcess) =>
  (await client.request("tools/list")).result.tools.map(({ name }: { name: string }) => name);
const call = (client: ClientProcess, name: string) =>
  client.request("tools/call", { name, arguments: {} });

test("a record of a combined run shows its rules and servers, and is replayed without them; run and call name one call in the audit", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {});
  const audit = { file: "audit.jsonl" };
  await home.configure({
    one: { url: server.url, ...plain, audit, tools: { deny: ["put"] } },
    two: { url: server.url, ...plain, audit },
  });
  const record = join(folder.path, "record.jsonl");
  const answers = async (client: ClientProcess) => {
    await handshake(client);
    const names = await namesIn(client);
    const calls = ["one__put", "one__get", "two__put"];
    const outcomes = [];
    for (const name of calls) {
      const { result, error } = await call(client, name);
      outcomes.push(error?.code ?? result);
    }
    await client.end();
    return { names, outcomes };
  };
  const live = await answers(startClient(home, { command: ["run", "--all", "--record", record] }));
  expect(live).toEqual({
    names: ["one__get", "two__get", "two__put"],
    outcomes: [1451, { content: [] }, { content: [] }],
  });
  const lines = (file: string) =>
    readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  const begun = lines(join(folder.path, ".codex-mcp-bridge", "audit.jsonl")).filter(
    ({ event }) => event === "call",
  );
  expect(begun.map(({ call, server, tool }) => [call, server, tool])).toEqual([
    [1, "one", "put"],
    [2, "one", "get"],
    [3, "two", "put"],
  ]);
  const exchanges = lines(record).filter(({ method }) => method === "POST");
  expect(new Set(exchanges.map(({ http }) => http)).size).toBe(exchanges.length);
  const calls = exchanges.filter(({ body }) => body?.method === "tools/call");
  expect(calls.map(({ server, body }) => [server, body.params.name])).toEqual([
    ["one", "get"],
    ["two", "put"],
  ]);
  const replayed = startClient(
    { ...home, env: { HOME: "/nonexistent" } },
    { command: ["replay", record] },
  );
  expect(await answers(replayed)).toEqual(live);
});

test("SERVER__sign_in begins the sign-in of its server, whose tools follow; the others are there all the time", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {});
  await home.configure({ kb: { url: resource.url }, open: { url: server.url, ...plain } });
  const client = startClient(home, { command: ["run", "--all"] });
  await handshake(client);
  expect(await namesIn(client)).toEqual(["kb__sign_in", "open__get", "open__put"]);
  const { result } = await call(client, "kb__sign_in");
  const [{ text }] = result.content;
  expect(text).toContain("kb");
  expect((await call(client, "open__get")).result).toEqual({ content: [] });
  await approveDevice(/https?:\S+/.exec(text)![0], /this code: ([A-Z0-9-]+)/.exec(text)![1]!);
  await client.noted("notifications/tools/list_changed");
  expect(await namesIn(client)).toContain("kb__echo");
  expect((await call(client, "kb__echo")).result.content[0].text).toBe("done: echo");
  await client.end();
  expect((await runProgram(["status"], { env: home.env })).stdout).toContain("signed in");
});
