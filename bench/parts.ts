// The server as a child process, the paths of a run, and the name of the machine.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Tally } from "./context.ts";

export const root = join(import.meta.dir, "..");
export const out = join(import.meta.dir, "out");
const caFile = join(out, "ca.pem");

/** Paths of the measured executable, of built files, and of the server's certificate. */
export const places = {
  bridge: process.env.BRIDGE_BIN ?? join(root, "dist/codex-mcp-http-bridge"),
  root,
  out,
  caFile,
};

/** A folder for the files of child processes, removed when this process exits. */
export function makeHome(): string {
  const home = mkdtempSync(join(out, "home-"));
  process.on("exit", () => rmSync(home, { recursive: true, force: true }));
  return home;
}

export interface Server {
  readonly port: number;
  readonly tlsPort: number;
  /** The requests it received, by path. */
  tallies(): Promise<Readonly<Record<string, Tally>>>;
  stop(): Promise<void>;
}

/** Starts server.ts; resolves once it listens. */
export async function startServer(
  certFile = caFile,
  keyFile = join(out, "ca.key"),
): Promise<Server> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "server.ts"), certFile, keyFile],
    {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const { port, tlsPort } = JSON.parse(new TextDecoder().decode(value));
  return {
    port,
    tlsPort,
    async tallies() {
      return (await (await fetch(`http://127.0.0.1:${port}/tally`)).json()) as Record<
        string,
        Tally
      >;
    },
    async stop() {
      child.stdin.end();
      await child.exited;
    },
  };
}

/** Processor and operating system, for the head of a result. */
export function machineName(): string {
  const [first] = cpus();
  return `${cpus().length} x ${first?.model.trim() ?? "unknown processor"}, ${process.platform} ${process.arch}, Bun ${Bun.version}`;
}
