import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { listing, listingServer } from "../support/listing-server.ts";
import { runProgram } from "../support/program.ts";
import { Session } from "../support/terminal.ts";

/** Nothing listens there. */
const url = "https://127.0.0.1:9/mcp";
let folder: ReturnType<typeof ownFolder>;
let home: string;
beforeEach(() => {
  folder = ownFolder();
  home = join(folder.path, ".codex-mcp-bridge");
});
afterEach(() => folder[Symbol.dispose]());

const run = (words: readonly string[], stdin?: string, env: Record<string, string> = {}) =>
  runProgram(words, {
    env: { HOME: folder.path, ...env },
    cwd: folder.path,
    ...(stdin !== undefined && { stdin }),
  });
const setup = (...words: string[]) => run(["setup", ...words]);
const servers = () => JSON.parse(readFileSync(join(home, "config.json"), "utf8")).servers;
const save = (content: object) => {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "config.json"), JSON.stringify({ servers: content }), { mode: 0o600 });
};

describe("the flag form of setup", () => {
  test("reads a token from stdin, and prints the next steps", async () => {
    const words = ["setup", "--server", "kb", "--url", url, "--token-stdin"];
    const ended = await run(words, " canary-token \n");
    expect(ended).toEqual({
      code: 0,
      stderr: "",
      stdout: `Saved server "kb" in ${home}/config.json

Next steps:
  codex-mcp-http-bridge test --server kb
  codex-mcp-http-bridge codex-config --server kb --write
  restart Codex
`,
    });
    expect(servers()).toEqual({ kb: { url, token: "canary-token" } });
  });

  test("takes every other part of an entry, with name and URL as plain words", async () => {
    const words = [
      ...["setup", "kb", "http://10.0.0.7/mcp", "--allow-http", "--transport", "sse"],
      ...["--header", "X-Team: blue", "--ca-file", "ca.pem", "--proxy", "http://proxy:3128"],
      ...["--client-id", "c", "--client-secret-stdin", "--scope", "a", "--scope", "b"],
      ...["--grant", "client_credentials", "--timeout", "30"],
    ];
    const ended = await run(words, "canary-secret\n");
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(servers().kb).toEqual({
      url: "http://10.0.0.7/mcp",
      allowHttp: true,
      transport: "sse",
      timeoutSec: 30,
      headers: { "X-Team": "blue" },
      network: { caFile: join(folder.path, "ca.pem"), proxy: "http://proxy:3128" },
      auth: {
        type: "oauth",
        clientId: "c",
        clientSecret: "canary-secret",
        scopes: ["a", "b"],
        grant: "client_credentials",
      },
    });
    const changed = await setup("kb", "--timeout", "60", "--scope", "c");
    expect(changed.code).toBe(0);
    expect(servers().kb).toMatchObject({
      timeoutSec: 60,
      auth: { clientId: "c", clientSecret: "canary-secret", scopes: ["c"] },
    });
  });

  test("--test tests the server afterwards, and exits as test does", async () => {
    await using server = listingServer(listing());
    const passed = await setup("kb", server.url, "--no-auth", "--test");
    expect([passed.code, passed.stdout.includes("All tests passed!")]).toEqual([0, true]);
    const failed = await setup("away", url, "--no-auth", "--test");
    expect([failed.code, failed.stdout.includes("✗ nothing accepts connections")]).toEqual([
      5,
      true,
    ]);
  });

  test("resolves --token-file against the current directory", async () => {
    writeFileSync(join(folder.path, "t"), "tok", { mode: 0o600 });
    const ended = await setup("--server", "kb", "--url", url, "--token-file", "t");
    expect([ended.code, ended.stderr]).toEqual([0, ""]);
    expect(servers().kb.tokenFile).toBe(join(folder.path, "t"));
  });

  test("suggests login for OAuth, with --config-path", async () => {
    const file = join(folder.path, "my config.json");
    const words = ["setup", "-c", file, "-s", "kb", "--url", url, "--oauth"];
    const { stdout } = await run(words);
    expect(stdout).toContain(`codex-mcp-http-bridge login --server kb --config-path '${file}'`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test.each<[words: string[], said: string]>([
    [[], "needs --server NAME and --url URL and one of --token-stdin, --token-env"],
    [["--server", "kb"], "needs --url URL and one of --token-stdin"],
    [["--server", "kb", "--url", url], "needs one of --token-stdin"],
    [["--url", url, "--no-auth"], "needs --server NAME"],
    [["--server", "k b", "--url", url], "--server: expected a name"],
    [["--server", "kb", "--url", "http://x.example/"], "ssh -L"],
    [["--server", "kb", "--url", url, "--oauth", "--no-auth"], "one credential"],
    [["kb", url, "--header", "X-Team"], "--header needs 'Name: value'"],
    [["kb", url, "--header", "X-Api-Key: canary-123456"], "the value may be a secret"],
    [["kb", url, "--header", "X-Team: canary4567890123456"], "the value may be a secret"],
    [["kb", url, "--timeout", "0"], "--timeout: expected seconds"],
    [["kb", url, "--proxy", "socks://p"], "--proxy: expected an http://"],
    [["kb", url, "--proxy", "http://u:canary@p:1"], "can read a password here"],
    [["kb", url, "--client-id", "c", "--no-auth"], "the OAuth options do not fit"],
    [["kb", url, "--token-stdin", "--client-secret-stdin"], "stdin holds one secret"],
    [["kb", url, "--grant", "password"], "--grant is one of"],
    [["kb", url, "https://other.example/", "--no-auth"], "--url is given twice"],
    [["--server", "kb", "--url", url, "--token-env", "canary=1"], "environment variable"],
    [["--server", "kb", "--url", url, "--header-env", "X-Key"], "--header-env needs Name=VAR"],
    [["--server", "kb", "--url", url, "--header-env", "Host=VAR"], "the bridge sets this one"],
    [["--server", "kb", "--url", url, "--header-env", "X-Key=canary 1"], "environment variable"],
    [["--server", "kb", "--url", url, "--approval", "yes"], "--approval is one of"],
    [["--server", "kb", "--url", url, "--token", "canary"], "unknown option --token"],
  ])(
    "%p is a usage error that names the missing option and writes nothing",
    async (words, said) => {
      const ended = await setup(...words);
      expect([ended.code, ended.stdout]).toEqual([2, ""]);
      expect(ended.stderr).toContain(said);
      expect(ended.stderr).not.toContain("canary");
      expect(existsSync(home)).toBe(false);
    },
  );

  test.each([
    ["nothing", "", "not empty"],
    ["two words", "canary two", "visible ASCII"],
    ["a scheme", "Bearer canary", "Bearer"],
    ["too much", "c".repeat(70_000), "64 KiB"],
  ])("%s on stdin is refused as a token", async (_, stdin, said) => {
    const ended = await run(["setup", "-s", "kb", "--url", url, "--token-stdin"], stdin);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(said);
    expect(ended.stderr).not.toContain("canary");
    expect(existsSync(home)).toBe(false);
  });

  test("refuses to read a token from a terminal, which would show it", async () => {
    const words = ["setup", "-s", "kb", "--url", url, "--token-stdin"];
    await using session = new Session(words, { HOME: folder.path });
    await session.sees("a terminal would show the secret");
    expect(await session.ended).toBe(2);
  });

  test("requires a new credential for a new origin, and removes the old credential and headers", async () => {
    const moved = "https://localhost:9/mcp";
    save({
      kb: { url, token: "canary", headers: { "X-Key": "canary" }, timeoutSec: 5, description: "d" },
    });
    const ended = await setup("--server", "kb", "--url", moved, "--description", "x");
    expect(ended.code).toBe(2);
    expect(servers().kb.url).toBe(url);
    expect((await setup("--server", "KB", "--url", moved, "--token-env", "NEW")).code).toBe(0);
    expect(servers()).toEqual({
      kb: { url: moved, timeoutSec: 5, description: "d", tokenEnv: "NEW" },
    });
  });

  test("says that there is nothing to change", async () => {
    save({ kb: { url, token: "tok" } });
    const ended = await setup("--server", "kb");
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain("an option that changes it");
  });
});

test("setup --schema prints the JSON Schema, which is also written beside the configuration", async () => {
  const { stdout, code } = await setup("--schema");
  expect(code).toBe(0);
  expect(JSON.parse(stdout).properties.servers.type).toBe("object");
  await setup("--server", "kb", "--url", url, "--no-auth");
  expect(readFileSync(join(home, "config.schema.json"), "utf8")).toBe(stdout);
  const config = JSON.parse(readFileSync(join(home, "config.json"), "utf8"));
  expect(config.$schema).toBe("./config.schema.json");
});
