// The event stream of HTTP+SSE (MCP 2024-11-05): opens it and reads it to its end.

import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { SseEvent } from "../../wire/sse.ts";
import { cleanText } from "../../wire/text.ts";
import type { Stop } from "../core/types.ts";
import type { Endpoint } from "./endpoint.ts";
import { badAnswer, discard, mediaType, readErrorText } from "./response-body.ts";
import { listenIdleMs, messageOfEvent, OddEvents, readEvents } from "./sse-events.ts";
import { statusError } from "./status-errors.ts";
import type { TransportOptions } from "./transport-options.ts";

/** `endpoint` is that of the stream. */
export interface SseOptions extends TransportOptions {
  /** Makes the endpoint for messages from the URL that the server names. */
  readonly postTo: (url: URL) => Endpoint;
  /** The path prefix that the server left out of its message URL in an earlier session; any JSON value, as it was remembered. */
  readonly lostPrefix: () => unknown;
  /** Remembers that prefix; undefined: the server names the right URL. */
  readonly noteLostPrefix: (prefix: string | undefined) => void;
  /** Longest silence while no request waits for an answer; default 5 minutes. */
  readonly idleMs?: number;
}

interface StreamListener {
  /** Takes each message of the stream. */
  readonly onMessage: (message: Message, stream: SseStream) => Promise<void>;
  /** Whether a request waits for its answer on the stream: the deadline of the call then bounds the silence. */
  readonly isAwaited: (stream: SseStream) => boolean;
}

/** How long the server may take to send the `endpoint` event. */
const endpointMs = 10_000;
/** Path prefixes that are tried where the message URL answers 404. */
const maxPrefixes = 3;

export class SseStream {
  readonly #options: SseOptions & StreamListener;
  readonly #controller = new AbortController();
  readonly #named = Promise.withResolvers<URL>();
  readonly #ended = Promise.withResolvers<void>();
  #lastChunkAt = 0;
  /** The endpoint for messages. */
  post!: Endpoint;
  /** The message URL as the server named it: its query holds the session id. */
  id = "";
  /** Path prefixes still to try, the one in use first; "" is the URL as the server named it. */
  #prefixes: string[] = [];

  constructor(options: SseOptions & StreamListener) {
    this.#options = options;
    this.#named.promise.catch(() => undefined);
  }

  /** Resolves when the stream has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Whether no byte has come, not even of a comment, since `at` (`performance.now()`). */
  isSilentSince(at: number): boolean {
    return this.#lastChunkAt < at;
  }

  /** Closes the stream. */
  end(): void {
    this.#controller.abort({ by: "closing" } satisfies Stop);
  }

  /** Opens the stream; resolves at its `endpoint` event. */
  async open(signal: AbortSignal): Promise<void> {
    // The call that opens the stream may be cancelled before the `endpoint` event.
    const abort = () => this.#controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const timedOut = () =>
      this.#named.reject(badAnswer(`"${this.#options.name}" did not send the URL for messages`));
    let timer: Timer | undefined;
    try {
      if (signal.aborted) throw signal.reason;
      const response = await this.#request();
      void this.#read(response);
      timer = setTimeout(timedOut, endpointMs);
      const named = await this.#named.promise;
      this.id = named.href;
      this.#prefixes = this.#prefixesOf(named);
      this.#goTo(this.#prefixes[0]!);
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /**
   * After a 404 to the first message: tries the next path prefix. A proxy may remove a prefix from the path, so that the
   * server behind it names "/messages" where clients need "/prefix/messages". False where no prefix is left.
   */
  tryNextPrefix(): boolean {
    this.#prefixes.shift();
    const [prefix] = this.#prefixes;
    if (prefix !== undefined) this.#goTo(prefix);
    return prefix !== undefined;
  }

  /** Remembers the prefix in use: the server has taken a message there. */
  keepPrefix(): void {
    const [prefix] = this.#prefixes;
    this.#prefixes = [];
    const { lostPrefix, noteLostPrefix, log, name } = this.#options;
    const kept = prefix === "" ? undefined : prefix;
    if (prefix === undefined || kept === lostPrefix()) return;
    noteLostPrefix(kept);
    log.info("messages go below a prefix of the URL", { server: name, prefix: kept ?? "none" });
  }

  #goTo(prefix: string): void {
    const place = new URL(this.id);
    place.pathname = prefix + place.pathname;
    this.post = this.#options.postTo(place);
  }

  /** The prefixes to try, in this order: that of an earlier session, none, the folders of the configured path from the longest on. */
  #prefixesOf(named: URL): string[] {
    const { lostPrefix, endpoint } = this.#options;
    const folders = endpoint.url.pathname.split("/").slice(1, -1);
    const all = folders.map((_, at) => `/${folders.slice(0, at + 1).join("/")}`).reverse();
    const lost = all.filter((prefix) => !named.pathname.startsWith(`${prefix}/`));
    const before = lost.filter((prefix) => prefix === lostPrefix());
    return [...new Set([...before, "", ...lost.slice(0, maxPrefixes)])];
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
    discard(response);
    throw badAnswer(`"${name}" offers no event stream`);
  }

  /** Delivers the stream's messages until it ends. */
  async #read(response: Response): Promise<void> {
    const { name, limit, budget, log, idleMs = listenIdleMs, onMessage, isAwaited } = this.#options;
    const odd = new OddEvents(log, name);
    const onChunk = () => {
      this.#lastChunkAt = performance.now();
    };
    const options = {
      limit,
      budget,
      log,
      idleMs,
      onChunk,
      mayEnd: () => !isAwaited(this),
    };
    try {
      for await (const events of readEvents(response, options, this.#controller.signal))
        for (const event of events) {
          const message = this.#isEndpointEvent(event) ? undefined : messageOfEvent(event, odd);
          if (message !== undefined) await onMessage(message, this);
        }
      this.#named.reject(badAnswer(`"${name}" ended its stream at once`));
    } catch (error) {
      this.#named.reject(error);
      log.debug("stream ended", { server: name, error: String((error as Error)?.message) });
    }
    this.#ended.resolve();
  }

  /** Reads an `endpoint` event. Its URL must be on the server's origin, because requests there carry the credential. */
  #isEndpointEvent({ event, data }: SseEvent): boolean {
    if (event !== "endpoint") return false;
    const { endpoint, name } = this.#options;
    const place = URL.parse(new TextDecoder().decode(data), endpoint.url.href);
    if (place === null || place.origin !== endpoint.url.origin || place.username !== "") {
      const where = place === null ? "" : ` (${cleanText(place.origin, 100)})`;
      throw new BridgeError(
        "refused",
        `"${name}" names a URL for messages on another origin${where}`,
        { hint: "ask its operator for the URL of the MCP endpoint" },
      );
    }
    this.#named.resolve(place);
    return true;
  }
}
