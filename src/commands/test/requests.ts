// The requests of `test`, `tools`, `call` and `doctor` to the child bridge.
import { textAt } from "../../wire/envelope.ts";
import { BridgeError, isErrorKind } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";
import { children, find } from "../../wire/spans.ts";
import { cleanText } from "../../wire/text.ts";
import { type Answer, initializeParams, type Result, type RunChild } from "./mcp-child.ts";
import { initializeRefusal, operatorHint, pageFault } from "./strict-clients.ts";

/** The MCP client that sends the requests. */
export type Client = Pick<RunChild, "request" | "notify">;

/** The facts in a server's answer to initialize. */
interface Initialized {
  /** Set if a strict client refuses the server for this answer. */
  readonly refusal: BridgeError | undefined;
  readonly capabilities: Readonly<Record<string, unknown>>;
  /** Name of the server, cleaned. */
  readonly serverName: string;
  /** Protocol revision, cleaned. */
  readonly revision: string;
}

/** Begins the session. */
export async function initialize(child: Client): Promise<Initialized> {
  const params = initializeParams(program.version);
  const result = resultOf("initialize", await child.request("initialize", params));
  child.notify("notifications/initialized");
  const { name } = (result.serverInfo ?? {}) as Record<string, unknown>;
  return {
    refusal: initializeRefusal(result),
    // A capability of null is none.
    capabilities: Object.fromEntries(
      Object.entries(Object(result.capabilities)).filter(([, value]) => value !== null),
    ),
    serverName: cleanText(String(name ?? "(none)"), 200),
    revision: cleanText(String(result.protocolVersion ?? "(none)"), 50),
  };
}

/** Maximum pages of a list, for servers that return a new cursor with every page. */
const maxPages = 1000;

/** All pages of a list. */
interface Listing {
  readonly items: readonly unknown[];
  /** JSON text of each item, as the server wrote it. */
  readonly texts: readonly string[];
  /** Whether the pages ended at a cursor that the server had returned before. */
  readonly isEndless: boolean;
  /** The first fault of a page, apart from its items. */
  readonly fault: string | undefined;
}

/**
 * Reads all pages of tools, resources or prompts. `isDeclared`: the server declared the capability; otherwise -32601 means an
 * empty list.
 */
export async function listAll(
  child: Client,
  kind: "tools" | "resources" | "prompts",
  isDeclared: boolean,
): Promise<Listing> {
  const items: unknown[] = [];
  const texts: string[] = [];
  const method = `${kind}/list`;
  const seen = new Set<string>();
  let fault: string | undefined;
  for (let params = "{}"; seen.size < maxPages; ) {
    seen.add(params);
    const answer = await child.request(method, params);
    if (!isDeclared && answer.error?.code === -32601) break;
    const result = resultOf(method, answer);
    const { [kind]: page, nextCursor } = result;
    if (!Array.isArray(page))
      throw new BridgeError("bad-answer", `the answer to ${method} holds no list "${kind}"`, {
        hint: operatorHint,
      });
    fault ??= pageFault(result);
    items.push(...page);
    texts.push(...itemTexts(answer, kind));
    if (typeof nextCursor !== "string") break;
    params = JSON.stringify({ cursor: nextCursor });
    if (seen.has(params)) return { items, texts, isEndless: true, fault };
  }
  if (seen.size < maxPages) return { items, texts, isEndless: false, fault };
  throw new BridgeError("too-large", `${method} has more than ${maxPages} pages`, {
    hint: operatorHint,
  });
}

function itemTexts({ bytes }: Answer, kind: string): string[] {
  const list = find(bytes, ["result", kind]);
  if (list === undefined) return [];
  return [...children(bytes, list)].map(({ start, end }) => textAt(bytes, start, end));
}

/** One call of a tool. */
export interface Call {
  readonly tool: string;
  /** JSON text of an object, on one line; it is sent as it is. */
  readonly args: string;
}

/** The outcome of a call that the server answered with a result. */
export interface CallResult {
  readonly result: Result;
  /** JSON text of the result, as the server wrote it. */
  readonly text: string;
}

/** Calls a tool. `progressToken` asks the server for progress. Throws the error that the bridge or the server reported. */
export async function callTool(
  child: Client,
  { tool, args }: Call,
  progressToken?: number,
): Promise<CallResult> {
  const meta = progressToken === undefined ? "" : `,"_meta":{"progressToken":${progressToken}}`;
  const params = `{"name":${JSON.stringify(tool)},"arguments":${args}${meta}}`;
  const answer = await child.request("tools/call", params);
  const result = resultOf("tools/call", answer);
  const span = find(answer.bytes, ["result"]);
  return { result, text: span === undefined ? "{}" : textAt(answer.bytes, span.start, span.end) };
}

/** The result of a response. Throws the error that the bridge or the server reported. */
function resultOf(method: string, { result, error }: Answer): Result {
  if (error === undefined) return result ?? {};
  const { kind, hint } = error.data ?? {};
  if (!isErrorKind(kind))
    throw new BridgeError(
      "server-error",
      `the server answered ${method} with error ${error.code}: ${cleanText(String(error.message))}`,
      { hint: "this error message is the server's: ask its operator" },
    );
  // The bridge appends the hint to the message, for clients that show only the message: remove the hint here.
  const suffix = `: ${hint}`;
  const message = error.message.endsWith(suffix)
    ? error.message.slice(0, -suffix.length)
    : error.message;
  throw new BridgeError(kind, cleanText(message), hint === undefined ? {} : { hint });
}
