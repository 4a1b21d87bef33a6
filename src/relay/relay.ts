import type { Log } from "../platform/log.ts";
import type { Redactor } from "../platform/redact.ts";
import type { ClientFacts, Outgoing, Stop, Upstream } from "../upstream/core/types.ts";
import { asBridgeError, type BridgeError, type CommandLine } from "../wire/errors.ts";
import { LineSplitter, type Oversize } from "../wire/lines.ts";
import { errorTo, type Flaw, idKey, isSameId, Message, readMessage } from "../wire/message.ts";
import { batchRevision } from "../wire/program.ts";
import { areListening, type Call, isListening, prolong, requestIdOf } from "./call.ts";
import { agree, isCodex, meet } from "./client-facts.ts";
import { ClientRequests } from "./client-requests.ts";
import { forCodex, isReadable, tooLongError } from "./codex-limits.ts";
import { ConcurrencyLimiter, requestBounds } from "./concurrency-limiter.ts";
import { Deadlines } from "./deadlines.ts";
import { errorReply } from "./error-reply.ts";
import { Notifications } from "./notifications.ts";
import type { Output } from "./output.ts";
import {
  endedError,
  flawReply,
  oversizeReply,
  silentError,
  timeoutError,
  tooManyRequestsError,
} from "./own-errors.ts";
import { within } from "./timeout.ts";

export interface RelayOptions {
  readonly upstream: Upstream;
  readonly output: Output;
  readonly client: ClientFacts;
  readonly log: Log;
  /** Keeps secrets out of the bridge's own errors: a server's words may echo one. */
  readonly redactor: Redactor;
  /** Writes the commands in the hints of errors. */
  readonly commandLine: CommandLine;
  /** The id of the client's first request, where that has its answer already. */
  readonly answered?: string | undefined;
  /** Most bytes of one line of the client. */
  readonly limit: number;
  /** Deadline of each request. */
  readonly timeoutMs: number;
}

/** Questions of the server that may wait for the client at a time. */
const mostQuestions = 1000;

/** So far the run time interprets: compiling at a start would only delay it (build.sh). */
const fewAnswers = 64;
const done = Promise.resolve();

/** Between the client and one upstream: every id that comes in is answered exactly once. */
export class Relay {
  readonly #options: RelayOptions;
  readonly #calls = new Map<string, Call>();
  readonly #limiter = new ConcurrencyLimiter(requestBounds);
  readonly #deadlines = new Deadlines(() => performance.now());
  readonly #clientRequests: ClientRequests;
  readonly #notifications: Notifications;
  #answered = 0;
  /** The id of the first request, where that has its answer. */
  #answeredEarly: string | undefined;
  #isIdle = Promise.withResolvers<void>();

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#answeredEarly = options.answered;
    this.#clientRequests = new ClientRequests(options.client, options.output, this.#deadlines);
    const serverSaid = (said: Message) => this.#serverSaid(said);
    this.#notifications = new Notifications({ ...options, serverSaid });
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

  /** Waits for the calls under way, `graceMs` at most; what is open then gets `outcome-unknown`. True when none was. */
  async finish(graceMs: number): Promise<boolean> {
    const endAt = performance.now() + graceMs;
    for (const call of this.#calls.values())
      if (isListening(call)) this.#drop(call, { by: "closing" });
    if (this.#calls.size > 0 && graceMs > 0) await within(graceMs, this.#isIdle.promise);
    // What the client said last arrives, too, though nobody waits for an answer.
    await this.#notifications.finish(endAt - performance.now());
    const open = [...new Set(this.#calls.values())];
    for (const call of open) {
      this.#settle(call, endedError());
      call.controller.abort({ by: "closing" } satisfies Stop);
    }
    return open.length === 0;
  }

  /** Asks the client on behalf of the bridge itself. */
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
    else this.#notifications.send(message);
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
    for (const part of sound as Message[])
      if (part.head.kind === "response") this.#noteAnswer(part);
    const ids = message.requestIds();
    if (ids.length === 0) this.#notifications.send(message);
    else this.#begin(message, ids);
  }

  /** Each request of what is refused gets an answer. */
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
    const call: Call = {
      open: new Set(ids),
      controller: new AbortController(),
      startedAt: performance.now(),
      isInitialize: message.head.method === "initialize",
      isAnswered: ids[0] === this.#answeredEarly,
      message,
    };
    this.#answeredEarly = undefined;
    if (this.#calls.size === 0) this.#isIdle = Promise.withResolvers<void>();
    for (const key of keys) this.#calls.set(key, call);
    void this.#run(call);
  }

  async #run(call: Call): Promise<void> {
    const { upstream, timeoutMs, client } = this.#options;
    const { message } = call;
    const { signal } = call.controller;
    const isBrief = !isListening(call);
    if (isBrief) call.deadline = this.#deadlines.start(timeoutMs, () => this.#expire(call));
    let entered = false;
    try {
      if (call.isInitialize) this.#notifications.renew();
      if (call.isInitialize || client.name === "") meet(client, message);
      const turn = isBrief ? this.#limiter.enter(message.bytes.length, signal) : undefined;
      if (turn !== undefined) await turn;
      entered = isBrief;
      await upstream.send(message, (answer) => this.#deliver(call, answer), signal);
      if (call.open.size > 0) this.#settle(call, silentError());
    } catch (error) {
      this.#fail(call, error);
    } finally {
      call.deadline?.callOff();
      if (entered) this.#limiter.leave();
    }
  }

  #fail(call: Call, error: unknown): void {
    if (call.open.size === 0) return;
    const known = asBridgeError(error);
    this.#options.log[known.kind === "internal" ? "error" : "warn"]("call failed", {
      kind: known.kind,
      error: known.message,
    });
    this.#settle(call, known);
  }

