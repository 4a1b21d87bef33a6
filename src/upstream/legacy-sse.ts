// The HTTP+SSE transport of MCP 2024-11-05: one stream for everything the server says, POSTs for what it is told.
import type { Log } from "../host/log.ts";
import type { Redactor } from "../host/redact.ts";
import { BridgeError } from "../wire/errors.ts";
import { isSameId, type Message, notificationOf } from "../wire/message.ts";
import type { SseEvent } from "../wire/sse.ts";
import {
  badAnswer,
  discard,
  mediaType,
  messageIn,
  readErrorText,
  readJson,
  statusError,
} from "./answers.ts";
import type { Endpoint } from "./endpoint.ts";
import { messageOfEvent, readEvents } from "./events.ts";
import { type Session, SessionLost } from "./session-lost.ts";
import type { Deliver, Stop, Upstream } from "./types.ts";

interface SseOptions {
  readonly name: string;
  /** Where the stream is. */
  readonly endpoint: Endpoint;
  /** Where messages go, once the server named the place. */
  readonly postTo: (url: URL) => Endpoint;
  readonly session: Session;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Most bytes of one message. */
  readonly limit: number;
}

/** A request whose answer comes over the stream. */
interface Waiting {
  readonly id: string;
  readonly stream: Stream;
  readonly deliver: Deliver;
  readonly settle: PromiseWithResolvers<void>;
}

/** One open stream; its messages go to whom they belong. */
interface Stream {
  /** The address of its messages; its own, so that it names the session too. */
  readonly post: Endpoint;
  readonly id: string;
  readonly ended: Promise<void>;
  /** Ends when this stream is to be read no more. */
  readonly reading: AbortSignal;
}

/** How long the server may take to name the place for messages. */
const endpointMs = 10_000;
/** How long a cancellation may take, while nobody waits for it. */
const farewellMs = 5000;

export class LegacySse implements Upstream {
  readonly #options: SseOptions;
  readonly #waiting = new Set<Waiting>();
  /** Ends the stream that is read now. */
  #reading = new AbortController();
  #stream: Stream | undefined;
  #listener: Deliver | undefined;

  constructor(options: SseOptions) {
    this.#options = options;
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { kind, method, id } = message.head;
    const isInitialize = kind === "request" && method === "initialize";
    const stream = isInitialize ? await this.#open(signal) : this.#current();
    if (kind !== "request") return this.#post(stream, message, signal);
    const waiting = { id: id!, stream, deliver, settle: Promise.withResolvers<void>() };
    waiting.settle.promise.catch(() => undefined);
    const stop = () => waiting.settle.reject(signal.reason);
    this.#waiting.add(waiting);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await this.#post(stream, message, signal, waiting);
      await waiting.settle.promise;
    } catch (error) {
      if (signal.aborted) this.#stop(stream, message, signal.reason);
      throw error;
    } finally {
      this.#waiting.delete(waiting);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Rejects with SessionLost when the stream ends: whoever holds the handshake makes another. */
  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
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
    this.#reading.abort({ by: "closing" } satisfies Stop);
  }

  #current(): Stream {
    if (this.#stream !== undefined) return this.#stream;
    throw this.#lost(this.#options.session.id ?? "");
  }

  #lost(id: string): SessionLost {
    return new SessionLost(this.#options.name, id);
  }

