import type { Subprocess } from "bun";
import type { Prepared } from "./program.ts";

export interface Incoming {
  readonly id?: unknown;
  readonly method?: string;
  readonly result?: {
    content?: { text?: string }[];
    _meta?: { "codex-mcp-http-bridge/error"?: { kind?: string } };
    [key: string]: unknown;
  };
  readonly error?: { code: number; message: string; data?: { kind?: string } };
}

/** A scripted MCP client of a bridge, over stdin and stdout. */
export class Client {
  readonly lines: string[] = [];
  readonly messages: Incoming[] = [];
  /** Lines of stdout that are not a JSON-RPC message. */
  readonly garbage: string[] = [];
  readonly sent: (string | number)[] = [];
  stderr = "";
  /** The answer to a request of the server; undefined: none. */
  reply: (request: Incoming) => string | undefined = () => "{}";
  readonly #answers = new Map<unknown, Incoming[]>();
  readonly #process: Subprocess<"pipe", "pipe", "pipe">;
  readonly #done: Promise<unknown>;
  #waiting: (() => void)[] = [];
  #open: Promise<void> = Promise.resolve();
  #resume: () => void = () => {};
  #ids = 0;

  constructor(prepared: Prepared, cwd: string) {
    this.#process = Bun.spawn(prepared.argv, {
      env: prepared.env,
      cwd,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#done = Promise.all([this.#readOut(), this.#readErr(), this.#process.exited]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  write(text: string | Uint8Array): void {
    this.#process.stdin.write(text);
    void this.#process.stdin.flush();
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** Sends a request and returns its id. */
  request(method: string, params: object, id: string | number = ++this.#ids): string | number {
    this.sent.push(id);
    this.line(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    return id;
  }

  notify(method: string, params: object = {}): void {
    this.line(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  answers(id: unknown): Incoming[] {
    return this.#answers.get(id) ?? [];
  }

  /** The first answer with this id, or undefined when none came in time. */
  async answer(id: unknown, withinMs: number): Promise<Incoming | undefined> {
    await this.until(() => this.answers(id).length > 0, withinMs);
    return this.answers(id)[0];
  }

  /** Waits for a condition that depends on the output or the end of the bridge. */
  async until(condition: () => boolean, withinMs: number): Promise<boolean> {
    const deadline = performance.now() + withinMs;
    while (!condition()) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      const timer = setTimeout(resolve, Math.min(left, 50));
      await promise;
      clearTimeout(timer);
    }
    return true;
  }

  /** Stops reading stdout, as a busy client does. */
  pause(): void {
    this.#open = new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  resume(): void {
    this.#resume();
  }

  /** Closes stdin; the exit code, or undefined when it had to be killed. */
  async end(withinMs: number): Promise<number | undefined> {
    this.resume();
    void this.#process.stdin.end();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), withinMs);
    await this.#done;
    clearTimeout(timer);
    return this.#process.signalCode === "SIGKILL"
      ? undefined
      : (this.#process.exitCode ?? undefined);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Peak resident memory in bytes, from the kernel; `VmRSS` is what is resident now. */
  async memoryBytes(field: "VmHWM" | "VmRSS" = "VmHWM"): Promise<number> {
    const status = await Bun.file(`/proc/${this.pid}/status`).text();
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024;
  }

  async #readOut(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#process.stdout) {
      await this.#open;
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) this.#take(part);
      this.#wake();
    }
    if (rest !== "") this.garbage.push(rest);
    this.#wake();
  }

  #take(line: string): void {
    this.lines.push(line);
    let message: Incoming & { jsonrpc?: string };
    try {
      message = JSON.parse(line) as typeof message;
    } catch {
      this.garbage.push(line);
      return;
    }
    if (message?.jsonrpc !== "2.0") this.garbage.push(line);
    this.messages.push(message);
    if (message.method === undefined)
      this.#answers.set(message.id, [...this.answers(message.id), message]);
    if (message.method === undefined || message.id === undefined) return;
    const result = this.reply(message);
    if (result !== undefined)
      this.line(`{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":${result}}`);
  }

  async #readErr(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#process.stderr) this.stderr += decoder.decode(chunk);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
