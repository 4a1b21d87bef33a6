// Calls of a modern client at a legacy server: what that asks in the middle becomes a round of its own.
import { BridgeError } from "../../wire/errors.ts";
import { errorTo, type Message, notificationOf, responseTo } from "../../wire/message.ts";
import type { CallContext, Deliver, Stop, Upstream } from "../core/types.ts";

/** Where the client waits at the moment: in its first request, or in the one that brings answers. */
interface Seat {
  readonly id: string;
  readonly deliver: Deliver;
  readonly settle: PromiseWithResolvers<void>;
}

/** One call at the server, over all its rounds. */
interface Exchange {
  seat: Seat;
  /** Whether the client waits at that seat; between two rounds nobody does. */
  isSeated: boolean;
  /** What came while nobody was seated, to end the next rounds with. */
  readonly held: (() => Promise<void>)[];
  readonly controller: AbortController;
  readonly request: Message;
}

interface Question {
  readonly exchange: Exchange;
  readonly asked: Message;
  readonly expiry: Timer;
}

/** How long a question of the server waits for the client to come back. */
const answerWaitMs = 600_000;
/** Answers of ours that may be on their way to the server at a time. */
const maxReplies = 100;
/** Under this key a question stands in a result, and its answer in the next request. */
const key = "question";
/** What a modern client may be asked in a round, and the requests that may end in one (MCP 2026-07-28 basic/patterns/mrtr). */
const questions = ["elicitation/create", "sampling/createMessage", "roots/list"];
const asking = ["tools/call", "prompts/get", "resources/read"];
/** Results that a modern client may keep, and wants to know for how long. */
const cacheable = /\/list$|^resources\/read$/;

/** The calls under way, and the questions that wait for answers. */
export class StatelessClientCalls {
  readonly #next: Upstream;
  /** Ends with the bridge. */
  readonly #closing: AbortSignal;
  readonly #exchanges = new Set<Exchange>();
  readonly #pending = new Map<string, Question>();
  #replies = 0;

  constructor(next: Upstream, closing: AbortSignal) {
    this.#next = next;
    this.#closing = closing;
  }

