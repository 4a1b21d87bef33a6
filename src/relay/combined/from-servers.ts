// What servers send beside their answers: requests to the client, notifications, changed lists.
import { CountedLog } from "../../platform/counted-log.ts";
import type { Log } from "../../platform/log.ts";
import { lists } from "../../upstream/catalog/entry.ts";
import type { Deliver } from "../../upstream/core/types.ts";
import type { CommandLine } from "../../wire/errors.ts";
import { errorTo, Message } from "../../wire/message.ts";
import { floodError, tooManyRequestsError } from "../own-errors.ts";
import type { Changes } from "./changes.ts";
import type { Member } from "./member.ts";
import type { ServerRequests } from "./server-requests.ts";

interface FromServersOptions {
  readonly requests: ServerRequests;
  readonly changes: Changes;
  readonly log: Log;
  readonly commandLine: CommandLine;
  /** The URI by which the client knows a server's resource. */
  readonly shownUri: (member: Member, uri: string) => string;
}

/** Messages that wait for a client which does not listen yet. */
const maxWaiting = 1000;
/** Refusals on their way to one server; then the stream that brings more requests is closed. */
const maxRefusals = 100;
const listChanges: ReadonlySet<string | undefined> = new Set(
  Object.values(lists).map(({ changed }) => changed),
);

export class FromServers {
  readonly #options: FromServersOptions;
  readonly #refused: CountedLog;
  readonly #dropped: CountedLog;
  readonly #refusals = new Map<Member, number>();
  #listener: Deliver | undefined;
  #waiting: Message[] = [];

  constructor(options: FromServersOptions) {
    this.#options = options;
    this.#refused = new CountedLog(options.log, "warn", "request of a server refused");
    this.#dropped = new CountedLog(options.log, "debug", "message of a server dropped");
  }

  /** The client listens to messages that belong to no call. */
  async listen(deliver: Deliver): Promise<void> {
    this.#listener = deliver;
    for (const message of this.#waiting.splice(0)) await deliver(message);
  }

  /** Forgets the listener and what waits for it: the client begins a new session. */
  clear(): void {
    this.#listener = undefined;
    this.#waiting = [];
  }

  /** Takes a message that belongs to no call of the client. */
  async takeOwn(member: Member, message: Message): Promise<void> {
    await this.take(member, message, async (own) => {
      if (this.#listener !== undefined) return this.#listener(own);
      if (this.#waiting.length < maxWaiting) this.#waiting.push(own);
    });
  }

  /** Passes a message that is no answer on to the client, by `deliver`. */
  async take(member: Member, message: Message, deliver: Deliver): Promise<void> {
    const { requests, changes, shownUri } = this.#options;
    const { kind, method } = message.head;
    if (kind === "batch") {
      for (const part of message.elements())
        if (part instanceof Message) await this.take(member, part, deliver);
      return;
    }
    if (kind === "response") return this.#drop(member, message);
    if (kind === "request") return this.#ask(member, message, deliver);
    if (listChanges.has(method)) return changes.note(method!);
    switch (method) {
      case "notifications/cancelled": {
        const cancelled = requests.cancelled(member, message);
        return cancelled === undefined ? this.#drop(member, message) : deliver(cancelled);
      }
      case "notifications/progress": {
        const token = message.text(["params", "progressToken"]);
        // The token of another server's call would end or prolong the wrong call.
        if (token === undefined || !member.asksProgressAs(token))
          return this.#drop(member, message);
        return deliver(message);
      }
      case "notifications/resources/updated": {
        const uri = message.value(["params", "uri"]);
        if (typeof uri !== "string") return this.#drop(member, message);
        const shown = member.subscribed.get(uri) ?? shownUri(member, uri);
        if (shown === uri) return deliver(message);
        return deliver(message.with([{ path: ["params", "uri"], raw: JSON.stringify(shown) }]));
      }
      default:
        return deliver(message);
    }
  }

  #drop(member: Member, { head }: Message): void {
    this.#dropped.note({ server: member.name, method: head.method?.slice(0, 64) });
  }

  async #ask(member: Member, request: Message, deliver: Deliver): Promise<void> {
    const { requests } = this.#options;
    if (requests.isFull(member)) return this.#refuse(member, request);
    await deliver(requests.forClient(member, request));
  }

  /** Rejects if too many refusals wait because the server accepts none. */
  #refuse(member: Member, request: Message): void {
    const error = tooManyRequestsError();
    this.#refused.note({ server: member.name, reason: error.message });
    const underWay = this.#refusals.get(member) ?? 0;
    if (underWay === maxRefusals) throw floodError();
    this.#refusals.set(member, underWay + 1);
    const refusal = errorTo(request.head.id!, error.toJsonRpc(this.#options.commandLine));
    void member
      .send(refusal, async () => undefined, AbortSignal.timeout(member.timeoutMs))
      .catch(() => undefined)
      .finally(() => this.#refusals.set(member, this.#refusals.get(member)! - 1));
  }
}
