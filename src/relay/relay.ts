import { CountedFailures, CountedLog } from "../platform/counted-log.ts";
import type { Log } from "../platform/log.ts";
import type { Redactor } from "../platform/redact.ts";
import {
  type ClientFacts,
  type Deliver,
  isCodex,
  type Outgoing,
  type Stop,
  type Upstream,
} from "../upstream/core/types.ts";
import { asBridgeError, type BridgeError, type CommandLine } from "../wire/errors.ts";
import { LineSplitter, type Oversize } from "../wire/lines.ts";
import { errorTo, type Flaw, idKey, isSameId, Message, readMessage } from "../wire/message.ts";
import { batchRevision } from "../wire/program-facts.ts";
import { areListening, Call, prolong, requestIdOf } from "./call.ts";
import { readClientFacts, readRevision } from "./client-facts.ts";
import { ClientRequests } from "./client-requests.ts";
import { forCodex, isReadable, tooLongError } from "./codex-limits.ts";
import { Deadlines } from "./deadlines.ts";
import { Notifications } from "./notifications.ts";
import type { Output } from "./output.ts";
import {
  endedError,
  errorReply,
  flawReply,
  floodError,
  oversizeReply,
  silentError,
  timeoutError,
  tooManyRequestsError,
} from "./own-errors.ts";
import { within } from "./timeout.ts";

export interface RelayOptions {
  /** Name of the server's entry; empty after a failed start. */
  readonly name: string;
  readonly upstream: Upstream;
  readonly output: Output;
  readonly client: ClientFacts;
  readonly log: Log;
  /** Removes secrets from the bridge's errors: the server's text in them may echo one. */
  readonly redactor: Redactor;
  /** Writes the commands in the hints of errors. */
  readonly commandLine: CommandLine;
  /** Called after the first answer was written. */
  readonly onFirstAnswer?: () => void;
  /** The id of the client's first request, if it was answered before the relay existed. */
  readonly answered?: string | undefined;
  /** Most bytes of one line of the client. */
  readonly limit: number;
  /** Deadline of each request. */
  readonly timeoutMs: number;
  /** Deadline of one request, where the servers of a combined run have different ones. */
  readonly timeoutOf?: ((request: Message) => number) | undefined;
}

/** Most refusals that may be on their way to the server at a time; then the stream that brings more requests is closed. */
const maxRefusals = 1000;

/** Number of answers after which Bun's JIT is switched on: compiling during a start would only delay it (build.sh). */
const fewAnswers = 64;
const done = Promise.resolve();
const now = () => performance.now();