  #expire(call: Call): void {
    this.#settle(call, timeoutError(this.#options.timeoutMs));
    call.controller.abort({ by: "deadline" } satisfies Stop);
  }

  /** Answers what is open of a call with an error of ours. */
  #settle(call: Call, error: BridgeError): void {
    for (const id of call.open) void this.#answer(call, id, errorReply(id, error, this.#options));
  }

  /** One message from the server for one call: only answers to its own ids get through, each once. */
  #deliver(call: Call, message: Message): Promise<void> {
    const { kind, id } = message.head;
    if (kind === "batch") return this.#deliverEach(call, message);
    if (kind !== "response") return this.#serverSaid(message);
    if (call.open.has(id!)) return this.#answer(call, id!, message);
    const own = [...call.open].find((open) => isSameId(open, id!));
    if (own !== undefined)
      return this.#answer(call, own, message.with([{ path: ["id"], raw: own }]));
    this.#options.log.warn("answer to nothing dropped", { id: id!.slice(0, 64) });
    return done;
  }

  async #deliverEach(call: Call, batch: Message): Promise<void> {
    for (const part of batch.elements())
      if (part instanceof Message) await this.#deliver(call, part);
  }

  /** Settles one id; the map forgets it before the line is written, so the client may use it again. */
  #answer(call: Call, id: string, answer: Message): Promise<void> {
    if (call.isInitialize) agree(this.#options.client, answer);
    if (++this.#answered === fewAnswers) Bun.unsafe.setJITPolicy(1);
    call.open.delete(id);
    this.#calls.delete(idKey(id));
    if (this.#calls.size === 0) this.#isIdle.resolve();
    if (this.#options.log.writes("debug"))
      this.#options.log.debug("answered", {
        id: id.slice(0, 64),
        method: call.message.head.method?.slice(0, 64),
        ms: Math.round(performance.now() - call.startedAt),
        bytes: answer.bytes.length,
        error: answer.head.isError === true,
      });
    if (call.isAnswered) return done;
    const { client, output, commandLine } = this.#options;
    const shown = isCodex(client)
      ? forCodex(answer, call.message.head.method, commandLine)
      : answer;
    // Who waits for one answer alone gets it sooner; of many, several leave in one system call.
    return output.write(shown, areListening(this.#calls));
  }

  /** A notification or a request of the server. */
  #serverSaid(message: Message): Promise<void> {
    const { kind, id } = message.head;
    if (isCodex(this.#options.client) && !isReadable(message)) {
      this.#options.log.warn("too long for Codex, dropped", { bytes: message.bytes.length });
      const error = tooLongError("question", message, "make it shorter");
      if (kind === "request")
        this.#notifications.send(errorTo(id!, error.toJsonRpc(this.#options.commandLine)));
      return done;
    }
    if (kind === "request" && this.#deadlines.clientRequests >= mostQuestions) {
      this.#options.log.warn("too many questions of the server", { open: mostQuestions });
      this.#notifications.send(
        errorTo(id!, tooManyRequestsError().toJsonRpc(this.#options.commandLine)),
      );
      return done;
    }
    if (kind === "request") this.#deadlines.pause(idKey(id!));
    else if (message.head.method === "notifications/cancelled") {
      const asked = message.text(["params", "requestId"]);
      if (asked !== undefined) this.#deadlines.resume(idKey(asked));
    } else if (message.head.method === "notifications/progress") {
      // The limit of Codex's own does not move.
      if (!isCodex(this.#options.client)) prolong(this.#calls.values(), message);
    }
    return this.#options.output.write(message);
  }

  #clientAnswered(message: Message): void {
    if (!this.#noteAnswer(message)) this.#notifications.send(message);
  }

  /** Notes an answer of the client; true where the question was ours. */
  #noteAnswer(message: Message): boolean {
    this.#deadlines.resume(idKey(message.head.id!));
    return this.#clientRequests.take(message);
  }

  #cancel(message: Message): void {
    const id = message.text(["params", "requestId"]);
    const call = id === undefined ? undefined : this.#calls.get(idKey(id));
    if (call === undefined || call.open.size > 1) this.#notifications.send(message);
    else this.#drop(call, { by: "client", message });
  }

  /** Ends a call that nobody waits for any more. */
  #drop(call: Call, stop: Stop): void {
    for (const id of call.open) this.#calls.delete(idKey(id));
    call.open.clear();
    if (this.#calls.size === 0) this.#isIdle.resolve();
    call.controller.abort(stop);
  }
}
