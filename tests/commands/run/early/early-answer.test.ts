import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answerEarly } from "../../../../src/commands/run/early/early-answer.ts";
import type { EarlyAnswer } from "../../../../src/commands/run/run.ts";
import { holdsSecret, loadConfig, pickServer } from "../../../../src/config/load.ts";
import { rememberValidated } from "../../../../src/config/validated-cache.ts";
import { cacheFile, type Environment, homeOf } from "../../../../src/platform/paths.ts";
import { ServerCache } from "../../../../src/platform/server-cache.ts";
import type { Stdio } from "../../../../src/platform/stdio.ts";
import { catalogIdentity } from "../../../../src/upstream/catalog/identity.ts";
import { CatalogStore } from "../../../../src/upstream/catalog/store.ts";
import { parseMessage } from "../../../../src/wire/message.ts";
import { day } from "../../../support/catalog.ts";
import { memoryLog } from "../../../support/client.ts";
import { ownFolder, trustAbove } from "../../../support/folder.ts";

const result = '{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s"}}';
const params =
  '{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}';
const initialize = `{"jsonrpc":"2.0","id":"\\u0061","method":"initialize","params":${params}}`;
const answer = `{"jsonrpc":"2.0","id":"\\u0061","result":${result}}\n`;
const words = ["run", "--server", "kb"];
const never = new Promise<never>(() => undefined);
const bytesOf = (text: string) => new TextEncoder().encode(text);

let folder: ReturnType<typeof ownFolder>;
let trust: Disposable;
let env: Environment;
beforeEach(() => {
  folder = ownFolder();
  trust = trustAbove(folder.path);
  env = { CODEX_MCP_BRIDGE_HOME: folder.path };
});
afterEach(() => {
  setSystemTime();
  trust[Symbol.dispose]();
  folder[Symbol.dispose]();
});

const configFile = () => homeOf(env).configFile;

function write(entry: object): void {
  const servers = { kb: { url: "https://example.com/mcp", ...entry } };
  writeFileSync(configFile(), JSON.stringify({ version: 1, servers }), { mode: 0o600 });
}

/** What an earlier start leaves behind. */
async function startBefore(entry: object = { auth: { type: "none" } }): Promise<void> {
  write(entry);
  const config = await loadConfig(homeOf(env));
  const settings = pickServer(config, "kb");
  const cache = new ServerCache(cacheFile(settings.state), settings.url, memoryLog());
  rememberValidated(config, holdsSecret(config.raw), cache);
  const store = new CatalogStore(cache, () => catalogIdentity(settings, env), Date.now);
  store.saveStart(store.cacheKeyOf(parseMessage(bytesOf(initialize))), result);
  cache.flush();
}

/** What the last start found and did. */
let early: EarlyAnswer | undefined;

/** What a start writes for these first bytes of its input, or for what is read in their place. */
async function said(
  first: string | (() => Stdio["first"]),
  { by = words, environment = env } = {},
): Promise<string> {
  let text = "";
  const whole = async () => ({ done: false, value: bytesOf(first as string) });
  const read = typeof first === "string" ? whole() : first();
  read.catch(() => undefined);
  early = await answerEarly(by, environment, () => ({
    first: read,
    input: { [Symbol.asyncIterator]: () => ({ next: () => never }) },
    output: {
      write(bytes: Uint8Array) {
        text += new TextDecoder().decode(bytes);
        return bytes.length;
      },
      flush: () => 0,
    } as unknown as Stdio["output"],
    onSignal: () => undefined,
    onFault: () => undefined,
  }));
  return text;
}

