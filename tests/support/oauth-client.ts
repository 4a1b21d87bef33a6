import type { BridgeHome } from "./oauth-bridge.ts";
import { programWords } from "./program.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

/** An MCP client over a child `run`; the test chooses its answers to requests of the bridge. */
export interface ClientProcess {
  request(method: string, params?: object): Promise<Json>;
  /** Several requests in one message. */
  batch(...requests: readonly (readonly [method: string, params: object])[]): Promise<Json[]>;
  notify(method: string, params?: object): void;
  /** Requests of the bridge, in order. */
  readonly asked: Json[];
  readonly notified: Json[];
  /** Resolves when a notification of this method has come. */
  noted(method: string): Promise<void>;
  /** Every line received. */
  readonly lines: string[];
  stderr(): string;
  end(): Promise<number>;
}

export interface ClientOptions {
  /** "kb" unless given. */
  readonly server?: string;
  readonly words?: readonly string[];
  /** In place of `run --server`. */
  readonly command?: readonly string[];
  readonly env?: Record<string, string>;
  /** Returns the result of a request of the bridge. */
  readonly answer?: (question: Json) => Promise<object> | object;
}

export function startClient(home: BridgeHome, options: ClientOptions = {}): ClientProcess {
  const { server = "kb", words = [], command = ["run", "--server", server] } = options;
  const child = Bun.spawn([...programWords, ...command, ...words], {
    env: { ...home.env, ...options.env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const waiting = new Map<number, (message: Json) => void>();
  const asked: Json[] = [];
  const notified: Json[] = [];
  const lines: string[] = [];
  const looking = new Set<() => void>();
  let nextId = 0;
  let stderr = "";
  const write = (message: object) => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    child.stdin.flush();
  };
  const answerTo = (id: number) => new Promise<Json>((resolve) => waiting.set(id, resolve));
  const take = async (message: Json) => {
    if (message.method === undefined) return waiting.get(message.id)?.(message);
    if (message.id === undefined) {
      notified.push(message);
      for (const look of looking) look();
      return;
    }
    asked.push(message);
    const result = (await options.answer?.(message)) ?? { action: "decline" };
    write({ id: message.id, result });
  };
  const reading = (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of child.stdout) {
      rest += decoder.decode(chunk, { stream: true });
      for (let at = rest.indexOf("\n"); at >= 0; at = rest.indexOf("\n")) {
        const line = rest.slice(0, at);
        rest = rest.slice(at + 1);
        lines.push(line);
        void take(JSON.parse(line));
      }
    }
  })();
  const errors = (async () => {
    for await (const chunk of child.stderr) stderr += new TextDecoder().decode(chunk);
  })();
  return {
    asked,
    notified,
    lines,
    stderr: () => stderr,
    noted: (method) =>
      new Promise((resolve) => {
        const look = () => {
          if (!notified.some((message) => message.method === method)) return;
          looking.delete(look);
          resolve();
        };
        looking.add(look);
        look();
      }),
    request(method, params = {}) {
      const id = nextId++;
      write({ id, method, params });
      return answerTo(id);
    },
    batch(...requests) {
      const parts = requests.map(([method, params]) => {
        return { jsonrpc: "2.0", id: nextId++, method, params };
      });
      child.stdin.write(`${JSON.stringify(parts)}\n`);
      child.stdin.flush();
      return Promise.all(parts.map(({ id }) => answerTo(id)));
    },
    notify: (method, params) => write({ method, ...(params && { params }) }),
    async end() {
      child.stdin.end();
      await Promise.all([reading, errors]);
      return child.exited;
    },
  };
}

/** Does the handshake of a client with these capabilities. */
export async function handshake(client: ClientProcess, capabilities: object = {}): Promise<Json> {
  const answer = await client.request("initialize", {
    protocolVersion: "2025-06-18",
    capabilities,
    clientInfo: { name: "test", version: "1.0.0" },
  });
  client.notify("notifications/initialized");
  return answer;
}

/** The capabilities that Codex declares. */
export const codexCapabilities = { elicitation: { form: {}, url: {} } };
