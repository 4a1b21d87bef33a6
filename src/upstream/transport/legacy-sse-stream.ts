// The one stream of HTTP+SSE: opened, and read for as long as it lasts.
import type { Log } from "../../platform/log.ts";
import type { Redactor } from "../../platform/redact.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { SseEvent } from "../../wire/sse.ts";
import type { Stop } from "../core/types.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ReadBudget } from "./read-budget.ts";
import { badAnswer, discard, mediaType, readErrorText } from "./response-body.ts";
import { listenIdleMs, messageOfEvent, OddEvents, readEvents } from "./sse-events.ts";
import { statusError } from "./status-errors.ts";

export interface SseOptions {
  readonly name: string;
  /** Where the stream is. */
  readonly endpoint: Endpoint;
  /** Where messages go, once the server named the place. */
  readonly postTo: (url: URL) => Endpoint;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Most bytes of one message. */
  readonly limit: number;
  readonly budget: ReadBudget;
  /** Longest silence while nobody waits for an answer; 5 minutes without it. */
  readonly idleMs?: number;
}

interface Ears {
  /** Takes each message of the stream. */
  readonly hear: (message: Message, stream: SseStream) => Promise<void>;
  /** Whether an answer is waited for: silence is then for the deadline of its call to judge. */
  readonly isAwaited: (stream: SseStream) => boolean;
}

/** How long the server may take to name the place for messages. */
const endpointMs = 10_000;

export class SseStream {
  readonly #options: SseOptions & Ears;
  readonly #controller = new AbortController();
  readonly #named = Promise.withResolvers<URL>();
  readonly #ended = Promise.withResolvers<void>();
  #heardAt = 0;
  /** The address of its messages: its own, so that it names the session too. */
  post!: Endpoint;
  id = "";

  constructor(options: SseOptions & Ears) {
    this.#options = options;
    this.#named.promise.catch(() => undefined);
  }

  /** Resolves when nothing more comes. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Whether nothing came, not even a comment, since `at` (performance.now). */
  isSilentSince(at: number): boolean {
    return this.#heardAt < at;
  }

  /** Reads no more. */
  end(): void {
    this.#controller.abort({ by: "closing" } satisfies Stop);
  }

  /** Resolves once the server named the place for messages. */
  async open(signal: AbortSignal): Promise<void> {
    // Whoever opens the stream may give up before it says anything.
    const abort = () => this.#controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const late = () =>
      this.#named.reject(badAnswer(`"${this.#options.name}" did not name the place for messages`));
    let timer: Timer | undefined;
    try {
      if (signal.aborted) throw signal.reason;
      const response = await this.#request();
      void this.#read(response);
      timer = setTimeout(late, endpointMs);
      const url = await this.#named.promise;
      this.post = this.#options.postTo(url);
      this.id = url.href;
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  async #request(): Promise<Response> {
    const { endpoint, name, redactor } = this.#options;
    const response = await endpoint.request({
      method: "GET",
      headers: { accept: "text/event-stream" },
      signal: this.#controller.signal,
    });
    if (!response.ok) throw statusError(response, await readErrorText(response), name, redactor);
    if (mediaType(response) === "text/event-stream") return response;
    await discard(response);
    throw badAnswer(`"${name}" offers no event stream`);
  }

  /** Hands on what comes until the stream ends. */
  async #read(response: Response): Promise<void> {
    const { name, limit, budget, log, idleMs = listenIdleMs, hear, isAwaited } = this.#options;
    const odd = new OddEvents(log, name);
    const onResponseHeaders = () => {
      this.#heardAt = performance.now();
    };
    const options = {
      limit,
      budget,
      log,
      idleMs,
      onResponseHeaders,
      mayEnd: () => !isAwaited(this),
    };
    try {
      for await (const events of readEvents(response, options, this.#controller.signal))
        for (const event of events) {
          const message = this.#isPlace(event) ? undefined : messageOfEvent(event, odd);
          if (message !== undefined) await hear(message, this);
        }
      this.#named.reject(badAnswer(`"${name}" ended its stream at once`));
    } catch (error) {
      this.#named.reject(error);
      log.debug("stream ended", { server: name, error: String((error as Error)?.message) });
    }
    this.#ended.resolve();
  }

  /** Notes the place for messages; it may not leave the server's origin, for the credential goes there. */
  #isPlace({ event, data }: SseEvent): boolean {
    if (event !== "endpoint") return false;
    const { endpoint, name } = this.#options;
    const place = URL.parse(new TextDecoder().decode(data), endpoint.url.href);
    if (place === null || place.origin !== endpoint.url.origin || place.username !== "")
      throw new BridgeError("refused", `"${name}" names a place for messages on another origin`, {
        hint: "ask its operator for the URL of the MCP endpoint",
      });
    this.#named.resolve(place);
    return true;
  }
}