describe("with the catalog of an earlier start", () => {
  beforeEach(() => startBefore());

  test.each([
    ["alone", `${initialize}\n`],
    ["behind blank lines", `\n  \r\n${initialize}\r\n`],
    ["before others", `${initialize}\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n`],
  ])("initialize %s is answered once, with its id byte for byte", async (_, first) => {
    expect(await said(first)).toBe(answer);
    expect(early?.answered?.id).toBe('"\\u0061"');
    expect(early?.answered?.page.result).toBe(result);
    expect(early?.known?.settings.name).toBe("kb");
  });

  test("the words of a required server are no obstacle", async () => {
    for (const more of [[], ["--config-path", configFile()]]) {
      const by = [...words, "--on-failure", "error", ...more];
      expect(await said(`${initialize}\n`, { by })).toBe(answer);
    }
  });

  test("a log file is no obstacle, and nothing is written to it", async () => {
    for (const more of [[], ["--config-path", configFile()]]) {
      const by = [...words, ...more, "--log-file", "/nonexistent/log"];
      expect(await said(`${initialize}\n`, { by })).toBe(answer);
    }
  });

  test("a named configuration and a log level without output are no obstacle", async () => {
    const by = [...words, "--config-path", configFile()];
    for (const LOG_LEVEL of ["info", "warn", "error", ""])
      expect(await said(`${initialize}\n`, { by, environment: { LOG_LEVEL } })).toBe(answer);
  });

  test("a first line that comes a little later is answered", async () => {
    const late = async () => {
      await Bun.sleep(2);
      return { done: false, value: bytesOf(`${initialize}\n`) };
    };
    expect(await said(late)).toBe(answer);
  });

  test.each<[string, string | (() => Stdio["first"])]>([
    ["half a line", initialize],
    ["another request", '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'],
    ["a request before it", `{"jsonrpc":"2.0","id":1,"method":"ping"}\n${initialize}\n`],
    ["a notification", '{"jsonrpc":"2.0","method":"initialize"}\n'],
    ["a batch", `[${initialize}]\n`],
    ["no JSON", `${initialize.slice(1)}\n`],
    ["another revision", `${initialize.replace("2025-06-18", "2025-03-26")}\n`],
    ["other capabilities", `${initialize.replace(":{}", ':{"roots":{}}')}\n`],
    ["a line over the limit", `${initialize.replace("}}", `,"x":"${"x".repeat(2 ** 26)}"}}`)}\n`],
    ["the end", () => Promise.resolve({ done: true, value: undefined })],
    ["nothing", () => never],
    ["a broken input", () => Promise.reject(new Error("broken"))],
  ])("%s is left to the bridge", async (_, first) => {
    expect(await said(first)).toBe("");
    expect(early?.known?.settings.name).toBe("kb");
    expect(early?.answered).toBeUndefined();
  });

  const named = () => ["--config-path", configFile()];
  test.each<[string[], (() => string[])?]>([
    [["run"]],
    [["run", "--server"]],
    [["run", "--server", ""]],
    [["run", "--server", "--demo"]],
    [["run", "--server", "other"]],
    [["run", "--server", "../kb"]],
    [["run", "--server", "kb", "--no-cache"]],
    [["run", "--server", "kb", "--config-path"]],
    [["run", "--server", "kb", "--config-path", ""]],
    [["run", "--server", "kb", "--config-path", "--no-cache"]],
    [["run", "--server", "kb", "--sign-in", "never"]],
    [["run", "--server", "kb", "--log-file"]],
    [["run", "--server", "kb", "--log-file", "log", "--no-cache"]],
    [["run", "--server", "kb", "--record", "record"]],
    [["run", "--server", "kb", "--on-failure", "tool"]],
    [["run", "--server", "kb", "--on-failure"]],
    [["run", "--config-path", "x", "--server", "kb"]],
    [["run", "--server", "kb"], () => [...named(), "--no-cache"]],
    [["run", "--server", "kb", "--demo"], named],
    [["test", "--server", "kb"]],
    [["test", "--server", "kb"], named],
    [[]],
  ])("the arguments %j are left to the bridge", async (by, more = () => []) => {
    expect(await said(`${initialize}\n`, { by: [...by, ...more()] })).toBe("");
    expect(early?.known).toBeUndefined();
  });

  test.each([
    { LOG_LEVEL: "debug" },
    { LOG_LEVEL: "loud" },
    { CODEX_MCP_BRIDGE_TEST: "1" },
    { CODEX_MCP_BRIDGE_HOME: "here" },
  ])("the variable %j is left to the bridge", async (variable) => {
    expect(await said(`${initialize}\n`, { environment: { ...env, ...variable } })).toBe("");
    expect(early?.known).toBeUndefined();
  });

  test("a catalog older than a week is left to the bridge", async () => {
    setSystemTime(Date.now() + 7 * day);
    expect(await said(`${initialize}\n`)).toBe("");
  });

  test("a file that has changed, or that others may write, is left to the full validation", async () => {
    const before = await Bun.file(configFile()).text();
    write({ auth: { type: "none" }, timeoutSec: 7 });
    expect(await said(`${initialize}\n`)).toBe("");
    writeFileSync(configFile(), before);
    chmodSync(configFile(), 0o622);
    expect(await said(`${initialize}\n`)).toBe("");
    expect(early?.known).toBeUndefined();
    chmodSync(configFile(), 0o600);
    expect(await said(`${initialize}\n`)).toBe(answer);
  });
});

test("a secret that others may read is left to the full validation", async () => {
  await startBefore({ token: "a-token-of-some-length" });
  expect(await said(`${initialize}\n`)).toBe(answer);
  chmodSync(configFile(), 0o644);
  expect(await said(`${initialize}\n`)).toBe("");
  expect(early).toBeUndefined();
});

test("a variable that is missing, or has another value, is left to the bridge", async () => {
  env = { ...env, KB_TOKEN: "a-token-of-some-length" };
  await startBefore({ tokenEnv: "KB_TOKEN" });
  expect(await said(`${initialize}\n`)).toBe(answer);
  const other = { ...env, KB_TOKEN: "another-token-of-length" };
  expect(await said(`${initialize}\n`, { environment: other })).toBe("");
  expect(await said(`${initialize}\n`, { environment: { ...env, KB_TOKEN: undefined } })).toBe("");
});

test("a file that is missing is left to the bridge, which names it", async () => {
  await startBefore({ tokenFile: join(folder.path, "none") });
  expect(await said(`${initialize}\n`)).toBe("");
});

test("a first start is left to the bridge", async () => {
  write({});
  expect(await said(`${initialize}\n`)).toBe("");
  writeFileSync(join(folder.path, "config.json"), "");
  expect(await said(`${initialize}\n`)).toBe("");
  expect(early?.known).toBeUndefined();
});
