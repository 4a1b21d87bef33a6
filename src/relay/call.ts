import type { CallContext } from "../upstream/core/types.ts";
import { type Flaw, Message } from "../wire/message.ts";
import type { Deadline } from "./deadlines.ts";

/** A request of the client (or a batch of them) that is under way. */
export class Call implements CallContext {
  readonly server: string;
  readonly message: Message;
  readonly startedAt: number;
  readonly id: string;
  readonly method: string;
  /** Ids as written that are not answered yet. */
  readonly open: Set<string>;
  readonly controller = new AbortController();
  readonly isInitialize: boolean;
  /** Whether the client has its answer already: the one that comes is not shown. */
  readonly isAnswered: boolean;
  deadline?: Deadline;
  /** Null where the call asked for no progress. */
  #progressToken: string | null | undefined;

  constructor(
    server: string,
    message: Message,
    ids: readonly string[],
    startedAt: number,
    isAnswered: boolean,
  ) {
    this.server = server;
    this.message = message;
    this.startedAt = startedAt;
    this.id = ids[0]!;
    this.method = message.head.method ?? "";
    this.open = new Set(ids);
    this.isInitialize = this.method === "initialize";
    this.isAnswered = isAnswered;
  }

  /** Whether its answer comes only when the client stops listening (MCP 2026-07-28 basic/utilities/subscriptions): no deadline, no waiting for it. */
  get isListening(): boolean {
    return this.method === "subscriptions/listen";
  }

  pause(): () => void {
    return this.deadline?.pause() ?? (() => undefined);
  }

  /** Whether it asked for progress under this token, as written; read from its bytes once. */
  asksProgressAs(token: string): boolean {
    if (this.#progressToken === undefined)
      this.#progressToken = this.message.text(["params", "_meta", "progressToken"]) ?? null;
    return this.#progressToken === token;
  }
}

/** Progress prolongs the call that asked for it. */
export function prolong(calls: Iterable<Call>, progress: Message): void {
  const token = progress.text(["params", "progressToken"]);
  if (token === undefined) return;
  for (const call of calls) if (call.asksProgressAs(token)) call.deadline?.extend();
}

/** Whether no call waits for an answer: those that listen are answered when they end. */
export function areListening(calls: ReadonlyMap<string, Call>): boolean {
  return (
    calls.size === 0 || (calls.size < 3 && [...calls.values()].every((call) => call.isListening))
  );
}

/** The id of a request, also of one that is flawed. */
export function requestIdOf(part: Message | Flaw): string[] {
  if (!(part instanceof Message)) return part.id === undefined ? [] : [part.id];
  return part.head.kind === "request" ? [part.head.id!] : [];
}
