import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { command as importCommand } from "../../../src/commands/import/import.ts";
import { command as removeCommand } from "../../../src/commands/remove.ts";
import { approvedFile, credentialsFile, stateOf } from "../../../src/platform/paths.ts";
import { bridge, removeUsers, user } from "./import-user.ts";

afterEach(removeUsers);

const replace = ["--all", "--replace", "--command", bridge];
const cursor = ".cursor/mcp.json";
const gemini = ".gemini/settings.json";
const config = ".codex-mcp-bridge/config.json";
const journal = ".codex-mcp-bridge/import.json";
const backupOf = (name: string) => `${name}.codex-mcp-http-bridge.bak`;
const remote = (name: string, token: string) =>
  JSON.stringify({
    mcpServers: {
      [name]: {
        url: `https://${name}.example/mcp`,
        headers: { Authorization: `Bearer ${token}` },
      },
    },
  });
const old = { old: { url: "https://old.example/mcp" } };
const one = { url: "https://one.example/mcp", token: "token-one" };
const two = { url: "https://two.example/mcp", token: "token-two" };

/** A user with two clients, each with a server, and a configuration with `servers`. */
function userOfTwo(servers: object = old) {
  const owner = user(servers);
  const path = (name: string) => join(owner.home, name);
  const texts = { [cursor]: remote("one", "token-one"), [gemini]: remote("two", "token-two") };
  for (const [name, text] of Object.entries(texts)) owner.put(name, text);
  return {
    ...owner,
    path,
    /** Expects that everything is as before the import. */
    expectUndone: () => {
      for (const [name, text] of Object.entries(texts)) {
        expect(owner.text(name)).toBe(text);
        expect(existsSync(path(backupOf(name)))).toBe(false);
      }
      expect(owner.servers()).toEqual(servers);
      expect(existsSync(path(journal))).toBe(false);
    },
  };
}

describe("an import that fails is undone by --undo", () => {
  test("after the first of two files", async () => {
    const { atPrint, path, refused, run, text, servers, expectUndone } = userOfTwo();
    atPrint("Rewrote", () => chmodSync(path(gemini), 0o444));
    const { message } = await refused(importCommand, ...replace);
    expect(message).toBe(`${path(gemini)} is read-only`);
    expect(text(cursor)).toContain(bridge);
    expect(Object.keys(servers())).toEqual(["old", "one", "two"]);
    await run(importCommand, "--undo");
    expectUndone();
  });

  test("after the first of two files, without a new server", async () => {
    const { atPrint, path, refused, run, expectUndone } = userOfTwo({ one, two });
    atPrint("Rewrote", () => chmodSync(path(gemini), 0o444));
    await refused(importCommand, ...replace);
    const { out } = await run(importCommand, "--undo");
    expect(out).toBe(`✓ Restored ${path(cursor)}\n`);
    expectUndone();
  });

  test("in the middle of a rewrite", async () => {
    const { atPrint, path, refused, run, expectUndone } = userOfTwo();
    // A folder in the place of the backup.
    atPrint("Rewrote", () => mkdirSync(path(backupOf(gemini))));
    await refused(importCommand, ...replace);
    rmSync(path(backupOf(gemini)), { recursive: true });
    await run(importCommand, "--undo");
    expectUndone();
  });

  test("at the approvals, after config.json", async () => {
    const { home, put, refused, run, servers } = user(old);
    const tools = { pin: true };
    const approved = [{ name: "get", hash: "a".repeat(64) }];
    const team = {
      format: "codex-mcp-http-bridge/team",
      version: 1,
      servers: { kb: { url: one.url, tools, approved } },
    };
    const file = put("team.json", JSON.stringify(team));
    mkdirSync(approvedFile(stateOf(join(home, ".codex-mcp-bridge"), "kb")), { recursive: true });
    await refused(importCommand, file, "--all");
    expect(servers()).toEqual({ ...old, kb: { url: one.url, tools } });
    rmSync(approvedFile(stateOf(join(home, ".codex-mcp-bridge"), "kb")), { recursive: true });
    await run(importCommand, "--undo");
    expect(servers()).toEqual(old);
  });
});

test("an import changes nothing if one of its files is read-only", async () => {
  const { path, refused, text, servers } = userOfTwo();
  chmodSync(path(gemini), 0o444);
  const { message } = await refused(importCommand, ...replace);
  expect(message).toBe(`${path(gemini)} is read-only`);
  expect(text(cursor)).toBe(remote("one", "token-one"));
  expect(servers()).toEqual(old);
  expect(existsSync(path(journal))).toBe(false);
});

test("an import that changed nothing leaves the undo of the one before it", async () => {
  const { put, path, refused, run, servers, atPrint } = userOfTwo();
  await run(importCommand, "--from", "cursor", "--all");
  const before = readFileSync(path(journal), "utf8");
  const broken = "{";
  atPrint("To import", () => void put(config, broken));
  const whole = readFileSync(path(config), "utf8");
  await refused(importCommand, "--from", "gemini", "--all");
  expect(readFileSync(path(journal), "utf8")).toBe(before);
  put(config, whole);
  expect((await run(importCommand, "--undo")).out).toBe('✓ Removed server "one"\n');
  expect(servers()).toEqual(old);
});