  /** Opens the stream and reads it for as long as it lasts; resolves once the server named the place for messages. */
  async #open(signal: AbortSignal): Promise<Stream> {
    const { endpoint, name, session, limit, log, redactor } = this.#options;
    this.#stream = undefined;
    this.#reading.abort({ by: "closing" } satisfies Stop);
    const controller = new AbortController();
    this.#reading = controller;
    const reading = controller.signal;
    // Whoever opens the stream may give up before it says anything.
    const abort = () => controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    let timer: Timer | undefined;
    try {
      if (signal.aborted) throw signal.reason;
      const response = await endpoint.request({
        method: "GET",
        headers: { accept: "text/event-stream" },
        signal: reading,
      });
      if (!response.ok) throw statusError(response, await readErrorText(response), name, redactor);
      if (mediaType(response) !== "text/event-stream") {
        await discard(response);
        throw badAnswer(`"${name}" offers no event stream`);
      }
      const named = Promise.withResolvers<URL>();
      const ended = this.#read(readEvents(response, { limit, log }, reading), named, reading);
      timer = setTimeout(
        () => named.reject(badAnswer(`"${name}" did not name the place for messages`)),
        endpointMs,
      );
      const url = await named.promise;
      const stream = { post: this.#options.postTo(url), id: url.href, ended, reading };
      this.#stream = stream;
      session.id = stream.id;
      void ended.then(() => {
        if (this.#stream === stream) this.#stream = undefined;
      });
      return stream;
    } catch (error) {
      controller.abort({ by: "closing" } satisfies Stop);
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Hands on what comes until the stream ends, then tells those who still wait. */
  async #read(
    events: AsyncGenerator<SseEvent[]>,
    named: PromiseWithResolvers<URL>,
    reading: AbortSignal,
  ): Promise<void> {
    const { name, log } = this.#options;
    try {
      for await (const some of events)
        for (const event of some) {
          if (event.event === "endpoint") named.resolve(this.#placeOf(event));
          else await this.#take(messageOfEvent(event, name), reading);
        }
      named.reject(badAnswer(`"${name}" ended its stream at once`));
    } catch (error) {
      named.reject(error);
      log.debug("stream ended", { server: name, error: String((error as Error)?.message) });
    }
    // What waits for the next stream is none of this one's business.
    for (const { settle, stream } of this.#waiting)
      if (stream.reading === reading)
        settle.reject(
          new BridgeError("outcome-unknown", `"${name}" ended its stream before it answered`, {
            hint: "the server may or may not have done it: check before you repeat the call",
          }),
        );
  }

  /** The place for messages; it may not leave the server's origin, for the credential goes there. */
  #placeOf({ data }: SseEvent): URL {
    const { endpoint, name } = this.#options;
    const place = URL.parse(new TextDecoder().decode(data), endpoint.url.href);
    if (place !== null && place.origin === endpoint.url.origin && place.username === "")
      return place;
    throw new BridgeError("refused", `"${name}" names a place for messages on another origin`, {
      hint: "ask its operator for the URL of the MCP endpoint",
    });
  }

  async #take(message: Message | undefined, reading: AbortSignal): Promise<void> {
    if (message === undefined) return;
    const waiting = [...this.#waiting].find(
      (one) => one.stream.reading === reading && isAnswer(message, one),
    );
    if (waiting !== undefined) return this.#settle(waiting, message);
    // Before anybody listens, a call under way is the only way to the client.
    const deliver = this.#listener ?? [...this.#waiting][0]?.deliver;
    await deliver?.(message);
  }

  /** Hands the answer on, where it is that and the first. */
  async #settle(waiting: Waiting, said: Message): Promise<void> {
    if (!isAnswer(said, waiting) || !this.#waiting.delete(waiting)) return;
    await waiting.deliver(said);
    waiting.settle.resolve();
  }

  async #post(stream: Stream, message: Message, signal: AbortSignal, waiting?: Waiting) {
    const { name, limit, redactor } = this.#options;
    const response = await stream.post.request({
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: message.bytes,
      signal,
      once: () => message.head.method === "tools/call",
    });
    if (response.ok) {
      // Some servers answer where they were asked.
      const isJson = waiting !== undefined && mediaType(response) === "application/json";
      if (!isJson) return discard(response);
      const take = async (said: Message | undefined) => {
        if (said !== undefined) await this.#settle(waiting, said);
      };
      return readJson(response, { limit, signal, take }).catch(() => undefined);
    }
    const text = await readErrorText(response);
    const said = messageIn(text);
    if (said !== undefined && waiting !== undefined && isAnswer(said, waiting))
      return this.#settle(waiting, said);
    if (response.status === 404 && message.head.method !== "initialize")
      throw this.#lost(stream.id);
    throw statusError(response, text, name, redactor);
  }

  /** Tells the server that nobody waits any more. */
  #stop(stream: Stream, message: Message, reason: Stop): void {
    if (message.head.method === "initialize") return;
    const notice =
      reason.by === "client"
        ? reason.message
        : notificationOf("notifications/cancelled", `{"requestId":${message.head.id}}`);
    this.#post(stream, notice, AbortSignal.timeout(farewellMs)).catch((error) =>
      this.#options.log.debug("cancellation not delivered", { error: String(error?.message) }),
    );
  }
}

function isAnswer({ head }: Message, { id }: Waiting): boolean {
  return head.kind === "response" && isSameId(id, head.id!);
}
