// Runs a stateless client's calls on a session server. A request that the server sends in mid-call becomes an
// `input_required` result.
import { BridgeError } from "../../wire/errors.ts";
import { errorTo, type Message, notificationOf, responseTo } from "../../wire/message.ts";
import type { CallContext, Deliver, Stop, Upstream } from "../core/types.ts";

/** The client's request that gets the next result: its first one, or the latest one with `inputResponses`. */
interface ClientRequest {
  readonly id: string;
  readonly deliver: Deliver;
  readonly settle: PromiseWithResolvers<void>;
}

/** One call at the server, over all requests that the client sends for it. */
interface Exchange {
  current: ClientRequest;
  /** Whether `current` still waits for its result; after an `input_required` result none does. */
  isWaiting: boolean;
  /** Results that came while no request waited: each ends one of the next requests. */
  readonly queued: (() => Promise<void>)[];
  readonly controller: AbortController;
  readonly request: Message;
}

/** A request of the server that waits for the client's answer. */
interface Question {
  readonly exchange: Exchange;
  readonly asked: Message;
  readonly expiry: Timer;
}

/** How long a question of the server waits for the client's next request. */
const answerWaitMs = 600_000;
/** Most responses of the bridge that may be on their way to the server at a time. */
const maxReplies = 100;
/** Key of the question in `inputRequests`, and of its answer in `inputResponses`. */
const key = "question";
/** Requests that may stand in an `input_required` result, and requests that may get one (MCP 2026-07-28 basic/patterns/mrtr). */
const questions = ["elicitation/create", "sampling/createMessage", "roots/list"];
const asking = ["tools/call", "prompts/get", "resources/read"];
/** Methods whose results carry `ttlMs` and `cacheScope` in the stateless protocol. */
const cacheable = /\/list$|^resources\/read$/;

/** The calls under way, and the questions that wait for answers. */
export class StatelessClientCalls {
  readonly #next: Upstream;
  /** Aborted when the bridge ends. */
  readonly #closing: AbortSignal;
  readonly #exchanges = new Set<Exchange>();
  readonly #pending = new Map<string, Question>();
  #replies = 0;

  constructor(next: Upstream, closing: AbortSignal) {
    this.#next = next;
    this.#closing = closing;
  }

  /** Sends a request of the client; one with a known `requestState` answers a question instead. */
  async send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const settle = Promise.withResolvers<void>();
    // Nobody may be awaiting `settle` when it rejects.
    settle.promise.catch(() => undefined);
    const current: ClientRequest = { id: message.head.id!, deliver, settle };
    const state = message.value(["params", "requestState"]);
    const question = typeof state === "string" ? this.#pending.get(state) : undefined;
    const exchange = question?.exchange ?? this.#open(message, current, call);
    const queued = exchange.queued.shift();
    exchange.current = current;
    // Queued results are delivered first.
    exchange.isWaiting = queued === undefined;
    const stop = () => exchange.controller.abort(this.#stopOf(signal.reason, exchange));
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (question !== undefined) {
        const answered = this.#answer(state as string, question, message, signal);
        // With a queued result, a failure to deliver the answer does not matter any more.
        await (queued === undefined ? answered : answered.catch(() => undefined));
        if (queued !== undefined) {
          exchange.isWaiting = true;
          await this.#end(exchange, queued);
        }
      }
      await settle.promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Handles a request of the server. A question ends the client's current request of `call`, or of the newest call that may be asked; anything else is answered here. */
  async ask(asked: Message, call?: Exchange): Promise<void> {
    const { id, method } = asked.head;
    if (method === "ping") return this.#reply(responseTo(id!, "{}"));
    const exchange = call ?? [...this.#exchanges].findLast(mayBeAsked);
    if (exchange !== undefined && mayBeAsked(exchange) && questions.includes(method!))
      return this.#end(exchange, () => this.#put(exchange, asked));
    this.#reply(
      errorTo(id!, {
        code: -32601,
        message: "no request under way can pass this on to the client",
      }),
    );
  }

  /** Sends a response to the server without waiting for it. Throws if too many are under way: the server takes none, so its stream is closed. */
  #reply(answer: Message): void {
    if (this.#replies === maxReplies)
      throw new BridgeError(
        "bad-answer",
        "the server keeps sending requests but accepts no answers",
        {
          hint: "ask the server's operator",
        },
      );
    this.#replies++;
    this.#next
      .send(answer, async () => undefined, this.#closing)
      .catch(() => undefined)
      .finally(() => this.#replies--);
  }

  #open(request: Message, current: ClientRequest, call?: CallContext): Exchange {
    const controller = new AbortController();
    const exchange: Exchange = { current, isWaiting: true, queued: [], controller, request };
    this.#exchanges.add(exchange);
    const take: Deliver = async (incoming) => {
      if (incoming.head.kind === "request") await this.ask(incoming, exchange);
      else if (incoming.head.kind !== "response") await exchange.current.deliver(incoming);
      else
        await this.#end(exchange, () =>
          exchange.current.deliver(completed(incoming, request, exchange.current.id)),
        );
    };
    let hasAnswered = false;
    const watch: Deliver = (incoming) => {
      hasAnswered ||= incoming.head.kind === "response";
      return take(incoming);
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

  /** Ends the client's current request with `last`, or queues it for the next request if none waits. */
  async #end(exchange: Exchange, last: () => Promise<void>): Promise<void> {
    if (!exchange.isWaiting) {
      exchange.queued.push(last);
      return;
    }
    exchange.isWaiting = false;
    const { settle } = exchange.current;
    await last().then(settle.resolve, settle.reject);
  }

  /** Delivers the question as an `input_required` result; the call itself stays open at the server. */
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
    const { current } = exchange;
    await current.deliver(responseTo(current.id, result));
  }

  async #answer(state: string, question: Question, message: Message, signal: AbortSignal) {
    this.#pending.delete(state);
    clearTimeout(question.expiry);
    const result = message.text(["params", "inputResponses", key]);
    const id = question.asked.head.id!;
    const refusal = { code: -32603, message: "the client returned no answer to this request" };
    const answer = result === undefined ? errorTo(id, refusal) : responseTo(id, result);
    await this.#next.send(answer, question.exchange.current.deliver, signal);
  }

  /** Translates a cancellation: the client names the id of its last request, the server knows the call by the first. */
  #stopOf(stop: Stop, { request }: Exchange): Stop {
    if (stop.by !== "client") return stop;
    const params = `{"requestId":${request.head.id}}`;
    return { by: "client", message: notificationOf("notifications/cancelled", params) };
  }
}

const mayBeAsked = ({ request }: Exchange) => asking.includes(request.head.method!);

/** Adds the members that a result must have in the stateless protocol. */
function completed(response: Message, request: Message, id: string): Message {
  const edits = id === response.head.id ? [] : [{ path: ["id"], raw: id }];
  if (response.head.isError === true) return response.with(edits);
  const add = (name: string, raw: string) =>
    response.view(["result", name]) === undefined ? [{ path: ["result", name], raw }] : [];
  const keeping = cacheable.test(request.head.method ?? "")
    ? [...add("ttlMs", "0"), ...add("cacheScope", '"private"')]
    : [];
  return response.with([...edits, ...add("resultType", '"complete"'), ...keeping]);
}

/** The error for a session server that did not answer the bridge's initialize. */
export function unansweredError(name: string): BridgeError {
  return new BridgeError("bad-answer", `"${name}" did not answer initialize`);
}
