import type { AuditSettings } from "../config/settings.ts";
import { appendProblem } from "../platform/append-file.ts";
import { AuditFile } from "../platform/audit-file.ts";
import { CountedLog } from "../platform/counted-log.ts";
import type { Log } from "../platform/log.ts";
import type { Redactor } from "../platform/redact.ts";
import { runId } from "../platform/run-id.ts";
import { asBridgeError, BridgeError, isErrorKind } from "../wire/errors.ts";
import { isSameId, Message } from "../wire/message.ts";
import { program } from "../wire/program-facts.ts";
import type { CallContext, ClientFacts, Deliver, Stop, Upstream } from "./core/types.ts";
import { ambiguousError, isAmbiguous, isDoubtful, plainParameters } from "./tools/named-tool.ts";

interface AuditOptions {
  readonly next: Upstream;
  /** Name of the server's entry in the configuration. */
  readonly name: string;
  readonly client: ClientFacts;
  readonly audits: readonly AuditSettings[];
  readonly redactor: Redactor;
  readonly log: Log;
  /** Returns the number of the next call: each call of a run has its own. */
  readonly nextCall: () => number;
}

/** One call whose first line is written and whose last is not. */
interface OpenCall {
  readonly number: number;
  /** JSON text; undefined for a notification. */
  readonly id: string | undefined;
  readonly startedAt: number;
}

/** How a call ended. */
interface Ending {
  /**
   * `ok`; `tool-error`: the result says `isError`; `rpc-error`: the server answered with a JSON-RPC error; `sent`: a
   * notification, which has no answer; else the kind of the bridge's error.
   */
  readonly outcome: string;
  /** The code of the server's JSON-RPC error. */
  readonly code?: unknown;
  /** Size of the response. */
  readonly bytes?: number;
}

/** What a line says of a call besides time, run and number. */
interface Facts extends Partial<Ending> {
  readonly tool?: string | undefined;
  readonly client?: string;
  readonly id?: string | undefined;
  readonly ms?: number;
}

/** Longer arguments are shown as their SHA-256. */
const maxArgumentsLength = 1024 * 1024;
const maxNameLength = 256;

/**
 * Writes an audit line before a tool call is passed on, and one when it ends. Stands outside of everything that may
 * refuse a call, so that a refused call has its lines, too. A call whose first line cannot be written is refused.
 */
export class AuditUpstream implements Upstream {
  readonly #options: AuditOptions;
  readonly #audits: readonly (AuditSettings & { readonly lines: AuditFile })[];
  readonly #failures: CountedLog;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#audits = options.audits.map((audit) => ({ ...audit, lines: new AuditFile(audit.file) }));
    this.#failures = new CountedLog(options.log, "warn", "the end of a call is not in the audit");
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const calls = toolCallsIn(message);
    if (calls.length === 0 && !mayMislead(message))
      return this.#options.next.send(message, deliver, signal, call);
    return this.#send(calls, message, deliver, signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  async #send(
    calls: readonly Message[],
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    context: CallContext | undefined,
  ): Promise<void> {
    const open: OpenCall[] = [];
    const end = (ending: Ending) => {
      for (const call of open.splice(0)) this.#end(call, ending);
    };
    const take: Deliver = (incoming) => {
      // The client gets its answer first: the last line is no condition of it.
      const delivered = deliver(incoming);
      for (const answer of responsesIn(incoming)) {
        const at = open.findIndex(({ id }) => id !== undefined && isSameId(id, answer.head.id!));
        for (const call of at < 0 ? [] : open.splice(at, 1)) this.#end(call, endingOf(answer));
      }
      return delivered;
    };
    try {
      const params = calls.map(plainParameters);
      for (const [at, each] of calls.entries()) open.push(this.#begin(each, params[at]));
      // In a batch, other parts than the calls may mislead.
      const isPlain = calls[0] === message && params[0] !== undefined;
      if (!isPlain && mayMislead(message))
        throw ambiguousError(this.#options.name, "the server has an audit");
      await this.#options.next.send(message, take, signal, context);
      end({ outcome: message.head.kind === "notification" ? "sent" : "bad-answer" });
    } catch (error) {
      end({ outcome: signal.aborted ? outcomeOfStop(signal.reason) : asBridgeError(error).kind });
      throw error;
    }
  }

  /** Writes the first line of a call; `params` are its plain parameters, if it has such. Throws `refused` if an audit does not take it. */
  #begin(message: Message, params: Readonly<Record<string, unknown>> | undefined): OpenCall {
    const { name, client } = this.#options;
    const { id } = message.head;
    const call = { number: this.#options.nextCall(), id, startedAt: performance.now() };
    const tool = params === undefined ? message.value(["params", "name"]) : params["name"];
    const line = this.#line("call", call, {
      tool: typeof tool === "string" ? this.#shown(tool) : undefined,
      client: this.#shown(client.name),
      id: id === undefined ? undefined : this.#shown(id),
    });
    let isBegun = false;
    for (const { file, lines, arguments: how } of this.#audits) {
      const raw = how === "none" ? undefined : this.#argumentsOf(message, params, how);
      try {
        lines.append(raw === undefined ? line : `${line.slice(0, -1)},"arguments":${raw}}`);
        isBegun = true;
      } catch (error) {
        if (isBegun) this.#end(call, { outcome: "refused" });
        throw notWrittenError(name, file, error);
      }
    }
    return call;
  }

  #end(call: OpenCall, ending: Ending): void {
    const ms = Math.round((performance.now() - call.startedAt) * 10) / 10;
    const line = this.#line("end", call, { ...ending, ms });
    for (const { file, lines } of this.#audits)
      try {
        lines.append(line);
      } catch (error) {
        this.#failures.note({ call: call.number, file, error: appendProblem(error) });
      }
  }

  /** Redacts before it shortens: half a secret would not match. */
  #shown(text: string): string {
    return this.#options.redactor.redact(text.slice(0, 8 * maxNameLength)).slice(0, maxNameLength);
  }

  #line(event: "call" | "end", { number: call }: OpenCall, facts: Facts): string {
    const time = new Date().toISOString();
    const { tool, client, id, outcome, code, bytes, ms } = facts;
    const { name: server } = this.#options;
    // One literal: spreading the facts takes longer.
    const line = {
      time,
      event,
      run: runId(),
      call,
      server,
      tool,
      client,
      id,
      outcome,
      code,
      bytes,
      ms,
    };
    return JSON.stringify(line);
  }

  /** The arguments as JSON text: redacted, or their SHA-256. */
  #argumentsOf(
    message: Message,
    plain: Readonly<Record<string, unknown>> | undefined,
    how: "hash" | "full",
  ): string | undefined {
    // JSON.stringify writes plain parameters exactly as they stand in the message.
    const text = plain ? JSON.stringify(plain["arguments"]) : message.text(["params", "arguments"]);
    if (text === undefined) return undefined;
    if (how === "hash" || text.length > maxArgumentsLength)
      return `"sha256:${Bun.SHA256.hash(text, "hex")}"`;
    return this.#options.redactor.json(text);
  }
}

