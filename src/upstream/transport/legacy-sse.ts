// The HTTP+SSE transport (MCP 2024-11-05): the server's messages come over one event stream, the client's go out as POSTs.
import { CountedLog } from "../../platform/counted-log.ts";
import { BridgeError } from "../../wire/errors.ts";
import { Message } from "../../wire/message.ts";
import { cleanText } from "../../wire/text.ts";
import type { Deliver, Stop, Upstream } from "../core/types.ts";
import { noticesOf } from "./cancellation.ts";
import { type SseOptions, SseStream } from "./legacy-sse-stream.ts";
import { PendingResponses } from "./pending-responses.ts";
import {
  badAnswer,
  discard,
  mediaType,
  messageIn,
  readErrorText,
  readJson,
} from "./response-body.ts";
import { isSessionLost, type Session, SessionLost } from "./session-lost.ts";
import { isPutOff, statusError } from "./status-errors.ts";

interface LegacyOptions extends SseOptions {
  readonly session: Session;
  /** Called before a stream is opened, to discard the state of the last session. */
  readonly beginSession: () => void;
}

/** A message whose answers are still to come over the stream. */
interface Waiting {
  readonly pendingResponses: PendingResponses;
  readonly stream: SseStream;
  readonly deliver: Deliver;
  readonly settle: PromiseWithResolvers<void>;
}

/** Time limit of a cancellation's POST, which runs in the background. */
const cancelTimeoutMs = 5000;
/** Most bytes of messages that are kept until listen() is called. */
const maxEarlyBytes = 1024 * 1024;

export class LegacySse implements Upstream {
  readonly #options: LegacyOptions;
  readonly #waiting = new Set<Waiting>();
  /** The newest stream, open or about to be. */
  #latest: SseStream | undefined;
  /** The open stream; undefined before its `endpoint` event and after its end. */
  #stream: SseStream | undefined;
  #listener: Deliver | undefined;
  /** The server's own messages that came before listen() was called. */
  #early: Message[] = [];
  readonly #dropped: CountedLog;

