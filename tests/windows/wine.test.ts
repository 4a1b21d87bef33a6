// The executable for Windows under wine 8 (scripts/test-windows.sh). Servers run outside of wine.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Everything, startEverything } from "../support/everything.ts";
import { type Running, startProgram } from "../support/oauth-bridge.ts";
import { startProvider } from "../support/oauth-provider.ts";
import { startProtectedServer } from "../support/oauth-resource.ts";
import { approve } from "../support/oauth-user.ts";

const folder = process.env.WINE_FOLDER!;
const exe = "codex-mcp-http-bridge.exe";
const wine = [Bun.which("wine")!];
/** The Unix path of the user's profile in wine. */
let profile: string;
let everything: Everything;

const env = {
  PATH: process.env.PATH ?? "",
  HOME: folder,
  WINEPREFIX: join(folder, "prefix"),
  WINEDEBUG: "-all",
};

/** Starts a program under wine that reads nothing from stdin. */
function start(words: readonly string[]): Running {
  const running = startProgram(words, env, wine);
  running.endInput();
  return running;
}

/** Starts a program under wine with a pipe of Windows as its stdin. */
async function startPiped(words: readonly string[]): Promise<Running> {
  const connected = Promise.withResolvers<Bun.Socket>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => connected.resolve(socket), data() {} },
  });
  const running = start([at("feed.exe"), String(listener.port), ...words]);
  const socket = await Promise.race([
    connected.promise,
    running.ended.then(({ stderr }) => Promise.reject(new Error(`feed.exe ended: ${stderr}`))),
  ]);
  void running.ended.then(() => listener.stop(true));
  return {
    ...running,
    write: (text) => void socket.write(text),
    endInput: () => void socket.end(),
  };
}

/** The Windows path of a file beside the executable. */
const at = (file: string) => `Z:${join(folder, file).replaceAll("/", "\\")}`;

/** Runs the bridge to its end and returns its stdout. Throws with its stderr if it fails. */
async function bridge(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await start([at(exe), ...words]).ended;
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${stderr}`);
  return stdout.replaceAll("\r\n", "\n");
}

beforeAll(async () => {
  const users = join(folder, "prefix/drive_c/users");
  profile = join(users, readdirSync(users).find((name) => name !== "Public")!);
  everything = await startEverything("streamableHttp");
});
afterAll(() => everything[Symbol.asyncDispose]());
beforeEach(async () => {
  rmSync(join(profile, ".codex-mcp-bridge"), { recursive: true, force: true });
  await bridge("setup", "--server", "every", "--url", everything.url, "--no-auth");
});

test("demo passes and leaves no folder behind", async () => {
  expect(await bridge("demo")).toContain("All 7 steps passed");
  const left = readdirSync(join(profile, "Temp")).filter((name) => name.startsWith("codex-mcp"));
  expect(left).toEqual([]);
});

test("test finds the tools of the everything server", async () => {
  expect(await bridge("test", "--server", "every")).toContain("All tests passed!");
});

test("status names the servers and what is remembered", async () => {
  const { servers } = JSON.parse(await bridge("status", "--json"));
  expect(servers.map(({ name, url }: { name: string; url: string }) => [name, url])).toEqual([
    ["every", everything.url],
  ]);
});

test("call prints a tool's result", async () => {
  expect(await bridge("call", "every", "echo", "message=from Windows")).toBe(
    "Echo: from Windows\n",
  );
});

test("client-config writes the file of a client below %APPDATA%", async () => {
  await bridge("client-config", "--for", "vscode", "--write");
  const file = join(profile, "AppData/Roaming/Code/User/mcp.json");
  expect(JSON.parse(readFileSync(file, "utf8")).servers.every.command).toBe(at(exe));
});

interface CodexEntry {
  readonly command: string;
  readonly cwd: string;
  readonly env_vars: readonly string[];
}

test("codex-config writes an entry with Windows' paths and variables, once", async () => {
  const file = join(profile, ".codex/config.toml");
  mkdirSync(join(profile, ".codex"), { recursive: true });
  writeFileSync(file, 'model = "x"\n');
  await bridge("codex-config", "--write");
  const text = readFileSync(file, "utf8");
  const { every: entry } = (Bun.TOML.parse(text) as { mcp_servers: { every: CodexEntry } })
    .mcp_servers;
  expect(entry.command).toBe(at(exe));
  expect(entry.cwd).toStartWith("C:\\users\\");
  for (const absent of ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "https_proxy"])
    expect(entry.env_vars).not.toContain(absent);
  await bridge("codex-config", "--write");
  expect(readFileSync(file, "utf8")).toBe(text);
  await bridge("codex-config", "--remove");
  expect(readFileSync(file, "utf8")).toBe('model = "x"\n');
});

test.each([
  ["cmd's redirection", (line: string) => `${line} < token.txt`],
  ["cmd's pipe", (line: string) => `type token.txt | ${line}`],
])("setup takes a token from a file of Windows by %s", async (_, command) => {
  writeFileSync(join(folder, "token.txt"), "a-token\r\n");
  const words = ["setup", "--server", "kb", "--url", "https://kb.example.com/mcp", "--token-stdin"];
  const line = [at(exe), ...words].join(" ");
  const lines = ["@echo off", `cd /d ${at("")}`, command(line)];
  writeFileSync(join(folder, "setup.bat"), lines.join("\r\n"));
  const { code, stderr } = await start(["cmd", "/c", at("setup.bat")]).ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(await bridge("headers", "--server", "kb")).toContain('"Bearer a-token"');
});

const initialize =
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n' +
  '{"jsonrpc":"2.0","method":"notifications/initialized"}\n';
const call = (id: number) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{"message":"${id}"}}}\n`;

test("run answers each of 1,000 calls from a pipe once, with its own text", async () => {
  const run = await startPiped([at(exe), "run", "--server", "every"]);
  run.write(initialize);
  await run.seen(/"id":0/);
  for (let id = 1; id <= 1000; id++) {
    run.write(call(id));
    if (id % 50 === 0) await run.seen(new RegExp(`"id":${id}[,}]`));
  }
  run.endInput();
  const { code, stdout } = await run.ended;
  expect(code).toBe(0);
  const answers = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ id }) => id > 0);
  expect(answers.map(({ id }) => id).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 1000 }, (_, index) => index + 1),
  );
  for (const { id, result } of answers) expect(result.content[0].text).toBe(`Echo: ${id}`);
});

