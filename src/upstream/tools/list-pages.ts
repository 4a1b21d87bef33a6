import { BridgeError } from "../../wire/errors.ts";
import { type Message, requestOf } from "../../wire/message.ts";
import type { RequestIds } from "../core/request-ids.ts";
import type { Deliver, Upstream } from "../core/types.ts";
import { sendWithin, startLimitMs } from "../retry/deadline.ts";

interface ListPagesOptions {
  readonly next: Pick<Upstream, "send">;
  readonly name: string;
  readonly ids: RequestIds;
  /** Deadline of a call; bounds each page. */
  readonly timeoutMs: number;
  /** Takes messages that are no answer. */
  readonly aside: Deliver;
  /** `params._meta` of each request, as JSON text; undefined for none. */
  readonly meta: string | undefined;
  readonly signal: AbortSignal;
}

const maxPages = 1000;

/** Fetches a server's list of tools, page by page. Throws `bad-answer`, `server-error` or the error of the connection. */
export async function* listPages(options: ListPagesOptions): AsyncGenerator<Message> {
  const seen = new Set<string | undefined>();
  let cursor: string | undefined;
  do {
    seen.add(cursor);
    if (seen.size > maxPages)
      throw new BridgeError("too-large", `the list has more than ${maxPages} pages`);
    const page = await fetchPage(options, cursor);
    yield page;
    cursor = nextCursor(page);
  } while (cursor !== undefined && !seen.has(cursor));
}

/** JSON text of the cursor of the next page; undefined on the last one. */
export function nextCursor(page: Message): string | undefined {
  const cursor = page.text(["result", "nextCursor"]);
  return cursor === "null" ? undefined : cursor;
}

async function fetchPage(
  { next, name, ids, timeoutMs, aside, meta, signal }: ListPagesOptions,
  cursor: string | undefined,
): Promise<Message> {
  const members = [
    ...(cursor === undefined ? [] : [`"cursor":${cursor}`]),
    ...(meta === undefined ? [] : [`"_meta":${meta}`]),
  ];
  const request = requestOf(ids.next("list"), "tools/list", `{${members.join(",")}}`);
  let answer: Message | undefined;
  const take: Deliver = async (incoming) => {
    if (incoming.head.kind === "response") answer = incoming;
    else await aside(incoming);
  };
  await sendWithin(startLimitMs(timeoutMs), { next, name }, request, take, signal);
  if (answer === undefined) throw new BridgeError("bad-answer", "no answer to tools/list");
  if (answer.head.isError === true)
    throw new BridgeError("server-error", "the server answered tools/list with an error");
  return answer;
}
