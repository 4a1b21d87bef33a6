import { join } from "node:path";
import { RunChild } from "../../src/commands/test/mcp-child.ts";
import { approveInBrowser } from "./oauth-user.ts";
import { type Ended, programWords } from "./program.ts";

/** A home for one test, with a configuration of one server. */
export interface BridgeHome {
  readonly folder: string;
  readonly env: Record<string, string>;
  /** The stored sign-in. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was stored
  stored(name?: string): Promise<any>;
  store(value: object, name?: string): Promise<void>;
  configure(servers: Record<string, object>): Promise<void>;
}

/** Creates the home; `server` is the entry of server "kb". */
export async function bridgeHome(folder: string, server: object): Promise<BridgeHome> {
  const home = join(folder, ".codex-mcp-bridge");
  const { chmodSync, mkdirSync, writeFileSync } = await import("node:fs");
  mkdirSync(join(home, "credentials"), { recursive: true, mode: 0o700 });
  chmodSync(home, 0o700);
  const file = (name: string) => join(home, "credentials", `${name}.json`);
  const configure = async (servers: Record<string, object>) => {
    writeFileSync(join(home, "config.json"), JSON.stringify({ version: 1, servers }), {
      mode: 0o600,
    });
  };
  await configure({ kb: server });
  return {
    folder,
    env: { HOME: folder, PATH: process.env.PATH ?? "", LOG_LEVEL: process.env.T_LOG ?? "error" },
    configure,
    stored: async (name = "kb") => JSON.parse(await Bun.file(file(name)).text()),
    store: async (value, name = "kb") => {
      writeFileSync(file(name), JSON.stringify(value), { mode: 0o600 });
    },
  };
}

/** A running command whose output is read while it runs. */
export interface Running {
  readonly pid: number;
  /** Resolves to the first match in stdout and stderr together. */
  seen(pattern: RegExp): Promise<RegExpExecArray>;
  write(text: string): void;
  endInput(): void;
  kill(signal?: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

/** Starts the program and lets a test watch its output. */
export function startProgram(
  words: readonly string[],
  env: Record<string, string>,
  program = programWords,
): Running {
  const child = Bun.spawn([...program, ...words], {
    env,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const texts = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  const read = async (stream: ReadableStream<Uint8Array>, name: keyof typeof texts) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      texts[name] += decoder.decode(chunk, { stream: true });
      for (const wake of waiting) wake();
    }
  };
  const reading = Promise.all([read(child.stdout, "stdout"), read(child.stderr, "stderr")]);
  const ended = (async () => {
    await reading;
    return { code: await child.exited, ...texts };
  })();
  return {
    pid: child.pid,
    ended,
    seen: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(`${texts.stdout}\n${texts.stderr}`);
          if (match === null) return false;
          waiting.delete(look);
          resolve(match);
          return true;
        };
        if (look()) return;
        waiting.add(look);
        void ended.then(() => {
          if (!look())
            reject(new Error(`ended without ${pattern}: ${texts.stdout}${texts.stderr}`));
        });
      }),
    write: (text) => {
      child.stdin.write(text);
      child.stdin.flush();
    },
    endInput: () => void child.stdin.end(),
    kill: (signal = "SIGKILL") => child.kill(signal),
  };
}

/** Signs in through the page, as a person with a browser does. */
export async function signIn(
  home: BridgeHome,
  name = "kb",
  account = "ada",
  program = programWords,
): Promise<void> {
  const login = startProgram(["login", "--server", name, "--no-browser"], home.env, program);
  const [url] = await login.seen(/https?:\/\/\S+[?&]code_challenge=\S+/);
  await approveInBrowser(url, account);
  const { code, stderr } = await login.ended;
  if (code !== 0) throw new Error(`login failed: ${stderr}`);
}

/** The error that a client gets for initialize. */
export async function failedInitialize(home: BridgeHome): Promise<string> {
  const child = new RunChild(
    { self: programWords },
    { words: ["run", "--server", "kb"], env: home.env },
  );
  const { error } = await child.request("initialize", initializeParams());
  await child.end();
  return `${error?.code} ${error?.message}`;
}

/** Starts `run` with the test as its client, and does initialize. */
export async function startRun(
  home: BridgeHome,
  words: readonly string[] = [],
  program = programWords,
): Promise<RunChild> {
  const child = new RunChild(
    { self: program },
    { words: ["run", "--server", "kb", ...words], env: home.env },
  );
  await child.request("initialize", initializeParams());
  child.notify("notifications/initialized");
  return child;
}

export function initializeParams(capabilities: object = {}): string {
  return JSON.stringify({
    protocolVersion: "2025-06-18",
    capabilities,
    clientInfo: { name: "test", version: "1.0.0" },
  });
}

/** "done" where a tool call succeeds, else its error. */
export async function callTool(child: RunChild, tool = "echo") {
  const answer = await child.request("tools/call", JSON.stringify({ name: tool, arguments: {} }));
  return answer.error === undefined ? "done" : `${answer.error.code} ${answer.error.message}`;
}
