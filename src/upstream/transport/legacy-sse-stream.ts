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
  /** The path that the place for messages lacked in an earlier session; any text. */
  readonly lostPrefix: () => unknown;
  /** Told which path it lacks; undefined: none. */
  readonly noteLostPrefix: (prefix: string | undefined) => void;
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
/** Paths that are tried in front of a place for messages that is not there. */
const maxPrefixes = 3;

export class SseStream {
  readonly #options: SseOptions & Ears;
  readonly #controller = new AbortController();
  readonly #named = Promise.withResolvers<URL>();
  readonly #ended = Promise.withResolvers<void>();
  #heardAt = 0;
  /** Where messages go. */
  post!: Endpoint;
  /** The place that the server named: it holds the id of the session. */
  id = "";
  /** Paths in front of that place, the present one first; "" is the place as it was named. */
  #prefixes: string[] = [];

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
   * The first message got a 404: goes to the next place that the server may have meant. A proxy that takes a prefix off
   * the path is unknown to a server that names "/messages". False where every place was tried.
   */
  tryNextPlace(): boolean {
    this.#prefixes.shift();
    const [prefix] = this.#prefixes;
    if (prefix !== undefined) this.#goTo(prefix);
    return prefix !== undefined;
  }

  /** The present place takes messages. */
  keepPlace(): void {
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

  /** The prefix of an earlier session, none, and the folders of the configured path, the deepest first. */
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