/** The tool calls in a message: itself, or those of a batch. Some servers execute a notification of this name, too. */
function toolCallsIn(message: Message): readonly Message[] {
  const { kind, method } = message.head;
  if (kind !== "batch") return method === "tools/call" ? [message] : [];
  return message.elements().flatMap((part) => (part instanceof Message ? toolCallsIn(part) : []));
}

/** Whether a server may execute another call than the one that the lines name, or a call that has no lines. */
function mayMislead(message: Message): boolean {
  const { head, bytes } = message;
  if (head.kind === "batch")
    return message.elements().some((part) => part instanceof Message && mayMislead(part));
  if (head.kind === "response") return false;
  if (head.method !== "tools/call") return isAmbiguous(message);
  if (isAmbiguous(message, "params")) return true;
  const params = message.view(["params"]);
  return params !== undefined && isDoubtful(bytes, params, ["name", "arguments"]);
}

function responsesIn(message: Message): readonly Message[] {
  const { kind } = message.head;
  if (kind !== "batch") return kind === "response" ? [message] : [];
  return message.elements().flatMap((part) => (part instanceof Message ? responsesIn(part) : []));
}

const errorMark = '"isError"';
const metaPath = ["result", "_meta", `${program.name}/error`, "kind"];

function endingOf(answer: Message): Ending {
  const bytes = answer.bytes.length;
  if (answer.head.isError === true)
    return { outcome: "rpc-error", code: answer.value(["error", "code"]), bytes };
  const { buffer, byteOffset } = answer.bytes;
  const isMarked = Buffer.from(buffer, byteOffset, bytes).includes(errorMark);
  if (!isMarked || answer.value(["result", "isError"]) !== true) return { outcome: "ok", bytes };
  // A server must not be able to claim that the bridge refused the call.
  const kind = answer.isOwn ? answer.value(metaPath) : undefined;
  return { outcome: isErrorKind(kind) ? kind : "tool-error", bytes };
}

const outcomeOfStop = ({ by }: Stop) =>
  ({ client: "cancelled", deadline: "timeout", closing: "outcome-unknown" })[by];

function notWrittenError(name: string, file: string, error: unknown): BridgeError {
  return new BridgeError(
    "refused",
    `the call was not sent to "${name}": its audit ${file} cannot be written (${appendProblem(error)})`,
    {
      hint: 'make the file writable, with room on its disk, or change "audit" of this server',
      cause: error,
    },
  );
}