  constructor(options: LegacyOptions) {
    this.#options = options;
    this.#dropped = new CountedLog(options.log, "warn", "nobody listens, dropped");
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { kind, method } = message.head;
    const isInitialize = kind === "request" && method === "initialize";
    const stream = isInitialize ? await this.#open(signal) : this.#current();
    const pendingResponses = new PendingResponses(message, deliver);
    if (pendingResponses.isDone) return this.#post(stream, message, signal);
    const waiting = { pendingResponses, stream, deliver, settle: Promise.withResolvers<void>() };
    waiting.settle.promise.catch(() => undefined);
    const stop = () => waiting.settle.reject(signal.reason);
    const sentAt = performance.now();
    this.#waiting.add(waiting);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await this.#post(stream, message, signal, waiting);
      await waiting.settle.promise;
    } catch (error) {
      this.#waiting.delete(waiting);
      if (signal.aborted) this.#stop(stream, message, signal.reason, sentAt);
      throw error;
    } finally {
      this.#waiting.delete(waiting);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Rejects with SessionLost when the stream ends; SessionUpstream then initializes again. */
  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    for (let early = this.#early.shift(); early !== undefined; early = this.#early.shift())
      await deliver(early);
    this.#listener = deliver;
    const stream = this.#current();
    await Promise.race([
      stream.ended,
      new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      }),
    ]);
    if (!signal.aborted) throw this.#lost(stream.id);
  }

  async close(): Promise<void> {
    this.#latest?.end();
  }

  #current(): SseStream {
    if (this.#stream !== undefined) return this.#stream;
    throw this.#lost(this.#options.session.id ?? "");
  }

  #lost(id: string, cause?: BridgeError): SessionLost {
    return new SessionLost(this.#options.name, id, cause);
  }

  async #open(signal: AbortSignal): Promise<SseStream> {
    this.#latest?.end();
    this.#options.beginSession();
    this.#stream = undefined;
    // These messages belong to the last session.
    this.#early = [];
    const stream = new SseStream({
      ...this.#options,
      onMessage: (message) => this.#receive(message, stream),
      isAwaited: () => this.#isAwaited(stream),
    });
    this.#latest = stream;
    await stream.open(signal);
    this.#stream = stream;
    this.#options.session.id = stream.id;
    void stream.ended.then(() => this.#ended(stream));
    return stream;
  }

  #isAwaited(stream: SseStream): boolean {
    return [...this.#waiting].some((one) => one.stream === stream);
  }

  /** Rejects the requests that wait for an answer on this stream; requests on the next stream keep waiting. */
  #ended(stream: SseStream): void {
    if (this.#stream === stream) this.#stream = undefined;
    const { name } = this.#options;
    for (const { settle, stream: own } of this.#waiting)
      if (own === stream)
        settle.reject(
          new BridgeError("outcome-unknown", `"${name}" ended its stream before it answered`, {
            hint: "the server may have executed the call: check before you repeat it",
          }),
        );
  }

  async #receive(message: Message, stream: SseStream): Promise<void> {
    if (message.head.kind === "batch") {
      for (const part of message.elements())
        if (part instanceof Message) await this.#receive(part, stream);
      return;
    }
    const onStream = [...this.#waiting].filter((one) => one.stream === stream);
    const { kind, id } = message.head;
    // The ids 1 and "1" belong to two calls; for a server that changes an id's type, either one is accepted.
    const exact =
      kind === "response" && onStream.find(({ pendingResponses }) => pendingResponses.asks(id!));
    const waiting =
      exact || onStream.find(({ pendingResponses }) => pendingResponses.isAnswer(message));
    if (waiting !== undefined) return this.#settle(waiting, message);
    if (message.head.isError === true && message.head.id === "null")
      return this.#failOnly(message, stream);
    // All messages come on one stream: a request of the server belongs to the call under way if that is the only one.
    const [call, other] = this.#waiting;
    const asks = message.head.kind === "request" && other === undefined;
    // Before listen() is called, only a call under way leads to the client.
    const deliver = asks ? (call?.deliver ?? this.#listener) : (this.#listener ?? call?.deliver);
    if (deliver !== undefined) return deliver(message);
    const bytes = this.#early.reduce((sum, early) => sum + early.bytes.length, 0);
    if (bytes + message.bytes.length <= maxEarlyBytes) this.#early.push(message);
    else this.#dropped.note({ bytes: message.bytes.length });
  }

  /** An error with id null is assigned to a request only if it is the only request that waits on the stream. */
  #failOnly(error: Message, stream: SseStream): void {
    const [only, ...others] = [...this.#waiting].filter((one) => one.stream === stream);
    if (only !== undefined && others.length === 0)
      only.settle.reject(badAnswer("the server's error names no request", error));
  }

  async #settle(waiting: Waiting, answer: Message): Promise<void> {
    const { pendingResponses, settle } = waiting;
    const delivered = pendingResponses.take(answer);
    if (pendingResponses.isDone) this.#waiting.delete(waiting);
    await delivered;
    if (pendingResponses.isDone) settle.resolve();
  }

  async #post(stream: SseStream, message: Message, signal: AbortSignal, waiting?: Waiting) {
    const { name, limit, budget, redactor, session } = this.#options;
    const { method } = message.head;
    const traced = this.#options.traceHeaders?.(message);
    const json = "application/json";
    const request = () =>
      stream.post.request({
        method: "POST",
        headers: { "content-type": json, accept: json, ...traced },
        body: message.bytes,
        signal,
        nonIdempotent: () => !this.#options.isRepeatable(message),
      });
    let response = await request();
    if (method === "initialize") {
      while (response.status === 404 && stream.tryNextPrefix()) {
        discard(response);
        response = await request();
      }
      if (response.status === 404) {
        discard(response);
        throw wrongMessagesUrl(name, stream.id, this.#options.endpoint.url);
      }
      stream.keepPrefix();
    }
    if (response.ok) {
      // Some servers answer in the response to the POST.
      if (waiting === undefined || mediaType(response) !== "application/json")
        return discard(response);
      const take = async (answer: Message | undefined) => {
        if (answer !== undefined) await this.#settle(waiting, answer);
      };
      // Any other body is ignored: the answer comes over the stream.
      return readJson(response, { limit, budget, signal, take }).catch((error) => {
        if (error instanceof BridgeError && error.serverError !== undefined) throw error;
      });
    }
    const text = await readErrorText(response);
    const found = messageIn(text);
    const isAnswer = found !== undefined && waiting?.pendingResponses.isAnswer(found) === true;
    const refusal = () => statusError(response, text, name, redactor);
    if (
      method !== "initialize" &&
      isSessionLost(response.status, text, session, message, isAnswer ? found : undefined)
    )
      throw this.#lost(stream.id, refusal());
    if (isAnswer && !isPutOff(response)) return this.#settle(waiting!, found);
    throw refusal();
  }

  /** Cancels the message at the server. */
  #stop(stream: SseStream, message: Message, reason: Stop, sentAt: number): void {
    for (const notice of noticesOf(message, reason))
      this.#post(stream, notice, AbortSignal.timeout(cancelTimeoutMs)).catch((error) =>
        this.#options.log.debug("cancellation not delivered", { error: String(error?.message) }),
      );
    const isOurs = reason.by === "client" || reason.by === "closing";
    // The connection may be half-open: the next call would wait in vain, so it gets a new stream.
    if (!isOurs && stream.isSilentSince(sentAt) && !this.#isAwaited(stream)) {
      stream.end();
      this.#ended(stream);
    }
  }
}

/** The error for a server of HTTP+SSE whose address for messages is not there: behind a proxy it may lack a prefix of the path. */
function wrongMessagesUrl(name: string, messages: string, { pathname }: URL): BridgeError {
  const prefix = pathname.slice(0, pathname.lastIndexOf("/"));
  const lack = prefix === "" ? "" : `, with the prefix ${cleanText(prefix, 100)} and without`;
  return new BridgeError(
    "server-not-found",
    `Server not found: "${name}" names ${cleanText(new URL(messages).pathname, 200)} as the path for messages, which answered 404${lack}`,
    {
      hint: "the server may not know the path under which a proxy publishes it: its operator must set that (root path, base URL)",
    },
  );
}
