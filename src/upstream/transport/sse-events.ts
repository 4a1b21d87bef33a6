// Event streams as every transport reads them.
import { CountedLog } from "../../platform/counted-log.ts";
import type { Log } from "../../platform/log.ts";
import { BridgeError } from "../../wire/errors.ts";
import { Message, readMessage } from "../../wire/message.ts";
import { reasonIn } from "../../wire/server-reason.ts";
import { EventParser, type SseEvent } from "../../wire/sse.ts";
import { cleanText } from "../../wire/text.ts";
import type { ReadBudget } from "./read-budget.ts";
import { badAnswer } from "./response-body.ts";

/** When a silent connection counts as dead. */
export interface Idle {
  /** Longest silence, keep-alive comments included, before the connection counts as dead; without it none does. */
  readonly idleMs?: number | undefined;
  /** Asked where the silence was too long: false bears it for as long again. */
  readonly mayEnd?: () => boolean;
}

interface ReadOptions extends Idle {
  /** Most bytes of one event. */
  readonly limit: number;
  readonly budget: ReadBudget;
  readonly log: Log;
  /** Told of every chunk. */
  readonly onResponseHeaders?: () => void;
}

/** A server that keeps its listening stream alive says something every half minute; one that does not is asked again after this. */
export const listenIdleMs = 300_000;

/** The events of a body, a chunk's worth at a time; a connection that breaks ends them as a clean close does. Rejects with the signal's reason. */
export async function* readEvents(
  response: Response,
  { limit, budget, log, idleMs, onResponseHeaders, mayEnd }: ReadOptions,
  signal: AbortSignal,
): AsyncGenerator<SseEvent[]> {
  if (response.body === null) return;
  const parser = new EventParser(limit);
  const held = budget.begin();
  const reader = response.body.getReader();
  const end = () => (mayEnd?.() === false ? undefined : void reader.cancel());
  try {
    for (;;) {
      // Half-open connections say nothing for ever, and the run time does not look.
      const timer = idleMs === undefined ? undefined : setInterval(end, idleMs);
      const chunk = await reader.read().catch((error) => {
        if (signal.aborted) throw signal.reason;
        // A coding that cannot be undone is no broken connection.
        if (error instanceof BridgeError) throw error;
        log.debug("stream broke", { error: String(error?.code ?? error) });
        return { done: true, value: undefined } as const;
      });
      clearInterval(timer);
      if (chunk.done) return;
      onResponseHeaders?.();
      const events = parser.feed(chunk.value);
      const heldBytes = parser.heldBytes + (events.length > 0 ? dataBytes(events) : 0);
      const room = held.hold(heldBytes, signal);
      if (room !== undefined) await room;
      if (events.length > 0) yield events;
    }
  } finally {
    held.end();
    reader.cancel().catch(() => undefined);
  }
}

function dataBytes(events: readonly SseEvent[]): number {
  let bytes = 0;
  for (const { data } of events) bytes += data?.length ?? 0;
  return bytes;
}

/** Events of one stream that are no messages: skipped and counted; where the stream then ends without an answer, they tell why. */
export class OddEvents {
  readonly #name: string;
  readonly #log: CountedLog;
  #count = 0;
  /** What was wrong with the latest, or what the server said in it. */
  #reason = "";

  constructor(log: Log, name: string) {
    this.#name = name;
    this.#log = new CountedLog(log, "debug", "event that is no message");
  }

  note(event: string, reason: string): void {
    this.#count++;
    this.#reason = reason;
    this.#log.note({ server: this.#name, event: cleanText(event, 64), reason });
  }

  /** The error for a stream that ended without its answer. */
  endError(): BridgeError {
    if (this.#count === 0)
      return new BridgeError("outcome-unknown", `"${this.#name}" ended its answer early`, {
        hint: "the server may or may not have done it: check before you repeat the call",
      });
    const events =
      this.#count === 1
        ? "an event that is no message"
        : `${this.#count} events that are no messages`;
    return badAnswer(`"${this.#name}" sent ${events} (${this.#reason}), and no answer`);
  }
}

/** The message of an event; undefined for an event without data and for one that is no message, which `odd` notes. A named event counts where it carries a JSON-RPC error. */
export function messageOfEvent({ event, data }: SseEvent, odd: OddEvents): Message | undefined {
  if (data === undefined || data.length === 0) return undefined;
  const read = readMessage(data);
  const isMessage = read instanceof Message;
  if (isMessage && (event === "message" || read.head.isError === true)) return read;
  const said = event === "error" ? cleanText(reasonIn(new TextDecoder().decode(data)), 300) : "";
  odd.note(event, said || (isMessage ? `type "${cleanText(event, 64)}"` : read.reason));
  return undefined;
}
