import { type Flaw, Message } from "../wire/message.ts";
import type { Deadline } from "./deadlines.ts";

/** A request of the client (or a batch of them) that is under way. */
export interface Call {
  /** Ids as written that are not answered yet. */
  readonly open: Set<string>;
  readonly controller: AbortController;
  readonly startedAt: number;
  readonly isInitialize: boolean;
  /** Whether the client has its answer: what comes for it is not shown. */
  readonly isAnswered: boolean;
  readonly message: Message;
  deadline?: Deadline;
  /** Kept by `progressTokenOf`; null where the call asked for no progress. */
  progressToken?: string | null;
}

/** Progress prolongs the call that asked for it. */
export function prolong(calls: Iterable<Call>, progress: Message): void {
  const token = progress.text(["params", "progressToken"]);
  if (token === undefined) return;
  for (const call of calls) if (progressTokenOf(call) === token) call.deadline?.extend();
}

/** The token, as written, under which a call asked for progress; read from its bytes once. */
function progressTokenOf(call: Call): string | null {
  if (call.progressToken === undefined)
    call.progressToken = call.message.text(["params", "_meta", "progressToken"]) ?? null;
  return call.progressToken;
}

/** Whether the answer comes only when nobody listens any more (MCP 2026-07-28 basic/utilities/subscriptions): no deadline, no waiting for it. */
export function isListening({ message }: Call): boolean {
  return message.head.method === "subscriptions/listen";
}

/** Whether none of the calls waits for an answer: those that listen get theirs when nobody does any more. */
export function areListening(calls: ReadonlyMap<string, Call>): boolean {
  return calls.size === 0 || (calls.size < 3 && [...calls.values()].every(isListening));
}

/** The id of a request, also of one that is flawed. */
export function requestIdOf(part: Message | Flaw): string[] {
  if (!(part instanceof Message)) return part.id === undefined ? [] : [part.id];
  return part.head.kind === "request" ? [part.head.id!] : [];
}
