import { join } from "node:path";
import { type Running, startProgram } from "../../support/oauth-bridge.ts";
import { programWords } from "../../support/program.ts";

/** A program that takes the arguments of mcp-remote. */
export interface Program {
  readonly name: "mcp-remote" | "bridge";
  readonly words: readonly string[];
}

const script = join(import.meta.dir, "../node_modules/mcp-remote/dist/proxy.js");
export const programs: readonly Program[] = [
  { name: "mcp-remote", words: ["node", script] },
  { name: "bridge", words: programWords },
];

/** A client on the stdin and stdout of a program. */
export interface Client {
  readonly running: Running;
  /** Sends a request; resolves to its response. */
  request(method: string, params?: object): Promise<Response>;
  notify(method: string): void;
  /** Closes stdin and waits for the end. */
  end(): Promise<{ readonly code: number; readonly stderr: string }>;
}

interface Response {
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever the server answered
  readonly result?: any;
  readonly error?: { readonly code: number; readonly message: string };
}

/** Starts a program in a home of its own. */
export function startClient(
  { words }: Program,
  args: readonly string[],
  { home, env = {} }: { home: string; env?: Record<string, string> },
): Client {
  // Without a place to show a browser both programs print the address.
  const all = {
    HOME: home,
    PATH: process.env.PATH ?? "",
    MCP_REMOTE_CONFIG_DIR: `${home}/auth`,
    ...env,
  };
  const running = startProgram(args, all, words);
  let lastId = 0;
  return {
    running,
    async request(method, params = {}) {
      const id = ++lastId;
      running.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
      const [line] = await running.seen(
        new RegExp(`^\\{(?=.*"id":${id}[,}])(?=.*"(?:result|error)":).*\\}$`, "m"),
      );
      return JSON.parse(line);
    },
    notify: (method) => running.write(`${JSON.stringify({ jsonrpc: "2.0", method })}\n`),
    async end() {
      running.endInput();
      const timer = setTimeout(() => running.kill(), 5000);
      const { code, stderr } = await running.ended;
      clearTimeout(timer);
      return { code, stderr };
    },
  };
}

/** The handshake of a client of 2025-06-18. */
export async function initialize(client: Client): Promise<Response> {
  const answer = await client.request("initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "side-by-side", version: "1.0.0" },
  });
  client.notify("notifications/initialized");
  return answer;
}
