// Merges the lists of several servers. A list does not wait for a server that is slow or fails: what it has follows later.
import { abortable } from "../../platform/async.ts";
import type { Log } from "../../platform/log.ts";
import { lists } from "../../upstream/catalog/entry.ts";
import { pauses } from "../../upstream/catalog/lists.ts";
import type { RequestIds } from "../../upstream/core/request-ids.ts";
import { errorCodeOf, revisionOf } from "../../upstream/core/stateless-protocol.ts";
import { type ClientFacts, type Deliver, isCodex } from "../../upstream/core/types.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { errorTo, Message, requestOf } from "../../wire/message.ts";
import { children, find } from "../../wire/spans.ts";
import { within } from "../timeout.ts";
import type { Changes } from "./changes.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import type { Member } from "./member.ts";

interface MergedListsOptions {
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
  /** The name or URI as the client sees it, as JSON text; called after all servers' items were learnt. */
  readonly shown: (member: Member, method: string, raw: string) => string;
  /** The tool that stands for a server which could not be listed, as JSON text. */
  readonly problemTool: (member: Member, error: BridgeError) => string;
  /** Takes what a server sends beside its answer. */
  readonly fromServer: (member: Member, message: Message) => Promise<void>;
}

/** One page of one server. */
interface Page {
  readonly bytes: Uint8Array;
  readonly items: readonly Item[];
  readonly cursor: string | undefined;
  /** Members that a stateless result has. */
  readonly ttlMs: number;
  readonly isPublic: boolean;
}

/** An item of a page, with the place of its name or URI. */
interface Item {
  readonly start: number;
  readonly end: number;
  readonly keyStart: number;
  readonly keyEnd: number;
}

/** The lists that are merged: the member with their items, the member that names an item, the notification of a change. */
const merged: Readonly<Record<string, { items: string; key: string; changed?: string }>> = {
  "tools/list": { ...lists["tools/list"]!, key: "name" },
  "prompts/list": { ...lists["prompts/list"]!, key: "name" },
  "resources/list": { ...lists["resources/list"]!, key: "uri" },
  "resources/templates/list": { ...lists["resources/templates/list"]!, key: "uriTemplate" },
  // MCP 2025-11-25 basic/utilities/tasks
  "tasks/list": { items: "tasks", key: "taskId" },
};
/** Codex drops what it has not got one second after it started the bridge. */
const codexStartMs = 800;
/** Every server gets at least this long: a catalog answers after 300 ms in place of its server. */
const leastMs = 400;
/** First pause before a list that failed is fetched again. */
const againMs = 5000;
/** Most pages of one server that are read to find a name: a server may return cursors without end. */
const maxPages = 1000;
const unknownMethod = -32601;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const nothing: Page = {
  bytes: new Uint8Array(),
  items: [],
  cursor: undefined,
  ttlMs: Number.POSITIVE_INFINITY,
  isPublic: true,
};

/** Whether a method is a list that is merged. */
export function isMergedList(method: string): boolean {
  return Object.hasOwn(merged, method);
}

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
    await deliver(this.#merged(message, wanted, pages, isFirst));
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
      return nothing;
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
    if (errorCodeOf(answer) === unknownMethod) return nothing;
    if (answer.head.isError === true) throw listError(member, method, answer);
    const page = pageOf(answer, method);
    for (const { keyStart, keyEnd } of page.items)
      learn(member, method, decoder.decode(page.bytes.subarray(keyStart, keyEnd)));
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
      const { changed } = merged[method]!;
      if (changed !== undefined) changes.note(changed);
    } catch {
      // The session has ended.
    } finally {
      if (this.#ended.signal === signal) followed.delete(key);
    }
  }

  #merged(
    message: Message,
    wanted: readonly Member[],
    pages: ReadonlyMap<Member, Page | BridgeError>,
    isFirst: boolean,
  ): Message {
    const { shown, problemTool } = this.#options;
    const { id, method } = message.head;
    const pieces: Uint8Array[] = [];
    const cursors: Record<string, string> = {};
    const put = (text: string) => void pieces.push(encoder.encode(text));
    put(`{"jsonrpc":"2.0","id":${id},"result":{"${merged[method!]!.items}":[`);
    let count = 0;
    let ttlMs = Number.POSITIVE_INFINITY;
    let isPublic = true;
    for (const member of wanted) {
      const page = pages.get(member)!;
      if (page instanceof BridgeError) {
        ttlMs = 0;
        if (isFirst && method === "tools/list")
          put(`${count++ > 0 ? "," : ""}${problemTool(member, page)}`);
        continue;
      }
      const { bytes, items, cursor } = page;
      for (const { start, end, keyStart, keyEnd } of items) {
        if (count++ > 0) put(",");
        const raw = decoder.decode(bytes.subarray(keyStart, keyEnd));
        pieces.push(bytes.subarray(start, keyStart));
        put(shown(member, method!, raw));
        pieces.push(bytes.subarray(keyEnd, end));
      }
      if (cursor !== undefined) cursors[member.name] = cursor;
      ttlMs = Math.min(ttlMs, page.ttlMs);
      isPublic &&= page.isPublic;
    }
    const members = [
      ...(Object.keys(cursors).length === 0 ? [] : [`"nextCursor":"${encodeCursor(cursors)}"`]),
      ...(revisionOf(message) === undefined
        ? []
        : [
            `"resultType":"complete","ttlMs":${Number.isFinite(ttlMs) ? ttlMs : 0}`,
            `"cacheScope":"${isPublic ? "public" : "private"}"`,
          ]),
    ];
    put(`]${members.map((each) => `,${each}`).join("")}}}`);
    return new Message(Buffer.concat(pieces), { kind: "response", id: id!, isError: false });
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

/** Reads the items of an answer; those without a name or URI are left out, since nothing could lead to them. */
function pageOf(answer: Message, method: string): Page {
  const { bytes } = answer;
  const list = answer.view(["result", merged[method]!.items]);
  const items: Item[] = [];
  for (const { start, end } of list === undefined ? [] : children(bytes, list)) {
    const key = find(bytes, [merged[method]!.key], { start, end });
    if (key !== undefined && bytes[key.start] === 0x22)
      items.push({ start, end, keyStart: key.start, keyEnd: key.end });
  }
  const cursor = answer.value(["result", "nextCursor"]);
  const ttlMs = answer.value(["result", "ttlMs"]);
  return {
    bytes,
    items,
    cursor: typeof cursor === "string" ? cursor : undefined,
    ttlMs: typeof ttlMs === "number" && ttlMs >= 0 ? ttlMs : 0,
    isPublic: answer.value(["result", "cacheScope"]) === "public",
  };
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
