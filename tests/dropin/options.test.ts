import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { initialize, type Program, programs, startClient } from "./support/programs.ts";
import { type Seen, startServer } from "./support/server.ts";

interface Case {
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** The host in the URL; default 127.0.0.1. */
  readonly host?: string;
  readonly query?: string;
  readonly file?: string;
  readonly delayMs?: number;
  /** How long the client waits after the last answer. */
  readonly waitMs?: number;
}

/** What a server and a client notice of one run. */
async function run(program: Program, { args, env = {}, host = "127.0.0.1", ...given }: Case) {
  using folder = ownFolder();
  using server = startServer({
    hostname: host === "localhost" ? "127.0.0.1" : host,
    ...(given.delayMs !== undefined && { delayMs: given.delayMs }),
  });
  const file = join(folder.path, "headers.txt");
  if (given.file !== undefined) writeFileSync(file, given.file, { mode: 0o600 });
  const url = `http://${host}:${server.port}/mcp${given.query ?? ""}`;
  const words = [url, ...args.map((word) => (word === "FILE" ? file : word))];
  const client = startClient(program, words, { home: folder.path, env });
  const { result } = await initialize(client);
  const { result: list } = await client.request("tools/list");
  const read = await client.request("tools/call", { name: "read_file", arguments: {} });
  const remove = await client.request("tools/call", { name: "delete_file", arguments: {} });
  if (given.waitMs !== undefined) await Bun.sleep(given.waitMs);
  const { stderr } = await client.end();
  return {
    server: factsOf(server.seen),
    client: {
      server: result.serverInfo.name,
      tools: list.tools.map(({ name }: { name: string }) => name),
      read: read.result?.content,
      removed: remove.result?.content ?? "refused",
    },
    stderr,
  };
}

const own = /^x-|^authorization$|^cookie$/;
const rpcs = ["initialize", "notifications/initialized", "tools/list", "tools/call", "ping"];

/** The requests of the client, by what an option changes of them. */
function factsOf(all: readonly Seen[]): object {
  // mcp-remote opens a session of its own before the client's, to find the transport.
  const ofClient = all.filter(({ rpc = "" }) => rpcs.includes(rpc) && rpc !== "initialize");
  const seen = ofClient.map(({ url, rpc, headers }) => ({
    url,
    rpc,
    ...Object.fromEntries(Object.entries(headers).filter(([name]) => own.test(name))),
  }));
  const unique = [...new Set(seen.map((each) => JSON.stringify(each)))].sort();
  return {
    methods: rpcs.filter((rpc) => all.some((each) => each.rpc === rpc)),
    requests: unique.map((text) => JSON.parse(text)),
  };
}

const cases: Readonly<Record<string, Case>> = {
  "no option": { args: [] },
  "a query in the URL": { args: [], query: "?key=value&a=b%20c" },
  "a fragment in the URL": { args: [], query: "?key=value#part" },
  "white space behind the URL": { args: [], query: " " },
  "--header Name: value": {
    args: ["--header", "X-Team: blue", "--header", "Authorization: Bearer t"],
  },
  "--header Name:value": { args: ["--header", "X-Team:blue"] },
  "--header with a variable": {
    args: ["--header", "Authorization:${AUTH_HEADER}", "--header", "X-Key: a-${KEY}"],
    env: { AUTH_HEADER: "Bearer token", KEY: "b c" },
  },
  "--header-file": {
    args: ["--header-file", "FILE"],
    file: "# a comment\nX-Team: blue\n\nX-Area:north\n",
  },
  "--transport http-only": { args: ["--transport", "http-only"] },
  "--transport http-first": { args: ["--transport", "http-first"] },
  "--transport sse-only": { args: ["--transport", "sse-only"], query: "?a=b" },
  "--transport sse-first": { args: ["--transport", "sse-first", "--header", "X-Team: blue"] },
  "--allow-http to another address": { args: ["--allow-http"], host: "127.0.0.2" },
  "--ignore-tool": { args: ["--ignore-tool", "delete_*", "--ignore-tool", "x?"] },
  "--disable-cookies": { args: ["--disable-cookies"] },
  "--ping-interval": { args: ["--ping-interval", "1"], waitMs: 1600 },
  "--keep-alive": { args: ["--keep-alive"] },
  "--protocol legacy": { args: ["--protocol", "legacy"] },
  "--protocol auto": { args: ["--protocol", "auto"] },
  "--ipv4": { args: ["--ipv4"], host: "localhost" },
  "--connect-timeout, --headers-timeout and --body-timeout": {
    args: ["--connect-timeout", "5", "--headers-timeout", "20", "--body-timeout", "0"],
    delayMs: 300,
  },
  "--enable-proxy": { args: ["--enable-proxy"] },
  "--debug": { args: ["--debug"] },
  "--silent": { args: ["--silent"] },
  "a port, and options of the sign-in": {
    args: ["3399", "--host", "127.0.0.1", "--callback-path", "/cb", "--auth-timeout", "5"],
  },
  "--auth-success-url": { args: ["--auth-success-url", "https://done.example/page"] },
  "options that mcp-remote does not know": {
    args: ["--oauth-server", "https://x.example", "--no-resource"],
  },
};

describe("beside mcp-remote 0.15.1, server and client notice no difference", () => {
  test.each(Object.entries(cases))("%s", async (name, given) => {
    const [theirs, ours] = await Promise.all(programs.map((program) => run(program, given)));
    expect(ours!.server).toEqual(theirs!.server);
    expect(ours!.client).toEqual(theirs!.client);
    if (name === "--silent") expect([ours!.stderr, theirs!.stderr]).toEqual(["", ""]);
  });
});

/** How a start ends that is refused: the exit code is not 0, and the server has got nothing. */
async function refusal(program: Program, { args, host = "127.0.0.1", query = "" }: Case) {
  using folder = ownFolder();
  using server = startServer({ hostname: host });
  const url = `http://${host}:${server.port}/mcp${query}`;
  const client = startClient(program, [url, ...args], { home: folder.path });
  const { code } = await client.end();
  return { isRefused: code !== 0, requests: server.seen.length };
}

describe("what mcp-remote refuses, the bridge refuses", () => {
  test.each<[string, Case]>([
    ["plain http to another address without --allow-http", { args: [], host: "127.0.0.2" }],
    ["a resource that is no URI", { args: ["--resource", "x y"] }],
    ["a parameter that the sign-in sets", { args: ["--authorize-param", "state=x"] }],
    ["client information that is no JSON", { args: ["--static-oauth-client-info", "{"] }],
    ["a header file that is missing", { args: ["--header-file", "/nonexistent/headers"] }],
    [
      "a token endpoint without the machine's grant",
      { args: ["--token-endpoint", "https://t.example/"] },
    ],
  ])("%s", async (_, given) => {
    const [theirs, ours] = await Promise.all(programs.map((program) => refusal(program, given)));
    expect([ours, theirs]).toEqual([
      { isRefused: true, requests: 0 },
      { isRefused: true, requests: 0 },
    ]);
  });
});