test("login takes a pasted address; the sign-in is used and renewed", async () => {
  const provider = await startProvider();
  const resource = startProtectedServer(provider);
  await bridge("setup", "--server", "kb", "--url", resource.url, "--oauth");
  const login = await startPiped([at(exe), "login", "--server", "kb", "--no-browser"]);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  login.write(`${await approve(url)}\n`);
  const { code, stdout, stderr } = await login.ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain('Signed in to "kb"');
  const stored = () =>
    JSON.parse(readFileSync(join(profile, ".codex-mcp-bridge/credentials/kb.json"), "utf8")).grant;
  const { accessToken } = stored();
  await provider.revoke(accessToken);
  expect(await bridge("test", "--server", "kb")).toContain("All tests passed!");
  expect(stored().accessToken).not.toBe(accessToken);
  await resource.close();
  await provider.close();
});

test("an executable that runs can be renamed and replaced, and goes on running", async () => {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const file of [exe, "bcryptprimitives.dll"])
    copyFileSync(join(folder, file), join(bin, file));
  const run = await startPiped([at(`bin\\${exe}`), "run", "--server", "every"]);
  run.write(initialize);
  await run.seen(/"id":0/);
  // Windows refuses to delete or overwrite a program that runs, but renames it.
  const cmd = (...words: string[]) => start(["cmd", "/c", ...words]).ended;
  expect((await cmd("move", at(`bin\\${exe}`), at("bin\\old.exe"))).code).toBe(0);
  expect((await cmd("copy", at(exe), at(`bin\\${exe}`))).code).toBe(0);
  const upgraded = await start([at(`bin\\${exe}`), "--version"]).ended;
  expect(upgraded.code).toBe(0);
  run.write(call(1));
  await run.seen(/Echo: 1/);
  run.endInput();
  expect((await run.ended).code).toBe(0);
});

describe("faults of Bun under wine 8, without any code of the bridge", () => {
  const piped = (program: string, ...words: string[]) =>
    startProgram(["-c", 'echo "{}" | wine "$@"', "sh", at(program), ...words], env, ["sh"]).ended;

  test("a folder cannot be removed recursively; stdin cannot be a pipe of the Unix side", async () => {
    const { stdout } = await piped("bun-under-wine.exe");
    expect(stdout.replaceAll("\r\n", "\n")).toBe(
      "rmdir: done\nrecursive rm: EFAULT\nread stdin: EBADF\n",
    );
  });

  test("the bridge tells the second one as an error, not as a crash", async () => {
    const { code, stderr } = await piped(exe, "run", "--demo");
    expect(code).toBe(1);
    expect(stderr).toContain("EBADF: bad file descriptor");
    expect(stderr).not.toContain("TypeError");
  });
});
