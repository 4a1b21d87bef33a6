import type { Log } from "../../platform/log.ts";
import type { Deliver, Upstream } from "../../upstream/core/types.ts";
import { canonicalMembers } from "../../wire/canonical-json.ts";
import { BridgeError } from "../../wire/errors.ts";
import { idKey, Message, responseTo } from "../../wire/message.ts";
import { cleanText } from "../../wire/text.ts";
import type { RecordedMessage, RecordedRun } from "./record.ts";

/** A request of the recorded client. */
interface RecordedRequest {
  readonly request: Message;
  readonly key: string;
  /** Position of its answer in the record; undefined if the record ends before. */
  answeredAt: number | undefined;
  isUsed: boolean;
}

const done = Promise.resolve();
const tokenPath = ["params", "_meta", "progressToken"];

/**
 * A server made of a record. A request gets the answer of the first recorded request that equals it and was not used yet,
 * then of the last one. The server's own messages before that answer are delivered first, in their order, and its
 * requests wait for the client's answer.
 */
export class ReplayUpstream implements Upstream {
  readonly #messages: readonly RecordedMessage[];
  readonly #requests: readonly RecordedRequest[];
  readonly #log: Log;
  /** Position of the next of the server's own messages to deliver. */
  #next = 0;
  /** The server's own messages before this position may be delivered. */
  #limit = 0;
  #listener: Deliver | undefined;
  #turn: Promise<void> = done;
  /** Progress tokens of this client by those of the recorded one, as JSON text; undefined if this client has none. */
  readonly #tokens = new Map<string, string | undefined>();
  /** Requests of the server that the client has not answered, by the key of their id. */
  readonly #asked = new Map<string, () => void>();

  constructor({ messages }: RecordedRun, log: Log) {
    this.#messages = messages.flatMap(({ isFromClient, message }) =>
      partsOf(message).map((part) => ({ isFromClient, message: part })),
    );
    this.#requests = requestsIn(this.#messages);
    this.#log = log;
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    if (message.head.kind === "response") this.#asked.get(idKey(message.head.id!))?.();
    for (const part of partsOf(message))
      if (part.head.kind === "request") await this.#answer(part, deliver, signal);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#listener = deliver;
    void this.#inTurn(() => this.#deliverOwn(deliver, signal));
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  close(): Promise<void> {
    return done;
  }

  async #answer(request: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const id = request.head.id!;
    const recorded = this.#take(request);
    if (recorded === undefined) {
      if (request.head.method === "ping") return deliver(responseTo(id, "{}"));
      throw this.#missingError(request);
    }
    const { answeredAt } = recorded;
    if (answeredAt === undefined)
      throw new BridgeError("outcome-unknown", "the record ends before the answer to this request");
    const token = recorded.request.text(tokenPath);
    if (token !== undefined) this.#tokens.set(token, request.text(tokenPath));
    await this.#inTurn(async () => {
      this.#limit = Math.max(this.#limit, answeredAt);
      await this.#deliverOwn(deliver, signal);
      const answer = this.#messages[answeredAt]!.message;
      await deliver(answer.with([{ path: ["id"], raw: id }]));
      // What the server sent by itself after this answer waits for no request either.
      const following = this.#messages.findIndex(
        (recorded, at) => at > answeredAt && isRequestOrAnswer(recorded),
      );
      this.#limit = Math.max(this.#limit, following < 0 ? this.#messages.length : following);
      if (this.#listener !== undefined) await this.#deliverOwn(this.#listener, signal);
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #take(request: Message): RecordedRequest | undefined {
    const key = keyOf(request);
    const equal = this.#requests.filter((recorded) => recorded.key === key);
    const found = equal.find(({ isUsed }) => !isUsed) ?? equal.at(-1);
    if (found === undefined) return undefined;
    if (found.isUsed) this.#log.info("answered again", { method: request.head.method });
    found.isUsed = true;
    return found;
  }

  /** Delivers the server's own messages up to the limit. */
  async #deliverOwn(deliver: Deliver, signal: AbortSignal): Promise<void> {
    while (this.#next < this.#limit) {
      const { isFromClient, message } = this.#messages[this.#next++]!;
      const { kind, id } = message.head;
      if (isFromClient || kind === "response") continue;
      const own = this.#withToken(message);
      if (own === undefined) continue;
      const answered = Promise.withResolvers<void>();
      if (kind === "request") this.#asked.set(idKey(id!), answered.resolve);
      else answered.resolve();
      signal.addEventListener("abort", () => answered.resolve(), { once: true });
      await deliver(own);
      await answered.promise;
    }
  }

  /** A message with this client's progress token; undefined for progress that this client did not ask for. */
  #withToken(message: Message): Message | undefined {
    if (message.head.method !== "notifications/progress") return message;
    const path = ["params", "progressToken"];
    const recorded = message.text(path);
    if (recorded === undefined || !this.#tokens.has(recorded)) return message;
    const token = this.#tokens.get(recorded);
    return token === undefined ? undefined : message.with([{ path, raw: token }]);
  }

  #missingError(request: Message): BridgeError {
    const held = [...new Set(this.#requests.map((recorded) => titleOf(recorded.request)))];
    const more = held.length > 8 ? ", ..." : "";
    return new BridgeError(
      "configuration",
      `the record holds no ${titleOf(request)} with these parameters`,
      { hint: `it holds ${held.slice(0, 8).join(", ") || "no request"}${more}` },
    );
  }
}

/** Whether it is a request of the client or the answer to one. */
const isRequestOrAnswer = ({ isFromClient, message }: RecordedMessage) =>
  message.head.kind === (isFromClient ? "request" : "response");

const titleOf = ({ head: { method }, name }: Message) =>
  cleanText(
    name === undefined ? method! : `${method} of ${JSON.stringify(name.slice(0, 64))}`,
    200,
  );

function partsOf(message: Message): readonly Message[] {
  if (message.head.kind !== "batch") return [message];
  return message.elements().filter((part) => part instanceof Message);
}

function requestsIn(messages: readonly RecordedMessage[]): RecordedRequest[] {
  const open = new Map<string, RecordedRequest>();
  const requests: RecordedRequest[] = [];
  messages.forEach(({ isFromClient, message }, at) => {
    const { kind, id } = message.head;
    if (isFromClient && kind === "request") {
      const recorded: RecordedRequest = {
        request: message,
        key: keyOf(message),
        answeredAt: undefined,
        isUsed: false,
      };
      requests.push(recorded);
      open.set(idKey(id!), recorded);
    }
    const asked = isFromClient || kind !== "response" ? undefined : open.get(idKey(id!));
    if (asked === undefined) return;
    asked.answeredAt = at;
    // The client may use the id again.
    open.delete(idKey(id!));
  });
  return requests;
}

/**
 * Equal for requests that get the same answer: `_meta` differs with each client, and so do all parameters of initialize.
 * Parameters that are nested too deeply for a canonical text are compared as they were written.
 */
function keyOf(request: Message): string {
  const { method } = request.head;
  const span = method === "initialize" ? undefined : request.view(["params"]);
  if (span === undefined) return method!;
  const params =
    canonicalMembers(request.bytes, span, (key) => key !== "_meta") ??
    request.with([{ path: ["params", "_meta"], raw: null }]).text(["params"]);
  return params === "{}" ? method! : `${method} ${params}`;
}
