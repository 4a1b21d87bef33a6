// Event streams as every transport reads them.
import type { Log } from "../../platform/log.ts";
import { type Message, readMessage } from "../../wire/message.ts";
import { EventParser, type SseEvent } from "../../wire/sse.ts";
import { ReadBudget } from "./read-budget.ts";
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
  readonly log: Log;
  /** Told of every chunk. */
  readonly onResponseHeaders?: () => void;
}

/** A server that keeps its listening stream alive says something every half minute; one that does not is asked again after this. */
export const listenIdleMs = 300_000;

/** The events of a body, a chunk's worth at a time; a connection that breaks ends them as a clean close does. Rejects with the signal's reason. */
export async function* readEvents(
  response: Response,
  { limit, log, idleMs, onResponseHeaders, mayEnd }: ReadOptions,
  signal: AbortSignal,
): AsyncGenerator<SseEvent[]> {
  if (response.body === null) return;
  const parser = new EventParser(limit);
  const readBudget = new ReadBudget();
  const reader = response.body.getReader();
  const end = () => (mayEnd?.() === false ? undefined : void reader.cancel());
  try {
    for (;;) {
      // Half-open connections say nothing for ever, and the run time does not look.
      const timer = idleMs === undefined ? undefined : setInterval(end, idleMs);
      const chunk = await reader.read().catch((error) => {
        if (signal.aborted) throw signal.reason;
        log.debug("stream broke", { error: String(error?.code ?? error) });
        return { done: true, value: undefined } as const;
      });
      clearInterval(timer);
      if (chunk.done) return;
      onResponseHeaders?.();
      const events = parser.feed(chunk.value);
      const heldBytes = parser.heldBytes + (events.length > 0 ? dataBytes(events) : 0);
      const room = readBudget.hold(heldBytes, signal);
      if (room !== undefined) await room;
      if (events.length > 0) yield events;
    }
  } finally {
    readBudget.end();
    reader.cancel().catch(() => undefined);
  }
}

function dataBytes(events: readonly SseEvent[]): number {
  let bytes = 0;
  for (const { data } of events) bytes += data?.length ?? 0;
  return bytes;
}

/** The message an event carries; undefined for one that only primes (no data) or has another type. Throws `bad-answer`. */
export function messageOfEvent({ event, data }: SseEvent, name: string): Message | undefined {
  if (data === undefined || data.length === 0 || event !== "message") return undefined;
  const message = readMessage(data);
  if ("flaw" in message)
    throw badAnswer(`"${name}" sent an event that is no message (${message.reason})`);
  return message;
}
