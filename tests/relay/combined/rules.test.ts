// The rules for tools and the audit of each server, through the face of a combined run.
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stateOf } from "../../../src/platform/paths.ts";
import { writeApproved } from "../../../src/upstream/tools/approvals.ts";
import { factsOf, listedTools } from "../../../src/upstream/tools/listed-tools.ts";
import { responseTo } from "../../../src/wire/message.ts";
import { memoryLog } from "../../support/client.ts";
import { combinedClient } from "../../support/combined.ts";
import { ownFolder } from "../../support/folder.ts";
import { lyingServer } from "../../support/lying-server.ts";
import { openedChain } from "../../support/open-server.ts";
import { readOnlyTool, tool } from "../../support/tool-server.ts";

const tools = [
  readOnlyTool("get"),
  tool("put"),
  tool("delete"),
  { name: "broken", inputSchema: 1 },
];
/** Names of the tools that the server ran. */
const ran: unknown[] = [];
const server = lyingServer({
  "tools/list": { tools },
  "tools/call": ({ name }) => {
    ran.push(name);
    return { content: [{ type: "text", text: String(name) }] };
  },
});
afterAll(() => server[Symbol.asyncDispose]());

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
  ran.length = 0;
});
afterEach(() => folder[Symbol.dispose]());

/** A client of a combined run of servers with these entries. */
async function facing(entries: Readonly<Record<string, object>>) {
  const client = { name: "test", capabilities: "{}", protocolVersion: "" };
  const ask = () => Promise.reject(new Error("nobody asks"));
  const shared = { home: folder.path, client, ask, log: memoryLog() };
  let calls = 0;
  const nextCall = () => ++calls;
  const chains = Object.entries(entries).map(([name, entry]) => {
    const { upstream, audit } = openedChain(name, { url: server.url, ...entry }, shared, {
      nextCall,
    });
    return { name, upstream, audit };
  });
  const combined = combinedClient(
    Object.fromEntries(chains.map(({ name, upstream }) => [name, upstream])),
    {},
    Object.fromEntries(chains.map(({ name, audit }) => [name, { audit }])),
  );
  await combined.start();
  return combined;
}

const auditLines = () =>
  readFileSync(join(folder.path, "audit.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

/** The text of a call's result, or the code of its error. */
async function outcome(client: Awaited<ReturnType<typeof facing>>, name: string) {
  const { result, error } = await client.call("tools/call", { name, arguments: { n: 1 } });
  return result?.content[0].text ?? error.code;
}

describe("the rules of one server in a combined run", () => {
  test.each<[rules: object, listed: string[], refused: string[]]>([
    [{ allow: ["get", "delete"], deny: ["delete"] }, ["get"], ["put", "delete"]],
    [{ readOnly: true }, ["get"], ["put", "delete"]],
    [{ repair: true }, ["get", "put", "delete"], []],
    [{ pin: true }, ["a_problem"], ["get", "put"]],
  ])(
    "%j bind its tools and no other server's, listed before or not",
    async (rules, listed, refused) => {
      const client = await facing({ a: { tools: rules }, b: {} });
      for (const name of refused) expect(await outcome(client, `a__${name}`)).toBe(1451);
      expect(await client.tools()).toEqual([
        ...listed.map((name) => `a__${name}`),
        ...["b__get", "b__put", "b__delete", "b__broken"],
      ]);
      for (const name of refused) expect(await outcome(client, `a__${name}`)).toBe(1451);
      expect(ran).toEqual([]);
      for (const name of refused) expect(await outcome(client, `b__${name}`)).toBe(name);
      expect(ran).toEqual(refused);
    },
  );

  test("an approval brings the tools, and the client is told", async () => {
    const client = await facing({ a: { tools: { pin: true } }, b: {} });
    expect(await client.tools()).toContain("a__a_problem");
    const facts = factsOf(listedTools(responseTo("0", JSON.stringify({ tools })))!, true);
    const origin = new URL(server.url).origin;
    const approved = [...facts].map(([name, { hash }]) => ({ name, hash: hash! }));
    const more = { at: "2026-11-29T00:00:00Z", by: "ada" };
    writeApproved(
      stateOf(folder.path, "a"),
      origin,
      approved.map((each) => ({ ...each, ...more })),
    );
    expect(await outcome(client, "a__a_problem")).toContain("Tools were approved");
    await client.other("notifications/tools/list_changed");
    expect(await client.tools()).toContain("a__put");
    expect(await outcome(client, "a__put")).toBe("put");
  });

  test("the audit of each server names it and its own tool, for refused and unknown tools too", async () => {
    const entry = { tools: { deny: ["put"] }, audit: { file: "audit.jsonl", arguments: "full" } };
    const client = await facing({ a: entry, b: { audit: entry.audit } });
    for (const name of ["a__put", "b__put", "b__none", "a__get"]) await outcome(client, name);
    const lines = auditLines();
    const begun = lines.filter(({ event }) => event === "call");
    expect(begun.map((line) => [line.server, line.tool, line.arguments])).toEqual([
      ["a", "put", { n: 1 }],
      ["b", "put", { n: 1 }],
      ["b", "none", { n: 1 }],
      ["a", "get", { n: 1 }],
    ]);
    const ended = lines.filter(({ event }) => event === "end");
    expect(ended.map(({ server, outcome }) => [server, outcome])).toEqual([
      ["a", "refused"],
      ["b", "ok"],
      ["b", "ok"],
      ["a", "ok"],
    ]);
    // `run` and `call` together belong to one call, whichever server runs it.
    expect(ended.map(({ call }) => call)).toEqual(begun.map(({ call }) => call));
    expect(new Set(begun.map(({ call }) => call)).size).toBe(4);
  });

  test("a call of a server that is out of reach has its lines in the audit", async () => {
    const away = lyingServer({});
    await away[Symbol.asyncDispose]();
    const entry = { url: away.url, audit: { file: "audit.jsonl" }, retry: { attempts: 1 } };
    const client = await facing({ a: entry, b: {} });
    expect(await outcome(client, "a__look")).toBe(1497);
    expect(auditLines()).toMatchObject([
      { event: "call", call: 1, server: "a", tool: "look" },
      { event: "end", call: 1, server: "a", outcome: "connection-refused" },
    ]);
  });
});