  /** Sends a request, or brings the answer that an earlier one waits for. */
  async send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const settle = Promise.withResolvers<void>();
    // A round that failed before may end once more.
    settle.promise.catch(() => undefined);
    const seat: Seat = { id: message.head.id!, deliver, settle };
    const state = message.value(["params", "requestState"]);
    const question = typeof state === "string" ? this.#pending.get(state) : undefined;
    const exchange = question?.exchange ?? this.#open(message, seat, call);
    const held = exchange.held.shift();
    exchange.seat = seat;
    // What was held comes first.
    exchange.isSeated = held === undefined;
    const stop = () => exchange.controller.abort(this.#stopOf(signal.reason, exchange));
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (question !== undefined) {
        const answered = this.#answer(state as string, question, message, signal);
        // An answer that nobody waits for any more spoils nothing.
        await (held === undefined ? answered : answered.catch(() => undefined));
        if (held !== undefined) {
          exchange.isSeated = true;
          await this.#end(exchange, held);
        }
      }
      await settle.promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A request of the server: a question ends a round of its call, or of the newest that may be asked; the rest is answered here. */
  async ask(asked: Message, call?: Exchange): Promise<void> {
    const { id, method } = asked.head;
    if (method === "ping") return this.#reply(responseTo(id!, "{}"));
    const exchange = call ?? [...this.#exchanges].findLast(mayBeAsked);
    if (exchange !== undefined && mayBeAsked(exchange) && questions.includes(method!))
      return this.#end(exchange, () => this.#put(exchange, asked));
    this.#reply(
      errorTo(id!, { code: -32601, message: "no request under way takes this question" }),
    );
  }

  /** Answers the server, while its stream is read on; a server that takes no answers is not read any further. */
  #reply(answer: Message): void {
    if (this.#replies === maxReplies)
      throw new BridgeError(
        "bad-answer",
        "the server sends requests without end and takes no answers",
        {
          hint: "its operator can tell more",
        },
      );
    this.#replies++;
    this.#next
      .send(answer, async () => undefined, this.#closing)
      .catch(() => undefined)
      .finally(() => this.#replies--);
  }

  #open(request: Message, seat: Seat, call?: CallContext): Exchange {
    const controller = new AbortController();
    const exchange: Exchange = { seat, isSeated: true, held: [], controller, request };
    this.#exchanges.add(exchange);
    const take: Deliver = async (said) => {
      if (said.head.kind === "request") await this.ask(said, exchange);
      else if (said.head.kind !== "response") await exchange.seat.deliver(said);
      else
        await this.#end(exchange, () =>
          exchange.seat.deliver(completed(said, request, exchange.seat.id)),
        );
    };
    let hasAnswered = false;
    const watch: Deliver = (said) => {
      hasAnswered ||= said.head.kind === "response";
      return take(said);
    };
    this.#next
      .send(request, watch, controller.signal, call)
      .then(
        () => (hasAnswered ? undefined : this.#end(exchange, async () => undefined)),
        (error) => (hasAnswered ? undefined : this.#end(exchange, () => Promise.reject(error))),
      )
      .finally(() => this.#exchanges.delete(exchange));
    return exchange;
  }

  /** Ends the round under way, or the next one where nobody waits now. */
  async #end(exchange: Exchange, last: () => Promise<void>): Promise<void> {
    if (!exchange.isSeated) {
      exchange.held.push(last);
      return;
    }
    exchange.isSeated = false;
    const { settle } = exchange.seat;
    await last().then(settle.resolve, settle.reject);
  }

  /** Gives the client the question; the call itself stays open at the server. */
  async #put(exchange: Exchange, asked: Message): Promise<void> {
    const state = crypto.randomUUID();
    const expire = () => {
      this.#pending.delete(state);
      exchange.controller.abort({ by: "deadline" } satisfies Stop);
    };
    this.#pending.set(state, { exchange, asked, expiry: setTimeout(expire, answerWaitMs) });
    const params = asked.text(["params"]);
    const request = `{"method":${JSON.stringify(asked.head.method)}${params === undefined ? "" : `,"params":${params}`}}`;
    const result = `{"resultType":"input_required","inputRequests":{"${key}":${request}},"requestState":"${state}"}`;
    const { seat } = exchange;
    await seat.deliver(responseTo(seat.id, result));
  }

  async #answer(state: string, question: Question, message: Message, signal: AbortSignal) {
    this.#pending.delete(state);
    clearTimeout(question.expiry);
    const result = message.text(["params", "inputResponses", key]);
    const id = question.asked.head.id!;
    const refusal = { code: -32603, message: "the client gave no answer" };
    const answer = result === undefined ? errorTo(id, refusal) : responseTo(id, result);
    await this.#next.send(answer, question.exchange.seat.deliver, signal);
  }

  /** The client knows the call by the id of its last round, the server by that of the first. */
  #stopOf(stop: Stop, { request }: Exchange): Stop {
    if (stop.by !== "client") return stop;
    const params = `{"requestId":${request.head.id}}`;
    return { by: "client", message: notificationOf("notifications/cancelled", params) };
  }
}

const mayBeAsked = ({ request }: Exchange) => asking.includes(request.head.method!);

/** A result of the legacy era with what a modern one must say. */
function completed(said: Message, request: Message, id: string): Message {
  const edits = id === said.head.id ? [] : [{ path: ["id"], raw: id }];
  if (said.head.isError === true) return said.with(edits);
  const add = (name: string, raw: string) =>
    said.view(["result", name]) === undefined ? [{ path: ["result", name], raw }] : [];
  const keeping = cacheable.test(request.head.method ?? "")
    ? [...add("ttlMs", "0"), ...add("cacheScope", '"private"')]
    : [];
  return said.with([...edits, ...add("resultType", '"complete"'), ...keeping]);
}

/** The error for a client that speaks to a server before anybody knows its era. */
export function unansweredError(name: string): BridgeError {
  return new BridgeError("bad-answer", `"${name}" did not answer initialize`);
}
