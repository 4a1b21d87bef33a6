import { createServer } from "node:net";
import { join } from "node:path";

const folder = join(import.meta.dir, "..");
/** Whether the systems that need Java run, too (`--all`). */
export const isWhole = process.env["INTEROP_ALL"] === "1";
export const python = (name: string) => join(folder, "out", name, "bin/python");
export const goServer = join(folder, "out/go-server");

/** Path of a file of this suite. */
export const fileOf = (path: string) => join(folder, path);

export interface OwnProcess extends AsyncDisposable {
  readonly url: string;
}

/** Longest wait until a server listens: the first import of a Python framework compiles it, and Keycloak builds itself. */
const startMs = isWhole ? 360_000 : 60_000;

/** Starts a server that prints its URL as a line of its own. */
export async function startPrinting(words: readonly string[]): Promise<OwnProcess> {
  const child = Bun.spawn([...words], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const stderr = child.stderr.text();
  const timer = setTimeout(() => child.kill("SIGKILL"), startMs);
  let seen = "";
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${words.join(" ")} did not start: ${await stderr}`);
    seen += decoder.decode(value, { stream: true });
    const url = /^http\S+$/m.exec(seen)?.[0];
    if (url === undefined) continue;
    clearTimeout(timer);
    // Whatever else it prints is read, so that it never waits for us.
    void (async () => {
      while (!(await reader.read()).done);
    })();
    return owned(child, url);
  }
}

/** Starts a server that must be given its port, and waits until it listens. */
export async function startOnPort(wordsFor: (port: string) => string[]): Promise<OwnProcess> {
  const port = await freePort();
  const words = wordsFor(String(port));
  const child = Bun.spawn(words, { stdout: "ignore", stderr: "ignore", stdin: "ignore" });
  const deadline = performance.now() + startMs;
  while (!(await isListening(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`${words.join(" ")} did not start`);
    }
    await Bun.sleep(50);
  }
  return owned(child, `http://127.0.0.1:${port}/mcp`);
}

function owned(child: Bun.Subprocess, url: string): OwnProcess {
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
      await child.exited;
      clearTimeout(timer);
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function isListening(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}
