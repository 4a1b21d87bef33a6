// Reading event streams, for every transport.
import { CountedLog } from "../../platform/counted-log.ts";
import type { Log } from "../../platform/log.ts";
import { BridgeError } from "../../wire/errors.ts";
import { Message } from "../../wire/message.ts";
import { readServerMessage } from "../../wire/server-message.ts";
import { reasonIn } from "../../wire/server-reason.ts";
import { EventParser, type SseEvent } from "../../wire/sse.ts";
import { cleanText } from "../../wire/text.ts";
import type { ReadBudget } from "./read-budget.ts";
import { badAnswer } from "./response-body.ts";
import type { StreamRests } from "./stream-rests.ts";

/** When a silent connection counts as dead. */
export interface Idle {
  /** Longest silence, keep-alive comments included, before the connection counts as dead; undefined: no limit. */
  readonly idleMs?: number | undefined;
  /** Called after that silence; false waits for as long again. */
  readonly mayEnd?: () => boolean;
}

interface ReadOptions extends Idle {
  /** Most bytes of one event. */
  readonly limit: number;
  readonly budget: ReadBudget;
  readonly log: Log;
  /** Called for every chunk. */
  readonly onChunk?: () => void;
  /** Reads the stream to its end if the caller has its answer; the caller waits for that. Without it, the stream is cancelled. */
  readonly rests?: StreamRests | undefined;
}

/** Silence after which a listening stream is opened anew: servers that keep streams alive send a comment every half minute. */
export const listenIdleMs = 300_000;

/** Largest response in a named event that is kept. */
const heldBytes = 1024 * 1024;

/** The events of a body, as each chunk completes them. A broken connection ends them as a clean close does. Rejects with the signal's reason. */
export async function* readEvents(
  response: Response,
  { limit, budget, log, idleMs, onChunk, mayEnd, rests }: ReadOptions,
  signal: AbortSignal,
): AsyncGenerator<SseEvent[]> {
  if (response.body === null) return;
  const parser = new EventParser(limit);
  const held = budget.begin();
  const reader = response.body.getReader();
  const end = () => (mayEnd?.() === false ? undefined : void reader.cancel());
  let isLeft = false;
  try {
    for (;;) {
      // Bun does not notice a half-open connection.
      const timer = idleMs === undefined ? undefined : setInterval(end, idleMs);
      const chunk = await reader.read().catch((error) => {
        if (signal.aborted) throw signal.reason;
        // A body that cannot be decoded is no broken connection.
        if (error instanceof BridgeError) throw error;
        log.debug("stream broke", { error: String(error?.code ?? error) });
        return { done: true, value: undefined } as const;
      });
      clearInterval(timer);
      if (chunk.done) {
        const rest = responseAtEnd(parser);
        if (rest !== undefined) yield [rest];
        return;
      }
      onChunk?.();
      const events = parser.feed(chunk.value);
      const heldBytes = parser.heldBytes + (events.length > 0 ? dataBytes(events) : 0);
      const room = held.hold(heldBytes, signal);
      if (room !== undefined) await room;
      if (events.length === 0) continue;
      isLeft = true;
      yield events;
      isLeft = false;
    }
  } finally {
    held.end();
    if (isLeft && !signal.aborted && rests !== undefined) await rests.read(reader);
    else reader.cancel().catch(() => undefined);
  }
}

/** The response at the end of a stream that lacks the empty line behind its last event, or that is JSON and no event stream. Only whole JSON is accepted, so nothing that was cut off is. */
function responseAtEnd(parser: EventParser): SseEvent | undefined {
  const data = parser.finish();
  const read = data && readServerMessage(data);
  if (!(read instanceof Message)) return undefined;
  // A request or notification at the end of a stream is dropped, alone or in a batch.
  const messages = read.head.kind === "batch" ? read.elements() : [read];
  if (!messages.every((each) => each instanceof Message && each.head.kind === "response"))
    return undefined;
  return { event: "message", data, id: undefined, retryMs: undefined };
}

function dataBytes(events: readonly SseEvent[]): number {
  let bytes = 0;
  for (const { data } of events) bytes += data?.length ?? 0;
  return bytes;
}

/** Counts the events of one stream that are no messages. If the stream ends without an answer, the error describes them. */
export class OddEvents {
  readonly #name: string;
  readonly #log: CountedLog;
  #count = 0;
  /** Why the latest is no message, or the server's reason in it. */
  #reason = "";
  #held: Message | undefined;

  constructor(log: Log, name: string) {
    this.#name = name;
    this.#log = new CountedLog(log, "debug", "event that is no message");
  }

  note(event: string, reason: string): void {
    this.#count++;
    this.#reason = reason;
    this.#log.note({ server: this.#name, event: cleanText(event, 64), reason });
  }

  /** Keeps the latest response in a named event: if the stream ends without another answer, it is the answer. */
  hold(message: Message): void {
    if (message.head.kind === "response" && message.bytes.length <= heldBytes) this.#held = message;
  }

  get held(): Message | undefined {
    return this.#held;
  }

  /** The error for a stream that ended without its answer. */
  endError(): BridgeError {
    if (this.#count === 0)
      return new BridgeError("outcome-unknown", `"${this.#name}" ended its answer early`, {
        hint: "the server may have executed the call: check before you repeat it",
      });
    const events =
      this.#count === 1
        ? "an event that is no message"
        : `${this.#count} events that are no messages`;
    return badAnswer(`"${this.#name}" sent ${events} (${this.#reason}), and no answer`);
  }
}

/** The message in an event. Undefined for an event without data, and for one that is no message, which `odd` counts. A named event counts as a message where it holds a JSON-RPC error; a result in a named event counts at the end of the stream (OddEvents.held). */
export function messageOfEvent({ event, data }: SseEvent, odd: OddEvents): Message | undefined {
  if (data === undefined || data.length === 0) return undefined;
  const read = readServerMessage(data);
  const isMessage = read instanceof Message;
  if (isMessage && (event === "message" || read.head.isError === true)) return read;
  const reason = event === "error" ? cleanText(reasonIn(new TextDecoder().decode(data)), 300) : "";
  odd.note(event, reason || (isMessage ? `type "${cleanText(event, 64)}"` : read.reason));
  if (isMessage) odd.hold(read);
  return undefined;
}
