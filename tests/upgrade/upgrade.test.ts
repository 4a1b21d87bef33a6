// This version and an earlier one (EARLIER_BIN) on the same home. Both directions: an upgrade, and a way back that holds
// as long as no key is used that the earlier version does not know.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunChild } from "../../src/commands/test/mcp-child.ts";
import { startEverything } from "../support/everything.ts";
import { ownFolder } from "../support/folder.ts";
import {
  type BridgeHome,
  bridgeHome,
  callTool,
  initializeParams,
  signIn,
  startRun,
} from "../support/oauth-bridge.ts";
import { oauthServers } from "../support/oauth-servers.ts";
import { programWords, runProgram } from "../support/program.ts";
import { certificates, install, name, plainForms, sumsOf } from "../support/release-server.ts";

type Program = readonly string[];
const earlier: Program = [process.env.EARLIER_BIN!];
const present: Program = programWords;

let folder: ReturnType<typeof ownFolder>;
let home: BridgeHome;
beforeEach(async () => {
  folder = ownFolder();
  home = await bridgeHome(folder.path, { url: "https://unused.example.com/mcp" });
});
afterEach(() => folder[Symbol.dispose]());

/** Runs a command to its end and returns its stdout. Throws if it fails. */
async function command(program: Program, words: readonly string[], stdin = ""): Promise<string> {
  const { code, stdout, stderr } = await runProgram(words, { env: home.env, stdin, program });
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Results of `initialize` and `tools/list` of a run that is started and ended for them. */
async function catalogSeenBy(program: Program): Promise<{ server: string; tools: string[] }> {
  const child = await startRun(home, [], program);
  const { result } = await child.request("initialize", initializeParams());
  const list = await child.request("tools/list", "{}");
  await child.end();
  const { serverInfo } = result as { serverInfo: { name: string } };
  const { tools } = list.result as { tools: { name: string }[] };
  return { server: serverInfo.name, tools: tools.map((tool) => tool.name) };
}

describe.each<[string, Program, Program]>([
  ["the earlier version, read by this one", earlier, present],
  ["this version, read by the earlier one", present, earlier],
])("written by %s:", (_, writer, reader) => {
  test("servers with every kind of credential that the wizard's options write", async () => {
    await home.configure({});
    const secret = "a-secret-of-the-test";
    const url = ["--url", "https://kb.example.com/mcp"];
    await command(writer, ["setup", "--server", "kb", ...url, "--token-stdin"], `${secret}\n`);
    await command(writer, ["setup", "--server", "env", ...url, "--token-env", "KB_TOKEN"]);
    await command(writer, ["setup", "--server", "header", ...url, "--header-env", "X-Key=KB_KEY"]);
    await command(writer, ["setup", "--server", "oauth", ...url, "--oauth"]);
    const servers = async (program: Program) => {
      const { servers } = JSON.parse(await command(program, ["status", "--json"]));
      return servers.map(({ name, url }: { name: string; url: string }) => [name, url]);
    };
    expect(await servers(reader)).toEqual(await servers(writer));
    expect(await command(reader, ["headers", "--server", "kb"])).toContain(`Bearer ${secret}`);
    // What the reader changes, the writer still reads.
    await command(reader, ["setup", "--server", "more", ...url, "--no-auth"]);
    expect(await servers(writer)).toHaveLength(5);
    await command(reader, ["remove", "env"]);
    expect(await servers(writer)).toHaveLength(4);
  }, 60_000);

  test("a catalog, which answers while the server is down", async () => {
    const everything = await startEverything("streamableHttp");
    await home.configure({ kb: { url: everything.url } });
    const filled = await catalogSeenBy(writer);
    expect(filled.tools).toContain("echo");
    await everything[Symbol.asyncDispose]();
    expect(await catalogSeenBy(reader)).toEqual(filled);
  }, 60_000);

  test("Codex's entry, which the reader keeps, at most adds to, and removes", async () => {
    const file = join(folder.path, ".codex/config.toml");
    mkdirSync(join(folder.path, ".codex"));
    const before = 'model = "x" # mine\n';
    writeFileSync(file, before);
    const launch = ["--command", "/usr/local/bin/codex-mcp-http-bridge"];
    await command(writer, ["codex-config", "--write", ...launch]);
    const written = readFileSync(file, "utf8");
    expect(written).toContain("[mcp_servers.kb]");
    await command(reader, ["codex-config", "--write", ...launch]);
    const kept = readFileSync(file, "utf8").split("\n");
    for (const line of written.split("\n")) expect(kept).toContain(line);
    await command(reader, ["codex-config", "--remove"]);
    expect(readFileSync(file, "utf8")).toBe(before);
  }, 60_000);

  describe("a sign-in", () => {
    const servers = oauthServers();
    beforeEach(() => home.configure({ kb: { url: servers.resource.url } }));

    const call = async (program: Program) => {
      const child: RunChild = await startRun(home, [], program);
      const result = await callTool(child);
      await child.end();
      return result;
    };

    test("is used, renewed, and read again where it came from", async () => {
      await signIn(home, "kb", "ada", writer);
      expect(await call(reader)).toBe("done");
      const { grant } = await home.stored();
      await servers.provider.revoke(grant.accessToken);
      expect(await call(reader)).toBe("done");
      expect((await home.stored()).grant.accessToken).not.toBe(grant.accessToken);
      expect(await call(writer)).toBe("done");
      await command(reader, ["logout", "--server", "kb"]);
      expect(readdirSync(join(folder.path, ".codex-mcp-bridge/credentials"))).not.toContain(
        "kb.json",
      );
    }, 60_000);

    test("is exported by one and imported by the other", async () => {
      await signIn(home, "kb", "ada", writer);
      const passphrase = ["--passphrase-fd", "0"];
      const text = await command(
        writer,
        ["credentials", "export", "--server", "kb", ...passphrase],
        "correct horse battery\n",
      );
      await command(reader, ["logout", "--server", "kb"]);
      await home.configure({});
      // The earlier version asks nothing and knows no --yes.
      const yes = reader === present ? ["--yes"] : [];
      const words = ["credentials", "import", ...passphrase, ...yes];
      await command(reader, words, `correct horse battery\n${text}`);
      // logout revoked the exported grant; the import itself is the subject here.
      expect((await home.stored()).grant.client.id).toBeString();
    }, 60_000);

    test("is shared by both while they run, and renewed once", async () => {
      await signIn(home, "kb", "ada", writer);
      const children = [await startRun(home, [], writer), await startRun(home, [], reader)];
      const before = servers.provider.tokenRequests("refresh_token").length;
      await servers.provider.revoke((await home.stored()).grant.accessToken);
      const calls = children.flatMap((child) => Array.from({ length: 10 }, () => callTool(child)));
      expect(new Set(await Promise.all(calls))).toEqual(new Set(["done"]));
      expect(servers.provider.tokenRequests("refresh_token").length - before).toBe(1);
      for (const child of children) await child.end();
    }, 60_000);
  });
});

test("install.sh replaces the earlier version while it runs; both serve their clients", async () => {
  await using everything = await startEverything("streamableHttp");
  await home.configure({ kb: { url: everything.url } });
  const bin = join(folder.path, "bin");
  mkdirSync(bin);
  const program: Program = [join(bin, name)];
  copyFileSync(earlier[0]!, program[0]!);
  const echo = async (child: RunChild) =>
    (await child.request("tools/call", '{"name":"echo","arguments":{"message":"m"}}')).error;
  const running = await startRun(home, [], program);
  expect(await echo(running)).toBeUndefined();

  const carried = join(folder.path, "carried");
  mkdirSync(carried);
  copyFileSync(present[0]!, join(carried, name));
  const files = plainForms(readFileSync(present[0]!));
  writeFileSync(join(carried, "SHA256SUMS"), sumsOf(files));
  const { code, stderr } = await install(["--from", join(carried, name), "--to", bin], {
    home: folder.path,
    address: "",
    env: { PATH: `${process.env.PATH}:${bin}`, CURL_CA_BUNDLE: join(certificates, "ca.pem") },
  });
  expect([code, stderr]).toEqual([0, ""]);

  const commitOf = async (words: Program) =>
    JSON.parse(await command(words, ["--version", "--json"])).commit;
  expect(await commitOf(program)).toBe(await commitOf(present));
  expect(await commitOf(program)).not.toBe(await commitOf(earlier));
  const upgraded = await startRun(home, [], program);
  for (let round = 0; round < 5; round++) {
    expect(await echo(running)).toBeUndefined();
    expect(await echo(upgraded)).toBeUndefined();
  }
  expect([await running.end(), await upgraded.end()]).toEqual([0, 0]);
}, 60_000);
