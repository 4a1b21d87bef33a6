import { abortable } from "../../platform/async.ts";
import { asBridgeError, BridgeError, type ErrorKind } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import { metaKeys } from "../core/stateless-protocol.ts";
import type { CallContext, Deliver, ServerScope, Stop, Upstream } from "../core/types.ts";
import type { ToolJudge } from "./judge.ts";
import { listPages, nextCursor } from "./list-pages.ts";
import { factsOf, listedTools, type ToolFacts } from "./listed-tools.ts";
import { calledTool } from "./named-tool.ts";

interface CallGuardOptions extends Omit<ServerScope, "now"> {
  readonly next: Upstream;
  readonly judge: ToolJudge;
  /** Deadline of a call. */
  readonly timeoutMs: number;
}

/** Most tools of a list by which calls are judged. */
const maxTools = 10_000;
/** Most fetches for one call, while the server announces one change after the other. */
const maxFetches = 3;

/** Failures of the fetch that the client gets as they are, because a sign-in or nobody ends them. */
const ownWords: readonly ErrorKind[] = ["sign-in-required", "unauthorized", "cancelled"];

/**
 * Judges each call by the server's own list, before it is sent. Stands below the catalog, so that every list of the server
 * passes here and no cached one does. Fetches the list where none has come since the server started or announced a change.
 */
export class CallGuard implements Upstream {
  readonly #options: CallGuardOptions;
  #facts = new Map<string, ToolFacts>();
  /** Whether `#facts` holds the whole list. */
  #isCurrent = false;
  /** JSON text of the cursor that leads to the next page of the list whose pages the client reads. */
  #cursor: string | undefined;
  /** Counts the changes that the server announced. */
  #changes = 0;
  #fetching: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(options: CallGuardOptions) {
    this.#options = options;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const { next } = this.#options;
    const { kind, method } = message.head;
    if (method === "tools/call" && kind !== "response")
      return this.#call(message, this.#watched(deliver), signal, call);
    if (method === "initialize") this.#outdate();
    const changes = this.#changes;
    const take: Deliver =
      kind === "request" && method === "tools/list"
        ? (incoming) => {
            this.#learn(message, incoming, changes);
            return deliver(incoming);
          }
        : deliver;
    return next.send(message, this.#watched(take), signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    return this.#options.next.listen(this.#watched(deliver), signal);
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing.abort({ by: "closing" } satisfies Stop);
    return this.#options.next.close(deadlineMs);
  }

  async #call(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { judge, next } = this.#options;
    const tool = calledTool(message);
    // ToolPolicy has refused such a call.
    if (tool === undefined) throw judge.refusal("", "unlisted");
    // A server may add a tool without an announcement.
    if (!this.#isCurrent || !this.#facts.has(tool)) await this.#fetch(message, signal);
    judge.refresh();
    const facts = this.#facts.get(tool);
    const why = facts === undefined ? "unlisted" : judge.verdict(tool, facts);
    if (why !== undefined) throw judge.refusal(tool, why);
    await next.send(message, deliver, signal, call);
  }

  /** Fetches the list; concurrent calls share one fetch. */
  async #fetch(call: Message, signal: AbortSignal): Promise<void> {
    const { name } = this.#options;
    this.#fetching ??= this.#fetchAll(call).finally(() => {
      this.#fetching = undefined;
    });
    try {
      await abortable(this.#fetching, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const cause = asBridgeError(error);
      if (ownWords.includes(cause.kind)) throw cause;
      throw new BridgeError(
        "refused",
        `the call is not sent, because the tools of server "${name}" cannot be listed (${cause.message})`,
        { hint: "the rules for the server's tools admit only listed tools", cause },
      );
    }
  }

  async #fetchAll(call: Message): Promise<void> {
    for (let fetches = 0; fetches < maxFetches; fetches++) {
      const changes = this.#changes;
      const facts = await this.#wholeList(call);
      if (changes !== this.#changes) continue;
      this.#facts = facts;
      this.#isCurrent = true;
      return;
    }
    throw new BridgeError("bad-answer", "the list changes all the time");
  }

  async #wholeList(call: Message): Promise<Map<string, ToolFacts>> {
    // A stateless client names itself in each request.
    const identity = [metaKeys.version, metaKeys.clientInfo, metaKeys.capabilities];
    const meta = identity.flatMap((key) => {
      const text = call.text(["params", "_meta", key]);
      return text === undefined ? [] : [`${JSON.stringify(key)}:${text}`];
    });
    const facts = new Map<string, ToolFacts>();
    const pages = listPages({
      ...this.#options,
      aside: this.#watched(async () => undefined),
      meta: meta.length === 0 ? undefined : `{${meta.join(",")}}`,
      signal: this.#closing.signal,
    });
    for await (const page of pages) this.#take(page, facts);
    return facts;
  }

  /** Adds the tools on a page to `facts`. */
  #take(page: Message, facts: Map<string, ToolFacts>): void {
    const tools = listedTools(page);
    if (tools === undefined)
      throw new BridgeError("bad-answer", "the answer holds no list of tools");
    const { pin } = this.#options.judge.rules;
    for (const [tool, found] of factsOf(tools, pin !== false, facts)) facts.set(tool, found);
    if (facts.size <= maxTools) return;
    facts.clear();
    throw new BridgeError("too-large", `the list has more than ${maxTools} tools`);
  }

  /** Reads a page that the client or the catalog asked for; `changes`: the changes announced before the request. */
  #learn(request: Message, page: Message, changes: number): void {
    if (page.head.kind !== "response" || page.head.isError === true) return;
    const cursor = request.text(["params", "cursor"]);
    if (cursor === undefined) this.#facts = new Map();
    const isNext = changes === this.#changes && (cursor === undefined || cursor === this.#cursor);
    if (cursor === undefined) this.#isCurrent = false;
    try {
      this.#take(page, this.#facts);
    } catch {
      this.#outdate();
      return;
    }
    if (!isNext) return;
    this.#cursor = nextCursor(page);
    this.#isCurrent = this.#cursor === undefined;
  }

  #outdate(): void {
    this.#changes++;
    this.#isCurrent = false;
    this.#cursor = undefined;
  }

  #watched(deliver: Deliver): Deliver {
    return (incoming) => {
      if (incoming.head.method === "notifications/tools/list_changed") this.#outdate();
      return deliver(incoming);
    };
  }
}
