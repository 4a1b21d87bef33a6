// Merges the lists of several servers. A list does not wait for a server that is slow or fails: what it has follows later.
import { abortable } from "../../platform/async.ts";
import type { Log } from "../../platform/log.ts";
import { pauses } from "../../upstream/catalog/lists.ts";
import type { RequestIds } from "../../upstream/core/request-ids.ts";
import { errorCodeOf } from "../../upstream/core/stateless-protocol.ts";
import { type ClientFacts, type Deliver, isCodex } from "../../upstream/core/types.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { errorTo, type Message, requestOf } from "../../wire/message.ts";
import { within } from "../timeout.ts";
import type { Changes } from "./changes.ts";
import { decodeCursor } from "./cursor.ts";
import {
  changeOf,
  emptyPage,
  joinPages,
  keysOf,
  type Page,
  pageOf,
  type ShownItems,
} from "./list-pages.ts";
import type { Member } from "./member.ts";

interface MergedListsOptions extends ShownItems {
  readonly members: readonly Member[];
  readonly client: ClientFacts;
  readonly ids: RequestIds;
  readonly log: Log;
  readonly changes: Changes;
  readonly now: () => number;
  /** When this process started, by `now`. */
  readonly startedAt: number;
  /** Records an item's name or URI (JSON text) of the server. */
  readonly learn: (member: Member, method: string, raw: string) => void;
  /** Takes what a server sends beside its answer. */
  readonly fromServer: (member: Member, message: Message) => Promise<void>;
}

/** Codex drops what it has not got one second after it started the bridge. */
const codexStartMs = 800;
/** Every server gets at least this long: a catalog answers after 300 ms in place of its server. */
const leastMs = 400;
/** First pause before a list that failed is fetched again. */
const againMs = 5000;
/** Most pages of one server that are read to find a name: a server may return cursors without end. */
const maxPages = 1000;
const unknownMethod = -32601;

export class MergedLists {
  readonly #options: MergedListsOptions;
  /** When the client's session began; undefined before it. */
  #beganAt: number | undefined;
  #hasListedTools = false;
  /** Lists of servers that are fetched in the background, as "method server". */
  readonly #followed = new Set<string>();
  #ended = new AbortController();

  constructor(options: MergedListsOptions) {
    this.#options = options;
  }

  /** Begins anew with the client's initialize. */
  renew(): void {
    this.close();
    this.#ended = new AbortController();
    this.#followed.clear();
    this.#beganAt = this.#options.now();
    this.#hasListedTools = false;
  }

  close(): void {
    this.#ended.abort({ by: "closing" });
  }

