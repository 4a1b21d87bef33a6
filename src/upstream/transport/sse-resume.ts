// Event streams of Streamable HTTP: reading, polling and resuming (MCP 2025-11-25 basic/transports, SEP-1699).
import { sleep } from "../../platform/async.ts";
import type { Log } from "../../platform/log.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { Deliver } from "../core/types.ts";
import { isCredentialError } from "./authorize.ts";
import type { ReadBudget } from "./read-budget.ts";
import { discard, mediaType, readErrorText } from "./response-body.ts";
import { SessionLost } from "./session-lost.ts";
import { listenIdleMs, messageOfEvent, OddEvents, readEvents } from "./sse-events.ts";
import type { StreamRests } from "./stream-rests.ts";

/** Takes the messages of a stream, which ends once `isDone`. */
interface Sink {
  readonly isDone: boolean;
  take(message: Message): Promise<void>;
}

interface StreamOptions {
  /** Resolves once the server has accepted another credential than the one that it refused. */
  readonly anotherCredential?: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly name: string;
  readonly limit: number;
  readonly budget: ReadBudget;
  readonly log: Log;
  /** Opens a stream anew, after `lastEventId` where there is one. */
  readonly get: (lastEventId: string | undefined, signal: AbortSignal) => Promise<Response>;
  /** Called when a stream that has worked before is refused; `text` is the body. Throws SessionLost where the refusal means the session. */
  readonly lost?: (response: Response, text: string) => void;
  /** Silence after which a listening stream is opened anew; default 5 minutes. */
  readonly idleMs?: number;
  /** Reads a stream to its end behind its last answer. */
  readonly rests?: StreamRests | undefined;
}

/** Wait before a reconnect where the server names none. */
const defaultRetryMs = 1000;
/** Longest `retry` that is honoured. */
const maxRetryMs = 300_000;
/** Shortest wait before a reconnect. A `retry` below 100 ms is honoured three times; later reconnects are at least a second apart. */
const minRetryMs = 10;
const hastyMs = 100;
const hastyReconnections = 3;
const hastyFloorMs = 1000;
/** Longest wait before a listening stream that keeps failing is opened again. */
const maxListenBackoffMs = 60_000;
/** Longest wait before an answer's stream that ends without events is resumed. */
const maxEmptyBackoffMs = 5000;

/** Statuses by which a server may refuse the event id. Not 409: a server answers so while it still holds the old stream. */
const refusedIdStatuses = [400, 404, 405, 410, 412, 416, 422];

export class EventStream {
  readonly #options: StreamOptions;
  #lastEventId: string | undefined;
  #retryMs = defaultRetryMs;
  #reconnections = 0;
  readonly #odd: OddEvents;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#odd = new OddEvents(options.log, options.name);
  }

  /** Reads the stream of a POST to its last answer; a stream that drops is resumed where it had an id. */
  async read(first: Response, sink: Sink, signal: AbortSignal): Promise<void> {
    let response = first;
    for (let drops = 0, empty = 0; ; drops++) {
      empty = (await this.#events(response, sink, signal)) ? 0 : empty + 1;
      if (!sink.isDone && this.#odd.held !== undefined) await sink.take(this.#odd.held);
      if (sink.isDone) return;
      if (this.#lastEventId === undefined) throw this.#odd.endError();
      response = await this.#resume(drops, empty, signal);
    }
  }

  /** Delivers the server's own messages until the signal; returns where the server offers no listening stream. */
  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { log, name, idleMs = listenIdleMs } = this.#options;
    const sink: Sink = { isDone: false, take: deliver };
    let hasWorked = false;
    for (let failures = 0; !signal.aborted; failures++) {
      let isRefused = false;
      try {
        const asked = this.#lastEventId;
        const response = await this.#options.get(asked, signal);
        if (response.ok && mediaType(response) === "text/event-stream") {
          log.debug("listening", { server: name, status: response.status });
          hasWorked = true;
          if (await this.#events(response, sink, signal, idleMs)) failures = 0;
        } else if (response.ok || !hasWorked) discard(response);
        else this.#options.lost?.(response, await readErrorText(response));
        isRefused = response.status === 401 || response.status === 403;
        // The server may not know the event any more: the next request asks for a new stream.
        if (asked !== undefined && refusedIdStatuses.includes(response.status)) {
          this.#lastEventId = undefined;
          failures = 0;
        } else if ([404, 405, 501].includes(response.status)) return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof SessionLost) throw error;
        isRefused = isCredentialError(error);
        log.debug("listening stream broke", {
          server: name,
          error: String((error as Error)?.message),
        });
      }
      // Each further attempt would refresh the credential once more, for a stream that is optional.
      if (isRefused) await this.#options.anotherCredential?.(signal).catch(() => undefined);
      await sleep(this.#backoffMs(failures, maxListenBackoffMs), signal).catch(() => undefined);
    }
  }

  /** Wait before the next connection: the server's `retry`, doubled with each failure up to `longestMs`, never less than `retry`. */
  #backoffMs(failures: number, longestMs: number): number {
    this.#reconnections++;
    const isHasty = this.#retryMs < hastyMs && this.#reconnections > hastyReconnections;
    const leastMs = isHasty ? hastyFloorMs : Math.max(minRetryMs, this.#retryMs);
    const backoff = Math.max(minRetryMs, this.#retryMs) * 2 ** Math.min(failures, 8);
    return Math.max(leastMs, Math.min(longestMs, backoff));
  }

  async #resume(drops: number, empty: number, signal: AbortSignal): Promise<Response> {
    const { log, name } = this.#options;
    for (let tries = 0; ; tries++) {
      await sleep(this.#backoffMs(tries + empty, maxEmptyBackoffMs), signal);
      log.debug("resuming", { server: name, drops, tries });
      const response = await this.#options.get(this.#lastEventId, signal).catch((error) => {
        if (signal.aborted || !(error instanceof BridgeError)) throw error;
        return undefined;
      });
      if (response?.ok && mediaType(response) === "text/event-stream") return response;
      if (response !== undefined) discard(response);
      if (response !== undefined && response.status < 500 && response.status !== 429)
        throw new BridgeError(
          "outcome-unknown",
          `"${name}" does not resume its answer (${response.status})`,
          {
            hint: "the server may have executed the call: check before you repeat it",
          },
        );
    }
  }

  /** Delivers the events of one connection; true where a message or a `retry` came. A broken connection ends it as a clean close does. */
  async #events(
    response: Response,
    sink: Sink,
    signal: AbortSignal,
    idleMs?: number,
  ): Promise<boolean> {
    let came = false;
    for await (const events of readEvents(response, { ...this.#options, idleMs }, signal))
      for (const event of events) {
        // An empty id clears the last event id (WHATWG HTML 9.2.6).
        if (event.id !== undefined) this.#lastEventId = event.id || undefined;
        if (event.retryMs !== undefined) {
          this.#retryMs = Math.min(maxRetryMs, event.retryMs);
          came = true;
        }
        const message = messageOfEvent(event, this.#odd);
        if (message === undefined) continue;
        came = true;
        const taken = sink.take(message);
        // Without this check every message would cost a turn of the event loop, even where the client keeps up.
        if (Bun.peek.status(taken) !== "fulfilled") await taken;
        if (sink.isDone) return came;
      }
    return came;
  }
}
