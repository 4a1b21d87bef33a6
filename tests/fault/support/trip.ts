import { Client, type Incoming } from "./client.ts";
import type { Exchange } from "./exchange.ts";
import { type Prepared, type Program, token } from "./program.ts";
import { FaultServer, type FaultServerOptions } from "./server.ts";

/** A fault of the bridge in a scenario. */
export interface Problem {
  readonly check: "answer" | "time" | "executed" | "next" | "kind" | "output" | "memory" | "end";
  readonly text: string;
}

/**
 * Required end of a call: "result" (its own), "error" (any), an error kind (docs/errors.md), or "code:N" (the
 * server's error with that code).
 */
export type Ending = string | readonly string[];

/** Bridge deadlines of a scenario in seconds, far below the defaults. */
const shortened = { timeoutSec: 3, connectTimeoutSec: 1 };

/** Longest wait for an answer: three times the deadline of a call, for a busy machine. */
const patienceMs = 9000;

export interface TripOptions {
  readonly server?: FaultServerOptions;
  readonly entry?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly clientName?: string;
}

/** One bridge between a scripted client and a faulty server, with the faults found. */
export class Trip {
  readonly problems: Problem[] = [];
  readonly server: FaultServer;
  client: Client;
  readonly #start: () => Client;
  readonly #program: Program;
  readonly #clientName: string;
  #startBytes = 0;

  constructor(program: Program, home: string, options: TripOptions) {
    this.#program = program;
    this.#clientName = options.clientName ?? "fault-client";
    this.server = new FaultServer(options.server).start();
    const entry = { ...shortened, ...options.entry };
    const prepared: Prepared = program.prepare(home, this.server.url, entry);
    const started = { ...prepared, env: { ...prepared.env, ...options.env } };
    this.#start = () => new Client(started, home);
    this.client = this.#start();
  }

  /** Ends the bridge if it runs, and starts another with the cache of the first. */
  async restart(exit: number | readonly number[] = 0): Promise<void> {
    await this.#end(exit);
    this.client = this.#start();
  }

  note(check: Problem["check"], text: string): void {
    this.problems.push({ check, text });
  }

  /** Initialize, initialized and tools/list, all healthy. */
  async connect(): Promise<void> {
    const initialize = this.initialize();
    await this.ends(initialize, "any result", "next");
    this.client.notify("notifications/initialized");
    await this.ends(this.client.request("tools/list", {}), "any result", "next");
    this.#startBytes = this.#program.hasKinds ? await this.client.memoryBytes() : 0;
  }

  initialize(): string | number {
    return this.client.request("initialize", {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: this.#clientName, version: "1" },
    });
  }

  /** Sends a tool call; its executions are counted by `key`. */
  call(key: string, tool = "write", meta?: object): string | number {
    const params = { name: tool, arguments: { key } };
    return this.client.request(
      "tools/call",
      meta === undefined ? params : { ...params, _meta: meta },
      key,
    );
  }

  /** Waits for the answer to a request and checks it. */
  async ends(
    id: string | number,
    ending: Ending,
    check: Problem["check"] = "answer",
    withinMs = patienceMs,
  ): Promise<Incoming | undefined> {
    const startedAt = performance.now();
    // A late answer and no answer are different faults.
    const answer = await this.client.answer(id, withinMs * 2);
    const took = Math.round(performance.now() - startedAt);
    if (answer === undefined) this.note(check, `no answer to ${id} in ${took} ms`);
    else if (took > withinMs) this.note("time", `answer to ${id} took ${took} ms of ${withinMs}`);
    if (answer !== undefined) this.#judge(id, answer, ending, check);
    return answer;
  }

  /** Makes a call without a fault, which must work. */
  async next(key = "next"): Promise<void> {
    this.server.respond = () => false;
    await this.ends(this.call(key), "result", "next");
    this.times(key, 1);
  }

  /** Makes a call through a new bridge after the first has ended. */
  async nextStart(exit: number | readonly number[] = 0): Promise<void> {
    this.server.respond = () => false;
    await this.restart(exit);
    await this.connect();
    await this.next("next-start");
  }

