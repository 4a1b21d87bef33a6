import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { holdsSecret, loadConfig, pickServer } from "../../src/config/load.ts";
import {
  readValidated,
  readValidatedFast,
  rememberValidated,
} from "../../src/config/validated-cache.ts";
import { cacheFile, homeOf } from "../../src/platform/paths.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { memoryLog } from "../support/client.ts";
import { ownFolder, trustAbove } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

const paths = () => homeOf({ CODEX_MCP_BRIDGE_HOME: folder.path });
const url = "https://example.com/mcp";

function write(entry: object, mode = 0o600): void {
  const text = JSON.stringify({ version: 1, timeoutSec: 7, servers: { kb: entry } });
  writeFileSync(paths().configFile, text);
  chmodSync(paths().configFile, mode);
}

/** Validates the configuration and stores the result, as a start without a cached result does. */
async function check() {
  const config = await loadConfig(paths());
  const settings = pickServer(config, "kb");
  const cache = new ServerCache(cacheFile(settings.state), settings.url, memoryLog());
  rememberValidated(config, holdsSecret(config.raw), cache);
  cache.flush();
  return settings;
}

/** What `run` does. */
async function known(name = "kb") {
  const asked = [paths(), name, memoryLog()] as const;
  return (await readValidatedFast(...asked)) ?? readValidated(...asked);
}

describe.each([
  ["where a quick check is enough", true],
  ["where the full check is needed", false],
])("%s", (_, isQuick) => {
  let trust: Disposable | undefined;
  beforeEach(() => {
    trust = isQuick ? trustAbove(folder.path) : undefined;
  });
  afterEach(() => trust?.[Symbol.dispose]());

  test("an unchanged file gives the validated settings without validation", async () => {
    write({ url, headers: { "X-Team": "blue" }, limits: { messageMB: 5 } });
    expect(await known()).toBeUndefined();
    expect(await check()).toEqual((await known())!.settings);
  });

  test("a file that changed by one byte is not served from the cache", async () => {
    write({ url });
    await check();
    write({ url, unknown: 1 });
    expect(await known()).toBeUndefined();
    write({ url });
    expect(await known()).toBeDefined();
  });

  test("a server that is not in the file is left to the full check, which reports it", async () => {
    write({ url });
    await check();
    for (const name of ["KB", "other", "constructor", "__proto__"])
      expect(await known(name)).toBeUndefined();
  });

  test("a missing file and a file that is not JSON are left to the full check", async () => {
    expect(await known()).toBeUndefined();
    writeFileSync(paths().configFile, "{", { mode: 0o600 });
    expect(await known()).toBeUndefined();
  });

  test("a file with a secret is refused if its mode was changed to readable by others", async () => {
    write({ url, token: "a-secret-token" });
    await check();
    expect(await known()).toBeDefined();
    chmodSync(paths().configFile, 0o644);
    await expect(known()).rejects.toThrow("may be read by others");
  });

  test("a file that others may write is refused", async () => {
    write({ url });
    await check();
    chmodSync(paths().configFile, 0o622);
    await expect(known()).rejects.toThrow("may be written by others");
  });

  test("readValidatedFast finds the server exactly if a quick check is enough", async () => {
    write({ url });
    await check();
    expect((await readValidatedFast(paths(), "kb", memoryLog())) !== undefined).toBe(isQuick);
  });

  test("an invalid name finds no server", async () => {
    write({ url });
    await check();
    expect(await known("../kb")).toBeUndefined();
  });
});
