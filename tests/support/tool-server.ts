import type { ServerSettings, ToolRules } from "../../src/config/settings.ts";
import { stateOf } from "../../src/platform/paths.ts";
import { RequestIds } from "../../src/upstream/core/request-ids.ts";
import type { Deliver, Upstream } from "../../src/upstream/core/types.ts";
import { ToolLinks } from "../../src/upstream/tools/links.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import {
  errorTo,
  type Message,
  notificationOf,
  parseMessage,
  responseTo,
} from "../../src/wire/message.ts";
import { memoryLog } from "./client.ts";
import { plainSettings } from "./settings.ts";

export const toolOrigin = "https://kb.example";

/** A tool; `inputSchema` is an empty object schema unless `more` has another. */
export const tool = (name: string, more: object = {}) => ({
  name,
  inputSchema: { type: "object" },
  ...more,
});
export const readOnlyTool = (name: string) => tool(name, { annotations: { readOnlyHint: true } });

/** A server whose lists the test chooses; every call succeeds. */
export class ToolServer implements Upstream {
  /** Pages of tools: entries, or the JSON text of `result`. */
  pages: (readonly unknown[] | string)[] = [[]];
  /** The texts of the messages received. */
  readonly seen: string[] = [];
  /** Thrown in answer to tools/list. */
  failure: BridgeError | undefined;
  /** JSON-RPC error in answer to tools/list. */
  refusal: { code: number; message: string } | undefined;
  /** Runs before a list is answered. */
  onList: () => void | Promise<void> = () => undefined;
  #listener: Deliver | undefined;

  get calls(): string[] {
    return this.seen.filter((text) => text.includes('"tools/call"'));
  }

  get lists(): string[] {
    return this.seen.filter((text) => text.includes('"tools/list"'));
  }

  async send(message: Message, deliver: Deliver): Promise<void> {
    const { method, id } = message.head;
    this.seen.push(new TextDecoder().decode(message.bytes));
    if (id === undefined) return;
    if (method !== "tools/list") return deliver(responseTo(id, '{"content":[]}'));
    const at = Number(message.value(["params", "cursor"]) ?? 0);
    const page = this.pages[at] ?? [];
    const next = at + 1 < this.pages.length ? { nextCursor: String(at + 1) } : {};
    await this.onList();
    if (this.failure !== undefined) throw this.failure;
    if (this.refusal !== undefined) return deliver(errorTo(id, this.refusal));
    const result = typeof page === "string" ? page : JSON.stringify({ tools: page, ...next });
    await deliver(responseTo(id, result));
  }

  async listen(deliver: Deliver): Promise<void> {
    this.#listener = deliver;
  }

  async close(): Promise<void> {}

  /** Announces a changed list. */
  async announce(): Promise<void> {
    await this.#listener?.(notificationOf("notifications/tools/list_changed"));
  }
}

/** Both links of the tool policy over a server, without a catalog between them. */
export function ruledClient(
  server: Upstream,
  rules: Partial<ToolRules>,
  {
    root = "/nonexistent",
    clientName = "test",
    ...changes
  }: Partial<ServerSettings> & {
    readonly root?: string;
    readonly clientName?: string;
  } = {},
) {
  const log = memoryLog();
  const all = { allow: [], deny: [], readOnly: false, pin: false, repair: false, ...rules };
  const settings = plainSettings(new URL(`${toolOrigin}/mcp`), {
    state: stateOf(root, "kb"),
    ...changes,
  });
  const links = new ToolLinks(settings, all, {
    log,
    ids: new RequestIds(),
    client: { name: clientName, capabilities: "{}", protocolVersion: "" },
    commandLine: (words) => `bridge ${words}`,
  });
  const upstream = links.policy(links.guard(server));
  const heard: (string | undefined)[] = [];
  void upstream.listen(
    async ({ head }) => void heard.push(head.method),
    new AbortController().signal,
  );
  /** Sends a line; resolves to the answers, or to the error. */
  const send = async (line: string | object): Promise<unknown[] | BridgeError> => {
    const text = typeof line === "string" ? line : JSON.stringify({ jsonrpc: "2.0", ...line });
    const answers: unknown[] = [];
    const take: Deliver = async ({ bytes }) => {
      answers.push(JSON.parse(new TextDecoder().decode(bytes)));
    };
    const message = parseMessage(new TextEncoder().encode(text));
    try {
      await upstream.send(message, take, new AbortController().signal);
    } catch (error) {
      if (error instanceof BridgeError) return error;
      throw error;
    }
    return answers;
  };
  /** Resolves to the result of a call, or to the words of its refusal. */
  const call = async (name: unknown, more: object = {}) => {
    const answers = await send({ id: 1, method: "tools/call", params: { name, ...more } });
    if (answers instanceof BridgeError) return `${answers.kind}: ${answers.message}`;
    return (answers[0] as { result?: { content: { text?: string }[] } }).result;
  };
  /** The tools on a page. */
  const list = async (cursor?: string) => {
    const params = cursor === undefined ? {} : { params: { cursor } };
    const answers = await send({ id: 1, method: "tools/list", ...params });
    if (answers instanceof BridgeError) throw answers;
    const { result, error } = answers[0] as {
      result?: { tools: { name: string; description?: string }[] };
      error?: { code: number };
    };
    if (result === undefined) throw new Error(`no list: ${error?.code}`);
    return result;
  };
  const listed = async (cursor?: string) => (await list(cursor)).tools.map(({ name }) => name);
  return { send, call, list, listed, heard, log };
}
