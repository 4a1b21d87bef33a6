import type { Context } from "../../cli/command.ts";
import { startChild } from "../../platform/exec.ts";
import { testClientName } from "../../upstream/core/client-traits.ts";
import { BridgeError } from "../../wire/errors.ts";
import { LineSplitter } from "../../wire/lines.ts";

/** A result of the server. It is not validated, so that each member may have any type. */
export interface Result {
  readonly protocolVersion?: unknown;
  readonly capabilities?: unknown;
  readonly serverInfo?: unknown;
  readonly content?: unknown;
  readonly isError?: unknown;
  readonly tools?: unknown;
  readonly nextCursor?: unknown;
  readonly _meta?: unknown;
  readonly [name: string]: unknown;
}

/** A JSON-RPC message that the bridge wrote. */
interface Incoming {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Result;
  readonly error?: { code: number; message: string; data?: { kind?: string; hint?: string } };
}

export interface Answer {
  readonly result?: Result;
  readonly error?: Incoming["error"];
  /** Time from the write of the request to the arrival of its answer. */
  readonly ms: number;
  /** The JSON text of the request, without its line end. */
  readonly sent: string;
  /** JSON text of the response; empty where the bridge answered without one. */
  readonly bytes: Uint8Array;
}

type Settle = (outcome: Pick<Answer, "result" | "error" | "bytes">) => void;

export interface ChildOptions {
  /** The arguments after the executable. */
  readonly words: readonly string[];
  /** The child's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Called with each log line of the child, which otherwise goes to stderr. */
  readonly logged?: (line: string) => void;
  /** Called with each notification of the server. */
  readonly notified?: (method: string, params: Record<string, unknown>) => void;
}

const lineLimitBytes = 256 * 1024 * 1024;
/** Wait for the exit of the child, longer than the 5 s that the bridge gives calls under way. */
const exitGraceMs = 7000;

/** A child process of this executable with the command `run`. This class is its MCP client, over stdin and stdout. */
export class RunChild {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe" | "inherit">;
  readonly #waiting = new Map<number, Settle>();
  readonly #notified: ChildOptions["notified"];
  readonly #reading: Promise<void>;
  #lastId = -1;
  /** Number of lines on stdout that were no JSON-RPC messages; must stay 0. */
  strayLines = 0;

  constructor({ self }: Pick<Context, "self">, { words, env, notified, logged }: ChildOptions) {
    this.#notified = notified;
    this.#child = startChild(
      { words: [self[0]!, ...self.slice(1), ...words], env },
      { stdin: "pipe", stdout: "pipe", stderr: logged === undefined ? "inherit" : "pipe" },
    );
    this.#reading = this.#read();
    if (logged !== undefined) void this.#readLog(logged);
  }

  /** Sends a request; `params` is JSON text and is sent unchanged. Rejects when the child ends first. */
  async request(method: string, params: string): Promise<Answer> {
    const id = ++this.#lastId;
    const sent = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`;
    const startedAt = performance.now();
    const answered = new Promise<Answer>((resolve) => {
      this.#waiting.set(id, (outcome) =>
        resolve({ ...outcome, sent, ms: performance.now() - startedAt }),
      );
    });
    this.#write(sent);
    // Rejects only after the last line was read, because that line may be the answer.
    const ended = this.#reading.then(() => {
      throw new BridgeError("internal", `the bridge ended before it answered "${method}"`);
    });
    return Promise.race([answered, ended]);
  }

  /** Sends a notification without parameters. */
  notify(method: string): void {
    this.#write(JSON.stringify({ jsonrpc: "2.0", method }));
  }

  /** Closes the child's stdin and waits for its exit; resolves to its exit code. */
  async end(): Promise<number> {
    try {
      await this.#child.stdin.end();
    } catch {}
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), exitGraceMs);
    const code = await this.#child.exited;
    clearTimeout(kill);
    await this.#reading;
    return code;
  }

  /** Errors are ignored: if the child has exited, its stdout ends, and request() rejects. */
  async #write(line: string): Promise<void> {
    try {
      this.#child.stdin.write(`${line}\n`);
      await this.#child.stdin.flush();
    } catch {}
  }

  async #read(): Promise<void> {
    const splitter = new LineSplitter(lineLimitBytes);
    for await (const chunk of this.#child.stdout)
      for (const line of splitter.feed(chunk)) this.#receive(line);
    for (const line of splitter.end()) this.#receive(line);
  }

  async #readLog(logged: (line: string) => void): Promise<void> {
    const { stderr } = this.#child;
    const splitter = new LineSplitter(lineLimitBytes);
    if (stderr === undefined) return;
    for await (const chunk of stderr)
      for (const line of splitter.feed(chunk))
        if (line instanceof Uint8Array) logged(new TextDecoder().decode(line));
  }

  #receive(line: unknown): void {
    const bytes = line instanceof Uint8Array ? line : new Uint8Array();
    const message = parsed(bytes);
    if (message === undefined) this.strayLines++;
    else if (message.method === undefined) this.#settle(message, bytes);
    else if (message.id === undefined) this.#notified?.(message.method, message.params ?? {});
    else this.#reply(message.id, message.method);
  }

  #settle({ id, result, error }: Incoming, bytes: Uint8Array): void {
    const settle = typeof id === "number" ? this.#waiting.get(id) : undefined;
    if (settle === undefined) return;
    this.#waiting.delete(id as number);
    settle({ bytes, ...(error ? { error } : { result: result ?? {} }) });
  }

  /** Answers a request of the server as the non-interactive `codex exec` does. */
  #reply(id: number | string, method: string): void {
    const results: Record<string, object> = {
      ping: {},
      "roots/list": { roots: [] },
      "elicitation/create": { action: "decline" },
    };
    const result = results[method];
    const error = { code: -32601, message: `"${method}" is not offered here` };
    this.#write(JSON.stringify({ jsonrpc: "2.0", id, ...(result ? { result } : { error }) }));
  }
}

function parsed(line: Uint8Array): Incoming | undefined {
  try {
    const message = JSON.parse(new TextDecoder().decode(line));
    return message?.jsonrpc === "2.0" ? message : undefined;
  } catch {
    return undefined;
  }
}

/** The parameters of initialize, with the revision and the capabilities that Codex sends (Codex CLI 0.171.0). */
export function initializeParams(version: string): string {
  return JSON.stringify({
    protocolVersion: "2025-06-18",
    capabilities: {
      experimental: { "codex/auth-change": {} },
      elicitation: { form: {}, url: {} },
    },
    clientInfo: { name: testClientName, version },
  });
}
