// Requests of the servers to the client: each gets an id of ours, since two servers may use the same one.
import type { RequestIds } from "../../upstream/core/request-ids.ts";
import type { Ask } from "../../upstream/core/types.ts";
import { idKey, type Message, requestOf } from "../../wire/message.ts";
import type { Edit } from "../../wire/spans.ts";
import { maxPending } from "../client-requests.ts";
import { maxPauseMs } from "../deadlines.ts";
import type { Member } from "./member.ts";

interface Pending {
  readonly member: Member;
  /** The server's id, as JSON text. */
  readonly own: string;
  /** The server's progress token, and the one that the client sees, as JSON text. */
  readonly token: string | undefined;
  readonly askedAt: number;
  isAnswered: boolean;
}

/** Requests of one server that may wait: a flood of one server leaves room for the others. */
const mostOfOne = 100;

export class ServerRequests {
  readonly #ids: RequestIds;
  readonly #now: () => number;
  readonly #most: number;
  /** By our id. */
  readonly #pending = new Map<string, Pending>();

  constructor(ids: RequestIds, servers: number, now: () => number) {
    this.#ids = ids;
    this.#now = now;
    this.#most = Math.max(1, Math.min(mostOfOne, Math.floor(maxPending / servers)));
  }

  /** Whether the server has too many requests under way, after those that nobody answered for ten minutes are forgotten. */
  isFull(member: Member): boolean {
    const own = [...this.#pending].filter(([, pending]) => pending.member === member);
    if (own.length < this.#most) return false;
    const now = this.#now();
    const old = own.filter(([, { askedAt }]) => now - askedAt > maxPauseMs);
    for (const [id] of old) this.#pending.delete(id);
    return own.length - old.length >= this.#most;
  }

  /** The request as the client gets it: with our id and progress token, and the server's name before what it asks the user. */
  forClient(member: Member, request: Message): Message {
    const id = this.#ids.next("server");
    const token = request.text(["params", "_meta", "progressToken"]);
    const own = request.head.id!;
    this.#pending.set(id, { member, own, token, askedAt: this.#now(), isAnswered: false });
    const edits: Edit[] = [{ path: ["id"], raw: id }];
    if (token !== undefined) edits.push({ path: ["params", "_meta", "progressToken"], raw: id });
    if (request.head.method === "elicitation/create") {
      const text = request.value(["params", "message"]);
      if (typeof text === "string")
        edits.push({ path: ["params", "message"], raw: namedText(member.name, text) });
    }
    return request.with(edits);
  }

  /**
   * The server that a response of the client is for, and the response with the server's own id. The request counts until
   * `done` is called: a server that asks but accepts no answers reaches its limit.
   */
  take(
    response: Message,
  ): { readonly member: Member; readonly answer: Message; done(): void } | undefined {
    const id = response.head.id!;
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.isAnswered) return undefined;
    pending.isAnswered = true;
    const answer = response.with([{ path: ["id"], raw: pending.own }]);
    return { member: pending.member, answer, done: () => void this.#pending.delete(id) };
  }

  /** The client's progress of a server's request, with the server's own token. */
  progress(notification: Message): { readonly member: Member; readonly own: Message } | undefined {
    const token = notification.text(["params", "progressToken"]);
    const pending = token === undefined ? undefined : this.#pending.get(token);
    if (pending?.token === undefined) return undefined;
    const own = notification.with([{ path: ["params", "progressToken"], raw: pending.token }]);
    return { member: pending.member, own };
  }

  /** A server's cancellation of its own request, with our id; undefined if it has no such request. */
  cancelled(member: Member, notification: Message): Message | undefined {
    const own = notification.text(["params", "requestId"]);
    if (own === undefined) return undefined;
    for (const [id, pending] of this.#pending)
      if (pending.member === member && !pending.isAnswered && idKey(pending.own) === idKey(own)) {
        this.#pending.delete(id);
        return notification.with([{ path: ["params", "requestId"], raw: id }]);
      }
    return undefined;
  }

  /** Forgets what waits: the client begins a new session. */
  clear(): void {
    this.#pending.clear();
  }
}

/** Puts the server's name before what the bridge asks the user for this server. */
export function namedAsk(server: string, ask: Ask): Ask {
  return ({ method, params }, signal) => {
    const request = requestOf("0", method, params);
    const text = method === "elicitation/create" ? request.value(["params", "message"]) : undefined;
    if (typeof text !== "string") return ask({ method, params }, signal);
    const named = request.with([{ path: ["params", "message"], raw: namedText(server, text) }]);
    return ask({ method, params: named.text(["params"])! }, signal);
  };
}

/** What a server asks the user, after the server's name; as JSON text. */
export function namedText(server: string, text: string): string {
  return JSON.stringify(`${server}: ${text}`);
}
