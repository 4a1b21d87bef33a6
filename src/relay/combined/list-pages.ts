// Pages of lists: reads the items of one server's page, and joins the pages of several servers to one.
import { lists } from "../../upstream/catalog/entry.ts";
import { revisionOf } from "../../upstream/core/stateless-protocol.ts";
import { BridgeError } from "../../wire/errors.ts";
import { foldText } from "../../wire/glob.ts";
import { Message } from "../../wire/message.ts";
import { children } from "../../wire/spans.ts";
import { encodeCursor } from "./cursor.ts";
import type { Member } from "./member.ts";

/** One page of one server. */
export interface Page {
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

export interface ShownItems {
  /** The name or URI of an item as the client sees it, as JSON text; called after all servers' items were learnt. */
  readonly shown: (member: Member, method: string, raw: string) => string;
  /** The tool that stands for a server which could not be listed, as JSON text. */
  readonly problemTool: (member: Member, error: BridgeError) => string;
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
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const emptyPage: Page = {
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

/** The method of the notification that a list has changed; undefined if the list has none. */
export function changeOf(method: string): string | undefined {
  return merged[method]!.changed;
}

/**
 * Reads the items of an answer; those without a name or URI are left out, since nothing could lead to them, and those with
 * two: a client that ignores the case of keys would read the one that is not renamed, which may be another server's.
 */
export function pageOf(answer: Message, method: string): Page {
  const { bytes } = answer;
  const list = answer.view(["result", merged[method]!.items]);
  const items: Item[] = [];
  const wanted = merged[method]!.key;
  const foldedKey = foldText(wanted);
  for (const { start, end } of list === undefined ? [] : children(bytes, list)) {
    if (bytes[start] !== 0x7b) continue;
    const [key, ...more] = [...children(bytes, { start, end })].filter(
      (member) => member.key !== undefined && foldText(member.key) === foldedKey,
    );
    if (key?.key === wanted && more.length === 0 && bytes[key.start] === 0x22)
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

/** The names or URIs of a page's items, as JSON text. */
export function keysOf({ bytes, items }: Page): string[] {
  return items.map(({ keyStart, keyEnd }) => decoder.decode(bytes.subarray(keyStart, keyEnd)));
}

/** The answer to a list request: the servers' pages in their order. `isFirst`: the client gave no cursor. */
export function joinPages(
  request: Message,
  pages: readonly (readonly [Member, Page | BridgeError])[],
  isFirst: boolean,
  { shown, problemTool }: ShownItems,
): Message {
  const { id, method } = request.head;
  const pieces: Uint8Array[] = [];
  const cursors: Record<string, string> = {};
  const put = (text: string) => void pieces.push(encoder.encode(text));
  put(`{"jsonrpc":"2.0","id":${id},"result":{"${merged[method!]!.items}":[`);
  let count = 0;
  let ttlMs = Number.POSITIVE_INFINITY;
  let isPublic = true;
  for (const [member, page] of pages) {
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
    ...(revisionOf(request) === undefined
      ? []
      : [
          `"resultType":"complete","ttlMs":${Number.isFinite(ttlMs) ? ttlMs : 0}`,
          `"cacheScope":"${isPublic ? "public" : "private"}"`,
        ]),
  ];
  put(`]${members.map((each) => `,${each}`).join("")}}}`);
  return new Message(Buffer.concat(pieces), { kind: "response", id: id!, isError: false });
}