/** Connects the client to one upstream, and answers every request id exactly once. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #calls = new Map<string, Call>();
  readonly #deadlines = new Deadlines(now);
  readonly #clientRequests: ClientRequests;
  readonly #notifications: Notifications;
  readonly #strayAnswers: CountedLog;
  readonly #failures: CountedFailures;
  readonly #refused: CountedLog;
  readonly #tooLong: CountedLog;
  #answered = 0;
  /** Refusals on their way to the server. */
  #refusals = 0;
  /** The id of the first request, if it was answered before the relay existed. */
  #answeredEarly: string | undefined;
  #onFirstAnswer: (() => void) | undefined;
  #isIdle = Promise.withResolvers<void>();

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#answeredEarly = options.answered;
    this.#strayAnswers = new CountedLog(options.log, "warn", "answer to nothing dropped");
    this.#failures = new CountedFailures(options.log, "call failed");
    this.#refused = new CountedLog(options.log, "warn", "request of the server refused");
    this.#tooLong = new CountedLog(options.log, "warn", "too long for Codex, dropped");
    this.#onFirstAnswer = options.onFirstAnswer;
    const fromServer = (message: Message) => this.#fromServer(message);
    this.#notifications = new Notifications({ ...options, fromServer });
    this.#clientRequests = new ClientRequests({
      ...options,
      now,
      reply: (answer) => this.#notifications.send(answer),
    });
  }

  /** Reads the client's lines to their end. */
  async read(input: AsyncIterable<Uint8Array>): Promise<void> {
    const { limit, output } = this.#options;
    const lines = new LineSplitter(limit);
    for await (const chunk of input) {
      for (const line of lines.feed(chunk)) this.#line(line);
      const room = output.room();
      if (room !== undefined) await room;
    }
    for (const line of lines.end()) this.#line(line);
  }

  /** Waits at most `graceMs` for the calls under way, then answers the rest: a call that was not sent with its failure, another with `outcome-unknown`. True if every call was answered. */
  async finish(graceMs: number): Promise<boolean> {
    const endAt = now() + graceMs;
    for (const call of this.#calls.values())
      if (call.isListening) this.#drop(call, { by: "closing" });
    if (this.#calls.size > 0 && graceMs > 0) await within(graceMs, this.#isIdle.promise);
    // The client's last notifications reach the server, too.
    await this.#notifications.finish(endAt - now());
    const open = [...new Set(this.#calls.values())];
    for (const call of open) call.controller.abort({ by: "closing" } satisfies Stop);
    // A call that waits for a server that cannot be reached fails in this turn of the event loop, with the reason.
    if (open.length > 0) await new Promise(setImmediate);
    for (const call of open) this.#settle(call, endedError());
    return open.length === 0;
  }

  /** Sends a request of the bridge itself to the client. */
  ask(request: Outgoing, signal: AbortSignal): Promise<Message> {
    return this.#clientRequests.ask(request, signal);
  }

  #line(line: Uint8Array | Oversize): void {
    const message = line instanceof Uint8Array ? readMessage(line) : undefined;
    if (message === undefined) this.#tooLarge(line as Oversize);
    else if ("flaw" in message) this.#flawed(message);
    else if (message.head.kind === "request") this.#begin(message, [message.head.id!]);
    else if (message.head.kind === "batch") this.#batch(message);
    else if (message.head.kind === "response") this.#clientAnswered(message);
    else if (message.head.method === "notifications/cancelled") this.#cancel(message);
    else void this.#notifications.send(message);
  }

  #flawed(flaw: Flaw): void {
    this.#options.log.warn("bad line from the client", { reason: flaw.reason });
    void this.#options.output.write(flawReply(flaw));
  }

  #tooLarge(line: Oversize): void {
    const { log, output, limit, commandLine } = this.#options;
    log.warn("line too long", { bytes: line.bytes });
    void output.write(oversizeReply(line, limit, commandLine));
  }

  #batch(message: Message): void {
    const parts = message.elements();
    const sound = parts.filter((part) => part instanceof Message && part.head.kind !== "batch");
    const isSound = parts.length > 0 && sound.length === parts.length;
    if (this.#options.client.protocolVersion !== batchRevision || !isSound) {
      this.#refuse(parts.flatMap(requestIdOf), "no batch is allowed here");
      return;
    }
    // Responses are taken out of the batch: each needs the id that the server knows.
    const answers = (sound as Message[]).flatMap((part, index) =>
      part.head.kind === "response" ? [[index, part] as const] : [],
    );
    for (const [, answer] of answers) this.#clientAnswered(answer);
    if (answers.length === parts.length) return;
    const rest = message.withElements([], new Map(answers.map(([index]) => [index, null])));
    const ids = rest.requestIds();
    if (ids.length === 0) void this.#notifications.send(rest);
    else this.#begin(rest, ids);
  }

  /** Refuses every request id; without ids, answers with the id null. */
  #refuse(ids: readonly string[], reason: string): void {
    if (ids.length === 0) this.#flawed({ flaw: "invalid", reason });
    for (const id of new Set(ids)) this.#flawed({ flaw: "invalid", reason, id });
  }

  #begin(message: Message, ids: readonly string[]): void {
    const keys = ids.map(idKey);
    const isTwice = keys.length > 1 && new Set(keys).size < keys.length;
    if (isTwice || keys.some((key) => this.#calls.has(key))) {
      this.#refuse(ids, "the id is already in use");
      return;
    }
    const isAnswered = ids[0] === this.#answeredEarly;
    const call = new Call(this.#options.name, message, ids, now(), isAnswered);
    this.#answeredEarly = undefined;
    if (this.#calls.size === 0) this.#isIdle = Promise.withResolvers<void>();
    for (const key of keys) this.#calls.set(key, call);
    this.#run(call);
  }

  #run(call: Call): void {
    const { upstream, timeoutMs, timeoutOf, client } = this.#options;
    const { message } = call;
    const { signal } = call.controller;
    if (!call.isListening) {
      const ms = timeoutOf === undefined ? timeoutMs : timeoutOf(message);
      call.deadline = this.#deadlines.start(ms, () => this.#expire(call, ms));
    }
    const deliver: Deliver = (incoming) => this.#deliver(call, incoming);
    const fail = (error: unknown) => {
      this.#fail(call, error);
      call.deadline?.callOff();
    };
    const end = () => {
      if (call.isOpen) this.#settle(call, silentError());
      call.deadline?.callOff();
    };
    try {
      if (call.isInitialize) {
        this.#notifications.renew();
        this.#clientRequests.endSession();
      }
      if (call.isInitialize || client.name === "") readClientFacts(client, message);
      upstream.send(message, deliver, signal, call).then(end, fail);
    } catch (error) {
      fail(error);
    }
  }

  #fail(call: Call, error: unknown): void {
    if (!call.isOpen) return;
    let known = asBridgeError(error);
    // The bridge ends: only a request that was not sent has certainly not been executed.
    if (call.controller.signal.aborted && !known.safeToRetry) known = endedError();
    this.#failures.note(known);
    this.#settle(call, known);
  }

  #expire(call: Call, ms: number): void {
    const error = timeoutError(ms);
    this.#failures.note(error);
    this.#settle(call, error);
    call.controller.abort({ by: "deadline" } satisfies Stop);
  }

  /** Answers the open ids of a call with an error. */
  #settle(call: Call, error: BridgeError): void {
    const asked = call.method === "tools/call" ? call.message : undefined;
    for (const id of call.open)
      void this.#answer(call, id, errorReply(id, error, this.#options, asked));
  }

  /** Handles a message of the server for one call. Only responses to the call's open ids pass, each once. */
  #deliver(call: Call, message: Message): Promise<void> {
    const { kind, id } = message.head;
    if (kind === "batch") return this.#deliverEach(call, message);
    if (kind !== "response") return this.#fromServer(message, call);
    if (call.waitsFor(id!)) return this.#answer(call, id!, message);
    const own = call.open.find((open) => isSameId(open, id!));
    if (own !== undefined)
      return this.#answer(call, own, message.with([{ path: ["id"], raw: own }]));
    this.#strayAnswers.note({ id: id!.slice(0, 64) });
    return done;
  }

  async #deliverEach(call: Call, batch: Message): Promise<void> {
    for (const part of batch.elements())
      if (part instanceof Message) await this.#deliver(call, part);
  }

  /** Answers one id. It is removed before the line is written, so that the client may use it again. */
  #answer(call: Call, id: string, answer: Message): Promise<void> {
    if (call.isInitialize) readRevision(this.#options.client, answer);
    if (++this.#answered === fewAnswers) Bun.unsafe.setJITPolicy(1);
    call.settle(id);
    this.#calls.delete(idKey(id));
    if (this.#calls.size === 0) this.#isIdle.resolve();
    if (this.#options.log.writes("debug"))
      this.#options.log.debug("answered", {
        id: id.slice(0, 64),
        method: call.message.head.method?.slice(0, 64),
        ms: Math.round(now() - call.startedAt),
        bytes: answer.bytes.length,
        error: answer.head.isError === true,
      });
    if (call.isAnswered) return done;
    const { client, output, commandLine } = this.#options;
    const shown = isCodex(client) ? forCodex(answer, call.message, commandLine) : answer;
    // The only answer awaited is written at once; many share one system call.
    const written = output.write(shown, areListening(this.#calls));
    // After the answers that are written in this turn of the event loop.
    if (this.#onFirstAnswer !== undefined) setImmediate(this.#onFirstAnswer);
    this.#onFirstAnswer = undefined;
    return written;
  }

  /** Handles a notification or request of the server; `call` is the call on whose stream it came. Rejects if that stream must be closed. */
  #fromServer(message: Message, call?: Call): Promise<void> {
    const { client, output } = this.#options;
    const { kind, method } = message.head;
    if (isCodex(client) && !isReadable(message)) {
      this.#tooLong.note({ bytes: message.bytes.length });
      const error = tooLongError("question", message, "make it shorter");
      return kind === "request" ? this.#refuseServer(message, error) : done;
    }
    if (kind === "request") {
      if (this.#clientRequests.isFull) return this.#refuseServer(message, tooManyRequestsError());
      return this.#clientRequests.forward(message, call);
    }
    if (method === "notifications/cancelled") {
      const cancelled = this.#clientRequests.cancelled(message);
      return cancelled === undefined ? done : output.write(cancelled);
    }
    // Codex does not extend its own timeout on progress, so neither does the bridge.
    if (method === "notifications/progress" && !isCodex(client))
      prolong(this.#calls.values(), message);
    return output.write(message);
  }

  /** Refuses a request of the server. Rejects if too many refusals wait in memory because the server accepts none. */
  #refuseServer(request: Message, error: BridgeError): Promise<void> {
    this.#refused.note({ reason: error.message });
    if (this.#refusals === maxRefusals) return Promise.reject(floodError());
    this.#refusals++;
    const refusal = errorTo(request.head.id!, error.toJsonRpc(this.#options.commandLine));
    void this.#notifications.send(refusal).finally(() => this.#refusals--);
    return done;
  }

  #clientAnswered(message: Message): void {
    if (this.#clientRequests.take(message)) return;
    this.#options.log.warn("answer to nothing dropped", { id: message.head.id!.slice(0, 64) });
  }

  #cancel(message: Message): void {
    const id = message.text(["params", "requestId"]);
    const call = id === undefined ? undefined : this.#calls.get(idKey(id));
    if (call === undefined || call.open.length > 1) void this.#notifications.send(message);
    else this.#drop(call, { by: "client", message });
  }

  /** Ends a call that the client no longer waits for. */
  #drop(call: Call, stop: Stop): void {
    for (const id of call.open) {
      this.#calls.delete(idKey(id));
      call.settle(id);
    }
    if (this.#calls.size === 0) this.#isIdle.resolve();
    call.controller.abort(stop);
  }
}