  /** Checks how often the server executed the call: a number or a range. */
  times(key: string, expected: number | readonly [number, number]): void {
    this.#within(this.server.executions(key), expected, `executions of ${key}`);
  }

  /** Checks how often the call reached the server completely. */
  arrivals(key: string, expected: number | readonly [number, number]): void {
    this.#within(this.server.received(key), expected, `arrivals of ${key}`);
  }

  check(ok: boolean, check: Problem["check"], text: string): void {
    if (!ok) this.note(check, text);
  }

  /** Recorded requests that match. */
  seen(match: (exchange: Exchange) => boolean): Exchange[] {
    return this.server.requests.filter(match);
  }

  /** Growth of the peak of resident memory since `connect`, in bytes. */
  async growth(limitMB: number): Promise<void> {
    if (!this.#program.hasKinds) return;
    const grown = Math.round(((await this.client.memoryBytes()) - this.#startBytes) / 1e6);
    if (grown > limitMB) this.note("memory", `peak memory grew by ${grown} MB of ${limitMB}`);
  }

  /** Ends the bridge and checks what holds for every scenario: one answer each, clean stdout, exit 0. */
  async finish(exit: number | readonly number[] = 0): Promise<void> {
    await this.#end(exit);
    this.server.stop();
  }

  async #end(exit: number | readonly number[]): Promise<void> {
    const code = await this.client.end(8000);
    const allowed = typeof exit === "number" ? [exit] : exit;
    if (code === undefined) this.note("end", "had to be killed after EOF");
    else if (this.#program.hasKinds && !allowed.includes(code)) this.note("end", `exit ${code}`);
    for (const id of new Set(this.client.sent)) {
      const count = this.client.answers(id).length;
      const sent = this.client.sent.filter((other) => other === id).length;
      if (count > sent) this.note("answer", `${count} answers to ${id}`);
    }
    for (const line of this.client.garbage) this.note("output", `stdout: ${line.slice(0, 100)}`);
    const known = new Set<unknown>(this.client.sent);
    for (const message of this.client.messages) {
      if (message.method === undefined && message.id !== null && !known.has(message.id))
        this.note("output", `answer to unknown id ${JSON.stringify(message.id)}`);
    }
    if ((this.client.stderr + this.client.lines.join()).includes(token))
      this.note("output", "the token was shown");
  }

  #within(count: number, expected: number | readonly [number, number], what: string): void {
    const [low, high] = typeof expected === "number" ? [expected, expected] : expected;
    if (count < low || count > high) this.note("executed", `${count} ${what}, not ${expected}`);
  }

  #judge(id: string | number, answer: Incoming, ending: Ending, check: Problem["check"]): void {
    const text = answer.result?.content?.[0]?.text;
    const isOwn = text === String(id);
    const wanted = typeof ending === "string" ? [ending] : ending;
    const shown = JSON.stringify(answer.error ?? answer.result?.content ?? null).slice(0, 200);
    // Codex shows its user no error, so a call's error comes as a result.
    const kindOfResult = answer.result?._meta?.["codex-mcp-http-bridge/error"]?.kind;
    const isSuccess = answer.result !== undefined && kindOfResult === undefined;
    const maySucceed = wanted.some((one) => one === "result" || one === "any result");
    if (isSuccess) {
      if (!maySucceed || (wanted.includes("result") && !isOwn)) this.note(check, `got ${shown}`);
      return;
    }
    const mayFail = wanted.some((one) => one !== "result" && one !== "any result");
    if (!mayFail) this.note(check, `got ${shown}`);
    if (!mayFail || wanted.includes("error")) return;
    const kind = answer.error?.data?.kind ?? kindOfResult;
    const fits = wanted.includes(String(kind)) || wanted.includes(`code:${answer.error?.code}`);
    if (!fits && this.#program.hasKinds) this.note("kind", `got ${shown}, not ${ending}`);
  }
}
