// Which server a resource or a task belongs to.

import type { Span } from "../../wire/envelope.ts";
import { textAt } from "../../wire/envelope.ts";
import type { Message } from "../../wire/message.ts";
import { children, find } from "../../wire/spans.ts";
import type { Member } from "./member.ts";
import { type UriRoute, UriTable } from "./uris.ts";

/** Tasks that are remembered; the oldest are forgotten. */
const maxTasks = 10_000;

const encoder = new TextEncoder();
const uriKey = Buffer.from('"uri"');
const taskKey = Buffer.from('"taskId"');

export class ResourceRoutes {
  readonly #uris: UriTable<Member>;
  readonly #members: readonly Member[];
  /** By the JSON text of the task's id. */
  readonly #tasks = new Map<string, Member>();

  constructor(members: readonly Member[]) {
    this.#members = members;
    this.#uris = new UriTable(members);
  }

  /** Records a URI or template (JSON text) that the server listed. */
  learn(member: Member, raw: string): void {
    this.#uris.add(member, JSON.parse(raw) as string);
  }

  /** Records a task's id (JSON text). An id that another server used first stays with that server. */
  learnTask(member: Member, raw: string): void {
    if (this.#tasks.has(raw)) return;
    this.#tasks.set(raw, member);
    if (this.#tasks.size > maxTasks) this.#tasks.delete(this.#tasks.keys().next().value!);
  }

  taskOwner(raw: string): Member | undefined {
    return this.#tasks.get(raw);
  }

  shown(member: Member, uri: string): string {
    return this.#uris.shown(member, uri);
  }

  find(shown: string): UriRoute<Member> | undefined {
    return this.#uris.find(shown);
  }

  /** The servers to ask, in turn, for a URI that none of them listed or mentioned. */
  candidates(uri: string): Member[] {
    const likely = this.#uris.byTemplate(uri);
    return inOrder([...likely, ...this.#members.filter((member) => !likely.includes(member))]);
  }

  /** Records the resources and the task that a result mentions, and changes URIs that another server has, too. `asked`: the URI as the client asked for it. */
  mentioned(member: Member, response: Message, asked?: { own: string; shown: string }): Message {
    const { bytes } = response;
    if (holds(bytes, taskKey)) {
      const task = response.view(["result", "task", "taskId"]);
      if (task !== undefined) this.learnTask(member, textAt(bytes, task.start, task.end));
    }
    // Most results mention no resource, and are not read.
    if (!holds(bytes, uriKey)) return response;
    let changed = response;
    // From the last to the first: a change moves only what stands behind it.
    for (const span of urisIn(response).reverse()) {
      const uri = JSON.parse(textAt(bytes, span.start, span.end)) as string;
      this.#uris.add(member, uri);
      const shown = asked?.own === uri ? asked.shown : this.#uris.shown(member, uri);
      if (shown !== uri) changed = changed.replaced(span, encoder.encode(JSON.stringify(shown)));
    }
    return changed;
  }
}

/** Whether the bytes contain the key. Called on the bytes as they are: a Buffer made of them costs more than the search. */
function holds(bytes: Uint8Array, key: Buffer): boolean {
  return Buffer.prototype.includes.call(bytes, key);
}

/** Servers that have answered come first: the others may be out of reach. */
export function inOrder(members: readonly Member[]): Member[] {
  const { true: answering = [], false: others = [] } = Object.groupBy(members, (member) =>
    String(member.hasAnswered),
  ) as { true?: Member[]; false?: Member[] };
  return [...answering, ...others];
}

/** The spans of the resource URIs in the result of tools/call, prompts/get or resources/read, in their order. */
function urisIn(response: Message): Span[] {
  const { bytes } = response;
  const inside = (path: string[]) => {
    const list = response.view(path);
    return list === undefined ? [] : [...children(bytes, list)];
  };
  const messages = inside(["result", "messages"]).flatMap((message) => {
    const content = find(bytes, ["content"], message);
    return content === undefined ? [] : [content];
  });
  const items = [...inside(["result", "content"]), ...messages, ...inside(["result", "contents"])];
  return items.flatMap((item) => {
    const uri = find(bytes, ["uri"], item) ?? find(bytes, ["resource", "uri"], item);
    return uri !== undefined && bytes[uri.start] === 0x22 ? [uri] : [];
  });
}
