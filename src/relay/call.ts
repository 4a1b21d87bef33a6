import type { CallContext } from "../upstream/core/types.ts";
import { type Flaw, Message } from "../wire/message.ts";
import type { Deadline } from "./deadlines.ts";

/** One request of the client, or one batch, that is under way. */
export class Call implements CallContext {
  readonly server: string;
  readonly message: Message;
  readonly startedAt: number;
  readonly id: string;
  readonly method: string;
  /** The id without an answer yet, as the client wrote it; a batch has several. */
  #openId: string | undefined;
  readonly #openIds: Set<string> | undefined;
  readonly controller = new AbortController();
  readonly isInitialize: boolean;
  /** Whether the client got its answer from the catalog: the server's answer is not written. */
  readonly isAnswered: boolean;
  deadline?: Deadline;
  /** JSON text; null if the call asked for no progress, undefined before it is read. */
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
    if (ids.length === 1) this.#openId = this.id;
    else this.#openIds = new Set(ids);
    this.isInitialize = this.method === "initialize";
    this.isAnswered = isAnswered;
  }

  /** Whether an id has no answer yet. */
  get isOpen(): boolean {
    return this.#openId !== undefined || (this.#openIds !== undefined && this.#openIds.size > 0);
  }

  /** Ids without an answer yet, as the client wrote them. */
  get open(): readonly string[] {
    return this.#openId === undefined ? [...(this.#openIds ?? [])] : [this.#openId];
  }

  waitsFor(id: string): boolean {
    return this.#openId === id || this.#openIds?.has(id) === true;
  }

  /** The id is answered, or nobody waits for its answer any more. */
  settle(id: string): void {
    if (this.#openId === id) this.#openId = undefined;
    else this.#openIds?.delete(id);
  }

  /** Whether it is answered only when the client stops listening (MCP 2026-07-28 basic/utilities/subscriptions): it has no deadline, and the exit does not wait for it. */
  get isListening(): boolean {
    return this.method === "subscriptions/listen";
  }

  pause(): () => void {
    return this.deadline?.pause() ?? (() => undefined);
  }

  /** Whether the call asked for progress under this token (JSON text). */
  asksProgressAs(token: string): boolean {
    return this.#token() === token;
  }

  /** Whether progress under its token would extend its deadline. */
  get mayBeExtended(): boolean {
    return this.#token() !== null && this.deadline?.isExtended === false;
  }

  #token(): string | null {
    if (this.#progressToken === undefined)
      this.#progressToken = this.message.text(["params", "_meta", "progressToken"]) ?? null;
    return this.#progressToken;
  }
}

/** Extends the deadline of the call that a progress notification belongs to. */
export function prolong(calls: Iterable<Call>, progress: Message): void {
  let token: string | undefined;
  for (const call of calls) {
    if (!call.mayBeExtended) continue;
    token ??= progress.text(["params", "progressToken"]);
    if (token === undefined) return;
    if (call.asksProgressAs(token)) call.deadline?.extend();
  }
}

/** Whether every call under way is a subscription. */
export function areListening(calls: ReadonlyMap<string, Call>): boolean {
  return (
    calls.size === 0 || (calls.size < 3 && [...calls.values()].every((call) => call.isListening))
  );
}

/** The id of a request, valid or not; empty for any other message. */
export function requestIdOf(part: Message | Flaw): string[] {
  if (!(part instanceof Message)) return part.id === undefined ? [] : [part.id];
  return part.head.kind === "request" ? [part.head.id!] : [];
}
