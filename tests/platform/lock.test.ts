import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { changeConfig } from "../../src/config/save.ts";
import { withLock } from "../../src/platform/lock.ts";
import { homeOf } from "../../src/platform/paths.ts";
import { failure } from "../support/failure.ts";
import { ownFolder } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

const worker = join(import.meta.dir, "../support/config-writer.ts");
const spawn = (...words: string[]) =>
  Bun.spawn([process.execPath, worker, folder.path, ...words], { stdout: "pipe" });
const url = "https://x.example/mcp";

/** Resolves once the worker has said that word. */
async function says(child: { stdout: ReadableStream<Uint8Array> }, word: string): Promise<void> {
  let text = "";
  for await (const chunk of child.stdout) {
    text += new TextDecoder().decode(chunk);
    if (text.includes(word)) return;
  }
  throw new Error(`the worker ended and had said ${JSON.stringify(text)}`);
}

test("a lock has one holder at a time, also within one process", async () => {
  let owners = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 8 }, () =>
      withLock(folder.path, "kb", async () => {
        owners++;
        most = Math.max(most, owners);
        await Bun.sleep(1);
        owners--;
      }),
    ),
  );
  expect(most).toBe(1);
});

test("locks of different names do not wait for each other", async () => {
  const inner = await withLock(folder.path, "a", () => withLock(folder.path, "b", () => "both"));
  expect(inner).toBe("both");
});

test("a lock is freed when its work fails", async () => {
  const failed = withLock(folder.path, "kb", () => Promise.reject(new Error("no")));
  expect(failed).rejects.toThrow("no");
  await failed.catch(() => {});
  expect(await withLock(folder.path, "kb", () => 1)).toBe(1);
});

test("a lock's file is 0600 in a folder 0700, whatever the umask", async () => {
  const before = process.umask(0);
  await withLock(folder.path, "kb", () => {}).finally(() => process.umask(before));
  expect(statSync(join(folder.path, "locks")).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder.path, "locks/kb.lock")).mode & 0o777).toBe(0o600);
});

test("a symlink at the path of the lock file is not followed", async () => {
  const home = join(folder.path, "my home");
  mkdirSync(join(home, "locks"), { recursive: true });
  symlinkSync("/etc/passwd", join(home, "locks/kb.lock"));
  const error = await withLock(home, "kb", () => {}).catch((reason) => reason);
  expect(error.message).toBe(`cannot lock ${home}/locks/kb.lock (EEXIST)`);
  expect(error.hint).toBe(`run rm '${home}/locks/kb.lock'`);
});

test("an aborted signal ends the wait for a lock that another process holds", async () => {
  await using child = spawn("hold");
  await says(child, "held");
  const controller = new AbortController();
  const waiting = withLock(folder.path, "config", () => "got", controller.signal);
  controller.abort(new Error("enough"));
  expect((await waiting.catch((reason) => reason)).message).toBe("enough");
  child.kill("SIGKILL");
});

test("a lock is freed when its process is killed", async () => {
  await using child = spawn("hold");
  await says(child, "held");
  const waiting = withLock(folder.path, "config", () => "got");
  child.kill("SIGKILL");
  expect(await waiting).toBe("got");
});

test("concurrent saves of several processes lose no change", async () => {
  const children = ["a", "b", "c", "d"].map((name) => spawn("add", name, "15"));
  const codes = await Promise.all(children.map((child) => child.exited));
  expect(codes).toEqual([0, 0, 0, 0]);
  const config = JSON.parse(readFileSync(join(folder.path, "config.json"), "utf8"));
  expect(Object.keys(config.servers)).toHaveLength(60);
});

test("a process killed while it saves leaves the old configuration or the new one", async () => {
  const paths = homeOf({ CODEX_MCP_BRIDGE_HOME: folder.path });
  await changeConfig(paths, (raw) => {
    raw.servers = { first: { url, token: "t".repeat(200_000) } };
  });
  for (let round = 0; round < 8; round++) {
    await using child = spawn("add", `r${round}-`, "1000");
    await says(child, "saved");
    // Somewhere within one of its next saves.
    await Bun.sleep(Math.random() * 10);
    child.kill("SIGKILL");
    await child.exited;
    const config = await changeConfig(paths, () => {});
    expect(config.servers.has("first")).toBe(true);
  }
}, 30_000);

test("an invalid configuration is never overwritten", async () => {
  const paths = homeOf({ CODEX_MCP_BRIDGE_HOME: folder.path });
  const broken = '{"servers": {"a": ';
  writeFileSync(paths.configFile, broken, { mode: 0o600 });
  const error = await changeConfig(paths, (raw) => {
    raw.servers = {};
  }).catch((reason) => reason);
  expect(error.kind).toBe("configuration");
  expect(readFileSync(paths.configFile, "utf8")).toBe(broken);
});

test("an invalid change is not written", async () => {
  const paths = homeOf({ CODEX_MCP_BRIDGE_HOME: folder.path });
  await changeConfig(paths, (raw) => {
    raw.servers = { a: { url } };
  });
  const before = readFileSync(paths.configFile, "utf8");
  const error = await changeConfig(paths, (raw) => {
    raw.servers = { a: { url: "http://evil.example/" } };
  }).catch((reason) => reason);
  expect(error.message).toContain("servers.a.url");
  expect(readFileSync(paths.configFile, "utf8")).toBe(before);
});

test("a relative CODEX_MCP_BRIDGE_HOME is refused: it would depend on the current directory", () => {
  expect(failure(() => homeOf({ CODEX_MCP_BRIDGE_HOME: "x" })).kind).toBe("configuration");
  expect(failure(() => homeOf({})).message).toContain("HOME");
  expect(failure(() => homeOf({}, "")).exitCode).toBe(2);
  expect(homeOf({ HOME: "/h" }, "x.json").configFile).toBe(join(process.cwd(), "x.json"));
});