  /** Answers a list with the pages of all servers that answer in time. */
  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { members, log, now } = this.#options;
    const method = message.head.method!;
    const id = message.head.id!;
    this.#beganAt ??= now();
    const given = message.value(["params", "cursor"]) ?? undefined;
    const cursors = given === undefined ? undefined : decodeCursor(given);
    if (given !== undefined && cursors === undefined)
      return deliver(errorTo(id, { code: -32602, message: "Invalid params: unknown cursor" }));
    const meta = metaOf(message);
    const isFirstTools = method === "tools/list" && !this.#hasListedTools;
    this.#hasListedTools ||= method === "tools/list";
    const wanted = members.filter(
      (each) => cursors === undefined || Object.hasOwn(cursors, each.name),
    );
    const pages = new Map<Member, Page | BridgeError>();
    const one = async (member: Member) => {
      const page = this.#fetch(member, method, meta, cursors?.[member.name]);
      const settled = page.then(
        (found) => void pages.set(member, found),
        (error) => void pages.set(member, asBridgeError(error)),
      );
      await abortable(within(this.#waitMs(member, isFirstTools), settled), signal);
      const found = pages.get(member);
      if (found !== undefined && !(found instanceof BridgeError)) return;
      const error = found ?? member.failure ?? silentError(member);
      pages.set(member, error);
      const level = method === "tools/list" ? "warn" : "debug";
      log[level]("list without a server", { server: member.name, method, error: error.message });
      if (cursors === undefined) void this.#follow(member, method, meta, page);
    };
    await Promise.all(wanted.map(one));
    // A page may have come while the others were waited for.
    const isFirst = cursors === undefined;
    const listed = wanted.map((member) => [member, pages.get(member)!] as const);
    await deliver(joinPages(message, listed, isFirst, this.#options));
  }

  /** Reads all pages of a server's list, so that its names are known. Rejects if the server cannot be asked. */
  async learnAll(
    member: Member,
    method: string,
    like: Message,
    signal: AbortSignal,
  ): Promise<void> {
    const meta = metaOf(like);
    const seen = new Set<string | undefined>();
    let cursor: string | undefined;
    do {
      seen.add(cursor);
      ({ cursor } = await abortable(this.#fetch(member, method, meta, cursor), signal));
    } while (cursor !== undefined && !seen.has(cursor) && seen.size < maxPages);
  }

  /** How long this list waits for the server. */
  #waitMs(member: Member, isFirstTools: boolean): number {
    const { client, now, startedAt } = this.#options;
    const at = now();
    if (isFirstTools && isCodex(client)) return Math.max(leastMs, startedAt + codexStartMs - at);
    if (member.hasAnswered) return member.connectTimeoutMs;
    return Math.max(leastMs, this.#beganAt! + member.connectTimeoutMs - at);
  }

  /** Fetches one page of a server and learns its items; without the list, or the capability for it, the page is empty. */
  async #fetch(
    member: Member,
    method: string,
    meta: string | undefined,
    cursor: string | undefined,
  ): Promise<Page> {
    const { ids, learn, fromServer } = this.#options;
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(member.timeoutMs)]);
    await abortable(member.connected(), signal);
    const capability = method.slice(0, method.indexOf("/"));
    if (
      member.introduction !== undefined &&
      !Object.hasOwn(member.introduction.capabilities, capability)
    )
      return emptyPage;
    const params = [
      ...(cursor === undefined ? [] : [`"cursor":${JSON.stringify(cursor)}`]),
      ...(meta === undefined ? [] : [`"_meta":${meta}`]),
    ];
    const request = requestOf(ids.next("list"), method, `{${params.join(",")}}`);
    let answer: Message | undefined;
    const take: Deliver = async (incoming) => {
      if (incoming.head.kind === "response") answer = incoming;
      else await fromServer(member, incoming);
    };
    await member.send(request, take, signal);
    if (answer === undefined) throw silentError(member);
    member.hasAnswered = true;
    if (errorCodeOf(answer) === unknownMethod) return emptyPage;
    if (answer.head.isError === true) throw listError(member, method, answer);
    const page = pageOf(answer, method);
    for (const key of keysOf(page)) learn(member, method, key);
    return page;
  }

  /** Waits in the background for a list that came too late or failed, and announces it. */
  async #follow(member: Member, method: string, meta: string | undefined, page: Promise<Page>) {
    const { changes, log } = this.#options;
    const key = `${method} ${member.name}`;
    if (this.#followed.has(key)) return;
    const { signal } = this.#ended;
    const followed = this.#followed.add(key);
    const pause = pauses(againMs);
    let current = page;
    try {
      while ((await current.catch(() => undefined)) === undefined) {
        await abortable(member.opened, signal);
        current = this.#fetch(member, method, meta, undefined);
        if ((await current.catch(() => undefined)) === undefined) await abortable(pause(), signal);
      }
      if (signal.aborted) return;
      log.info("list complete", { server: member.name, method });
      const changed = changeOf(method);
      if (changed !== undefined) changes.note(changed);
    } catch {
      // The session has ended.
    } finally {
      if (this.#ended.signal === signal) followed.delete(key);
    }
  }
}

/** The `_meta` of a request, for requests of ours, as JSON text. Progress would reach the client once for each server. */
function metaOf(message: Message): string | undefined {
  const token = ["params", "_meta", "progressToken"];
  const plain =
    message.view(token) === undefined ? message : message.with([{ path: token, raw: null }]);
  const meta = plain.text(["params", "_meta"]);
  return meta?.startsWith("{") === true ? meta : undefined;
}

function silentError({ name }: Member): BridgeError {
  return new BridgeError("timeout", `server "${name}" has not answered yet`, {
    hint: (command) => `see ${command(`test --server ${name}`)}`,
  });
}

function listError({ name }: Member, method: string, answer: Message): BridgeError {
  const text = answer.value(["error", "message"]);
  const why = typeof text === "string" ? `: ${text}` : "";
  return new BridgeError("server-error", `server "${name}" refused ${method}${why}`, {
    hint: (command) => `see ${command(`test --server ${name}`)}`,
  });
}
