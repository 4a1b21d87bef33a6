import { join } from "node:path";

/** The official everything server as a process of its own. */
export interface Everything extends AsyncDisposable {
  readonly url: string;
}

const program = join(
  import.meta.dir,
  "../../node_modules/@modelcontextprotocol/server-everything/dist/index.js",
);

/** A port that was free a moment ago: the server cannot choose one by itself. */
async function freePort(): Promise<number> {
  const probe = Bun.serve({ port: 0, fetch: () => new Response() });
  const port = probe.port!;
  await probe.stop(true);
  return port;
}

/** Starts the server and waits until it listens. Tries again if another process took the port meanwhile. */
export async function startEverything(transport: "sse" | "streamableHttp"): Promise<Everything> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const child = Bun.spawn([process.execPath, program, transport], {
      env: { PATH: process.env.PATH ?? "", PORT: String(port) },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const said = await whatItSays(child.stderr);
    if (said === undefined) {
      const path = transport === "sse" ? "/sse" : "/mcp";
      return {
        url: `http://127.0.0.1:${port}${path}`,
        async [Symbol.asyncDispose]() {
          child.kill("SIGKILL");
          await child.exited;
        },
      };
    }
    if (attempt === 5) throw new Error(`the everything server ended: ${said}`);
  }
}

/** Reads stderr until the server listens, and on, so that the pipe never fills. Returns its output if it ends instead. */
async function whatItSays(stderr: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const reader = stderr.getReader();
  const decoder = new TextDecoder();
  for (let said = ""; !/running on port|listening on port/.test(said); ) {
    const { done, value } = await reader.read();
    if (done) return said;
    said += decoder.decode(value, { stream: true });
  }
  void (async () => {
    while (!(await reader.read()).done);
  })();
  return undefined;
}
