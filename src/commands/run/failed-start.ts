// Serves the client of a start that failed before there was a server: an early exit would show only "connection closed".
import { createLog } from "../../platform/log.ts";
import { Redactor } from "../../platform/redact.ts";
import { runId } from "../../platform/run-id.ts";
import { openStdio } from "../../platform/stdio.ts";
import { type Answered, serve } from "../../relay/serve.ts";
import type { Ask, ClientFacts, Deliver, Upstream } from "../../upstream/core/types.ts";
import { problemToolName } from "../../upstream/stand-in/problem-tool.ts";
import { type OnFailure, StartGuard } from "../../upstream/stand-in/start-guard.ts";
import { asBridgeError, type BridgeError, type CommandLine } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";

/** Limits of the client's requests, since no server's settings are known. Size in bytes. */
const limits = { limit: 64 * 1024 * 1024, timeoutMs: 118_000 };

/** What a start opens: one server, or several as one. */
export interface Opened {
  readonly upstream: Upstream;
  /** Stores what must survive the process. */
  finish(): Promise<void>;
}

/** How the failed start is made once more. */
export interface Restart {
  /** Name of the server's entry; empty if the command line names none. */
  readonly name: string;
  open(client: ClientFacts, ask: Ask): Promise<Opened>;
}

interface FailedStartOptions {
  readonly error: BridgeError;
  /** Undefined if the command line itself is wrong. */
  readonly restart: Restart | undefined;
  readonly onFailure: OnFailure;
  readonly commandLine: CommandLine;
  /** The answer to initialize that was written before the start failed. */
  readonly answered: Answered | undefined;
}

/**
 * Answers the client as `onFailure` says until stdin ends; resolves to the exit code, or on a terminal to undefined, so
 * that main.ts prints the error.
 */
export async function serveFailedStart(options: FailedStartOptions): Promise<number | undefined> {
  const { error, restart, onFailure, commandLine, answered } = options;
  const { isatty } = await import("node:tty");
  if (isatty(0)) return undefined;
  const redactor = new Redactor();
  // Level error: each request fails with this error, and a warning for each would fill the log.
  const log = createLog({ level: "error", format: "text", redactor, run: runId() });
  log.error("start refused", { error: error.message, hint: error.hintText(commandLine) });
  const name = restart?.name || "bridge";
  let start: FailedStart | undefined;
  const code = await serve({
    name: "",
    connect(client, ask) {
      start = new FailedStart(error, restart && (() => restart.open(client, ask)));
      if (onFailure === "error") return start;
      const toolName = () => problemToolName(name, () => false);
      const shared = { name, toolName, onFailure, client, log, redactor, commandLine };
      return new StartGuard({ ...shared, next: start });
    },
    stdio: openStdio(),
    log,
    redactor,
    commandLine,
    answered,
    ...limits,
  });
  await start?.opened?.finish();
  return code > 128 || start?.opened !== undefined ? code : error.exitCode;
}

/** Rejects the first opening request with the error of the start; each later one makes the start once more. */
class FailedStart implements Upstream {
  #error: BridgeError;
  readonly #open: (() => Promise<Opened>) | undefined;
  #isFirst = true;
  /** What a later start has opened. */
  opened: Opened | undefined;
  readonly #isOpen = Promise.withResolvers<Upstream>();

  constructor(error: BridgeError, open: (() => Promise<Opened>) | undefined) {
    this.#error = error;
    this.#open = open;
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { kind, method } = message.head;
    const isOpening =
      kind === "request" && (method === "initialize" || method === "server/discover");
    if (isOpening && !this.#isFirst) await this.#start();
    if (isOpening) this.#isFirst = false;
    if (this.opened !== undefined) return this.opened.upstream.send(message, deliver, signal);
    if (kind === "request" || kind === "batch") throw this.#error;
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    await (await this.#isOpen.promise).listen(deliver, signal);
  }

  async close(deadlineMs: number): Promise<void> {
    await this.opened?.upstream.close(deadlineMs);
  }

  async #start(): Promise<void> {
    if (this.opened !== undefined || this.#open === undefined) return;
    try {
      this.opened = await this.#open();
      this.#isOpen.resolve(this.opened.upstream);
    } catch (error) {
      this.#error = asBridgeError(error);
    }
  }
}

/** The value of `--on-failure` in a command line that cannot be read; `auto` if it has none. */
export function onFailureIn(words: readonly string[]): OnFailure {
  const at = words.findIndex((word) => word.startsWith("--on-failure"));
  const value = words[at]?.split("=")[1] ?? words[at + 1];
  return value === "error" || value === "tool" ? value : "auto";
}