describe("--undo that fails is repeated until it succeeds", () => {
  test("a config.json that cannot be read fails it before the first change", async () => {
    const { put, path, refused, run, text, expectUndone } = userOfTwo();
    await run(importCommand, ...replace);
    const [whole, rewritten] = [text(config), text(cursor)];
    put(config, "{");
    await refused(importCommand, "--undo");
    expect(text(cursor)).toBe(rewritten);
    expect(text(backupOf(cursor))).toBe(remote("one", "token-one"));
    put(config, whole);
    await run(importCommand, "--undo");
    expectUndone();
    expect(existsSync(path(backupOf(cursor)))).toBe(false);
  });

  test("a file that is read-only fails it before the first change", async () => {
    const { path, refused, run, text, expectUndone } = userOfTwo();
    await run(importCommand, ...replace);
    const rewritten = text(cursor);
    chmodSync(path(gemini), 0o444);
    await refused(importCommand, "--undo");
    expect(text(cursor)).toBe(rewritten);
    chmodSync(path(gemini), 0o600);
    await run(importCommand, "--undo");
    expectUndone();
  });

  test("between the files", async () => {
    const { atPrint, path, refused, run, expectUndone } = userOfTwo();
    await run(importCommand, ...replace);
    atPrint("Restored", () => chmodSync(path(gemini), 0o444));
    expect((await refused(importCommand, "--undo")).message).toEndWith("is read-only");
    chmodSync(path(gemini), 0o600);
    const { out } = await run(importCommand, "--undo");
    expect(out).toBe(
      `✓ Restored ${path(gemini)}\n✓ Removed server "one"\n✓ Removed server "two"\n`,
    );
    expectUndone();
  });

  test("between the files and config.json", async () => {
    const { atPrint, put, refused, run, text, expectUndone } = userOfTwo();
    await run(importCommand, ...replace);
    const whole = text(config);
    atPrint("settings.json", () => void put(config, "{"));
    await refused(importCommand, "--undo");
    put(config, whole);
    await run(importCommand, "--undo");
    expectUndone();
  });

  test("at a backup, after the servers", async () => {
    const { atPrint, path, put, refused, run, text, expectUndone } = userOfTwo();
    await run(importCommand, ...replace);
    const backup = text(backupOf(gemini));
    atPrint("Removed", () => {
      rmSync(path(backupOf(gemini)));
      mkdirSync(path(backupOf(gemini)));
    });
    await refused(importCommand, "--undo");
    rmSync(path(backupOf(gemini)), { recursive: true });
    put(backupOf(gemini), backup);
    const { out, notes } = await run(importCommand, "--undo");
    expect(out).toBe("");
    expect(notes).toEqual(
      ["one", "two"].map(
        (name) => `warning: server "${name}" is not in config.json any more, so it is not removed`,
      ),
    );
    expectUndone();
  });

  test("with a file that was changed meanwhile, the hint leads to the end", async () => {
    const { path, put, refused, run, text, expectUndone } = userOfTwo();
    await run(importCommand, ...replace);
    put(cursor, "{}");
    const { message, hint } = await refused(importCommand, "--undo");
    expect(message).toBe(`${path(cursor)} was changed since the import`);
    expect(hint).toBeFunction();
    put(cursor, text(backupOf(cursor)));
    await run(importCommand, "--undo");
    expectUndone();
  });

  test("without the backup, the error says so", async () => {
    const { path, refused, run } = userOfTwo();
    await run(importCommand, ...replace);
    rmSync(path(backupOf(cursor)));
    const { message } = await refused(importCommand, "--undo");
    expect(message).toContain("is not the file before the import any more");
  });
});

test("--undo names a server that is gone, and leaves one that was changed", async () => {
  const { put, run, text, servers } = userOfTwo();
  await run(importCommand, "--all");
  const { one: _, two: kept, ...rest } = JSON.parse(text(config)).servers;
  const changed = { ...kept, timeoutSec: 9 };
  put(config, JSON.stringify({ version: 1, servers: { ...rest, renamed: one, two: changed } }));
  const { out, notes } = await run(importCommand, "--undo");
  expect(out).toBe("");
  expect(notes).toEqual([
    'warning: server "one" is not in config.json any more, so it is not removed',
    'warning: server "two" was changed since the import and is not removed',
  ]);
  expect(servers()).toEqual({ ...old, renamed: one, two: changed });
});

describe("a server that cannot be removed keeps its entry", () => {
  const servers = { kb: one, kept: two };

  /** A user with a stored sign-in for kb, and its file. */
  function signedIn() {
    const owner = user(servers);
    const file = credentialsFile(stateOf(join(owner.home, ".codex-mcp-bridge"), "kb"));
    mkdirSync(dirname(file), { mode: 0o700, recursive: true });
    return { ...owner, file };
  }

  test("and its sign-in, if config.json cannot be written", async () => {
    const { home, file, refused, run, servers: current } = signedIn();
    writeFileSync(file, "{}", { mode: 0o600 });
    const schema = join(home, ".codex-mcp-bridge/config.schema.json");
    mkdirSync(schema);
    await refused(removeCommand, "kb");
    expect([current(), existsSync(file)]).toEqual([servers, true]);
    rmSync(schema, { recursive: true });
    await run(removeCommand, "kb");
    expect([current(), existsSync(file)]).toEqual([{ kept: two }, false]);
  });

  test("if its sign-in cannot be removed", async () => {
    const { file, refused, run, servers: current } = signedIn();
    mkdirSync(file);
    await refused(removeCommand, "kb");
    expect(current()).toEqual({ kept: two, kb: one });
    rmSync(file, { recursive: true });
    await run(removeCommand, "kb");
    expect(current()).toEqual({ kept: two });
  });
});
