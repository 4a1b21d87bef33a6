// Event streams of Streamable HTTP: reading, polling and resuming (MCP 2025-11-25 basic/transports, SEP-1699).
import { sleep } from "../../platform/async.ts";
import type { Log } from "../../platform/log.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { Deliver } from "../core/types.ts";
import type { ReadBudget } from "./read-budget.ts";
import { discard, mediaType, readErrorText } from "./response-body.ts";
import { SessionLost } from "./session-lost.ts";
import { listenIdleMs, messageOfEvent, OddEvents, readEvents } from "./sse-events.ts";

/** What a stream waits for; it is over once `isDone`. */
interface Sink {
  readonly isDone: boolean;
  take(message: Message): Promise<void>;
}

interface StreamOptions {
  readonly name: string;
  readonly limit: number;
  readonly budget: ReadBudget;
  readonly log: Log;
  /** Opens a stream anew, after `lastEventId` where there is one. */
  readonly get: (lastEventId: string | undefined, signal: AbortSignal) => Promise<Response>;
  /** Called when a stream that worked is refused, with the body's text: throws SessionLost where that means the session. */
  readonly lost?: (response: Response, text: string) => void;
  /** Longest silence of a listening stream before it is opened anew; 5 minutes without it. */
  readonly idleMs?: number;
}

/** Wait before a reconnect where the server names none. */
const defaultRetryMs = 1000;
/** No server may make us wait for ever... */
const maxRetryMs = 300_000;
/** ...or hammer it: below this a `retry` is honoured for a few reconnections only. */
const minRetryMs = 10;
const hastyMs = 100;
const hastyReconnections = 3;
const hastyFloorMs = 1000;
/** Listening streams that end at once are reopened ever more slowly, up to this. */
const maxListenBackoffMs = 60_000;
/** Streams of an answer that end without an event are resumed ever more slowly, up to this. */
const maxEmptyBackoffMs = 5000;

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
      if (sink.isDone) return;
      if (this.#lastEventId === undefined) throw this.#odd.endError();
      response = await this.#resume(drops, empty, signal);
    }
  }

  /** Delivers what the server says by itself, until the signal; returns where the server offers no such stream. */
  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { log, name, idleMs = listenIdleMs } = this.#options;
    const sink: Sink = { isDone: false, take: deliver };
    let hasWorked = false;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const response = await this.#options.get(this.#lastEventId, signal);
        if (response.ok && mediaType(response) === "text/event-stream") {
          log.debug("listening", { server: name, status: response.status });
          hasWorked = true;
          if (await this.#events(response, sink, signal, idleMs)) failures = 0;
        } else if (response.ok || !hasWorked) await discard(response);
        else this.#options.lost?.(response, await readErrorText(response));
        if ([404, 405, 501].includes(response.status)) return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof SessionLost) throw error;
        log.debug("listening stream broke", {
          server: name,
          error: String((error as Error)?.message),
        });
      }
      await sleep(this.#backoffMs(failures, maxListenBackoffMs), signal).catch(() => undefined);
    }
  }

  /** Wait before the next connection: the server's own `retry`, and longer after failures, up to `longestMs`; never shorter than it asked for. */
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
      if (response !== undefined) await discard(response);
      if (response !== undefined && response.status < 500 && response.status !== 429)
        throw new BridgeError(
          "outcome-unknown",
          `"${name}" does not resume its answer (${response.status})`,
          {
            hint: "the server may or may not have done it: check before you repeat the call",
          },
        );
    }
  }

  /** Hands the events of one connection on; true where a message came, or word of when to come back. A connection that breaks ends it as a clean close does. */
  async #events(
    response: Response,
    sink: Sink,
    signal: AbortSignal,
    idleMs?: number,
  ): Promise<boolean> {
    let came = false;
    for await (const events of readEvents(response, { ...this.#options, idleMs }, signal))
      for (const event of events) {
        // An empty id takes the last one back (WHATWG HTML 9.2.6).
        if (event.id !== undefined) this.#lastEventId = event.id || undefined;
        if (event.retryMs !== undefined) {
          this.#retryMs = Math.min(maxRetryMs, event.retryMs);
          came = true;
        }
        const message = messageOfEvent(event, this.#odd);
        if (message === undefined) continue;
        came = true;
        const taken = sink.take(message);
        // Where the client reads as fast as the server writes, nothing is waited for.
        if (Bun.peek.status(taken) !== "fulfilled") await taken;
        if (sink.isDone) return came;
      }
    return came;
  }
}
