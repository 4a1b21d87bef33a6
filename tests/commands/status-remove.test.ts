import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { testContext } from "../support/context.ts";
import { ownFolder } from "../support/folder.ts";
import { runInProcess } from "../support/in-process.ts";

const url = "https://kb.example.com/mcp?key=canary-query";
let folder: ReturnType<typeof ownFolder>;
let file: string;
beforeEach(() => {
  folder = ownFolder();
  file = join(folder.path, "config.json");
});
afterEach(() => folder[Symbol.dispose]());

const run = (...words: string[]) => runInProcess(words, { CODEX_MCP_BRIDGE_HOME: folder.path });
const save = (servers: object) => writeFileSync(file, JSON.stringify({ servers }), { mode: 0o600 });
const everyKind = {
  kb: { url, token: "canary-token", description: "Mine\u001b[31m" },
  env: { url, tokenEnv: "KB_TOKEN", headers: { "X-Key": "canary-header" } },
  file: { url, tokenFile: "t" },
  command: { url, tokenCommand: ["vault", "canary-argument"], headersCommand: ["/bin/h"] },
  none: { url, auth: { type: "none" } },
};

describe("status", () => {
  test.each(["status", "list"])(
    "%s shows where each credential lives, and no secret",
    async (name) => {
      save(everyKind);
      const { code, stdout, stderr } = await run(name);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout.replaceAll(folder.path, "HOME")).toBe(`kb  https://kb.example.com/mcp?key=...
  Mine [31m
  token in HOME/config.json

env  https://kb.example.com/mcp?key=...
  token in the variable KB_TOKEN; headers X-Key

file  https://kb.example.com/mcp?key=...
  token in HOME/t

command  https://kb.example.com/mcp?key=...
  token printed by vault; headers printed by /bin/h

none  https://kb.example.com/mcp?key=...
  no credential
`);
    },
  );

  test("prints JSON without a secret", async () => {
    save(everyKind);
    const { stdout } = await run("status", "--json");
    expect(stdout).not.toContain("canary");
    const { config, servers } = JSON.parse(stdout);
    expect(config).toBe(file);
    expect(servers[0]).toMatchObject({
      name: "kb",
      url: "https://kb.example.com/mcp?key=...",
      credential: { type: "token", where: `token in ${file}` },
    });
    expect(servers).toHaveLength(5);
  });

  test("of no configuration is an error that says how to make one", async () => {
    const { code, stdout, stderr } = await run("status");
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toContain("hint: run codex-mcp-http-bridge setup");
  });

  test("of an empty configuration says so", async () => {
    save({});
    expect((await run("status")).stdout).toBe(`${file} holds no server\n`);
  });
});

describe("what is remembered of a server", () => {
  const hour = 60 * 60 * 1000;
  const catalog = (savedAt: number, names: readonly string[] | undefined) => ({
    savedAt,
    initialize: '{"protocolVersion":"2025-06-18"}',
    lists:
      names === undefined
        ? {}
        : {
            "tools/list ": {
              result: JSON.stringify({ tools: names.map((name) => ({ name })) }),
              savedAt,
            },
          },
  });
  const remember = (entries: object) => {
    const cache = new ServerCache(
      join(folder.path, "cache/kb.json"),
      new URL(url),
      testContext().log,
    );
    cache.set("catalog", { salt: "s", entries });
    cache.flush();
  };
  beforeEach(() => save({ kb: { url, auth: { type: "none" } } }));

  test("is shown by the newest catalog: how many tools, and how old", async () => {
    const savedAt = Date.now() - 3.5 * hour;
    remember({ a: catalog(savedAt - hour, ["x"]), b: catalog(savedAt, ["x", "canary-tool"]) });
    const time = new Date(savedAt).toISOString();
    const { stdout } = await run("status");
    expect(stdout).toEndWith(`  remembered: 2 tools, as of ${time} (3 hours ago)\n`);
    const { servers } = JSON.parse((await run("status", "--json")).stdout);
    expect(servers[0].catalog).toEqual({ tools: 2, savedAt: time });
  });

  test.each([
    [0, ["x"], "1 tool, as of .* \\(just now\\)"],
    [1.1 / 60, [], "0 tools, as of .* \\(1 minute ago\\)"],
    [49, undefined, "how to reach it, no list of tools yet, as of .* \\(2 days ago\\)"],
  ])("says how old it is: %p hours", async (hours, names, said) => {
    remember({ a: catalog(Date.now() - hours * hour, names) });
    expect((await run("status")).stdout).toMatch(new RegExp(`  remembered: ${said}\n$`));
  });

  test.each(["yesterday", 1e300, -1, null])(
    "is passed over where it cannot be read: saved at %p",
    async (savedAt) => {
      remember({ a: { ...catalog(0, ["x"]), savedAt } });
      const { code, stdout } = await run("status");
      expect(code).toBe(0);
      expect(stdout).not.toContain("remembered");
    },
  );

  test("is as old as the oldest of its pages", async () => {
    const savedAt = Date.now();
    const { lists, ...entry } = catalog(savedAt, ["x"]);
    const old = catalog(savedAt - 5 * hour, ["y"]).lists["tools/list "];
    remember({ a: { ...entry, lists: { ...lists, 'tools/list "2"': old } } });
    expect((await run("status")).stdout).toContain("remembered: 2 tools");
    expect((await run("status")).stdout).toContain("(5 hours ago)");
  });
});

describe("remove", () => {
  beforeEach(() => {
    save(everyKind);
    for (const name of ["credentials", "cache"]) {
      mkdirSync(join(folder.path, name));
      for (const server of ["kb", "env"]) {
        writeFileSync(join(folder.path, name, `${server}.json`), "{}", { mode: 0o600 });
      }
    }
  });

  test.each([[["kb"]], [["--server", "KB"]], [["kb", "-s", "kb"]]])(
    "%p forgets the server, its credentials and its cache, and nothing else",
    async (words) => {
      const { code, stdout } = await run("remove", ...words);
      expect(code).toBe(0);
      expect(stdout).toContain("codex-mcp-http-bridge codex-config --server kb --remove");
      const { servers } = JSON.parse(readFileSync(file, "utf8"));
      const { kb: _, ...others } = everyKind;
      expect(servers).toEqual(others);
      for (const name of ["credentials", "cache"]) {
        expect(existsSync(join(folder.path, name, "kb.json"))).toBe(false);
        expect(existsSync(join(folder.path, name, "env.json"))).toBe(true);
      }
    },
  );

  test.each([
    [[], 2, "needs the name"],
    [["kb", "--server", "env"], 2, "one server"],
    [["kb", "env"], 2, "unexpected word"],
    [["unknown"], 3, 'server "unknown" is not configured'],
    [["../../x"], 3, "is not configured"],
    [["toString"], 3, "is not configured"],
  ])("%p changes nothing", async (words, expected, said) => {
    const before = readFileSync(file, "utf8");
    const { code, stderr } = await run("remove", ...words);
    expect(code).toBe(expected);
    expect(stderr).toContain(said);
    expect(readFileSync(file, "utf8")).toBe(before);
  });
});
