import { standInKey } from "../../upstream/sign-in/messages.ts";
import { BridgeError, type Hint, isErrorKind } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";
import { cleanText } from "../../wire/text.ts";
import { type Answer, initializeParams, type Result, type RunChild } from "./mcp-child.ts";

/** The result of a step: a headline and the lines below it. */
interface Finding {
  readonly detail: string;
  readonly lines: readonly string[];
}

/** One step of a test, as `--json` shows it. */
export interface Step {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail?: string;
  readonly error?: BridgeError;
}

/** Is told of each step while the test runs. */
export interface Observer {
  started(name: string): void | Promise<void>;
  passed(finding: Finding): void | Promise<void>;
  failed(error: BridgeError): void | Promise<void>;
}

export interface Call {
  readonly tool: string;
  /** JSON text of an object, on one line. */
  readonly args: string;
}

export interface Outcome {
  readonly steps: readonly Step[];
  readonly tools: readonly string[];
}

/** The MCP client that a test sends its requests through. */
export type Client = Pick<RunChild, "request" | "notify">;

/** Maximum pages of a list, for servers that return a new cursor with every page. */
const maxPages = 1000;
const shownNames = 3;

type Named = { readonly name?: unknown; readonly uri?: unknown };

/** Tests a server: initialize, tools/list, resources and prompts if the server declares them, and one call if given. */
export async function testServer(
  server: string,
  child: Client,
  observer: Observer,
  call: Call | undefined,
): Promise<Outcome> {
  const steps: Step[] = [];
  const tools: string[] = [];
  const step = async (name: string, work: () => Promise<Finding>): Promise<boolean> => {
    await observer.started(name);
    const startedAt = performance.now();
    const ms = () => Math.round(performance.now() - startedAt);
    try {
      const finding = await work();
      steps.push({ name, ok: true, ms: ms(), detail: finding.detail });
      await observer.passed(finding);
      return true;
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      const failure = withHint(error, server);
      steps.push({ name, ok: false, ms: ms(), error: failure });
      await observer.failed(failure);
      return false;
    }
  };

  let capabilities: Record<string, unknown> = {};
  const isInitialized = await step("initialize", async () => {
    const result = resultOf(
      "initialize",
      await child.request("initialize", initializeParams(program.version)),
    );
    const meta = (result._meta ?? {}) as Record<string, unknown>;
    if (meta[standInKey] === true) {
      throw new BridgeError("sign-in-required", `server "${server}" needs a sign-in`, {
        hint: (command) => `run ${command(`login --server ${server}`)}`,
      });
    }
    capabilities = (result.capabilities ?? {}) as Record<string, unknown>;
    const { name } = (result.serverInfo ?? {}) as Record<string, unknown>;
    child.notify("notifications/initialized");
    const shownName = cleanText(String(name ?? "(none)"), 200);
    return { detail: `Server name: ${shownName}`, lines: [] };
  });
  if (!isInitialized) return { steps, tools };

  for (const kind of ["tools", "resources", "prompts"] as const) {
    const declared = kind in capabilities;
    if (kind !== "tools" && !declared) continue;
    await step(`${kind}/list`, async () => {
      const names = await list(child, kind, declared);
      if (kind === "tools") tools.push(...names);
      return { detail: counted(names.length, kind), lines: shortened(names) };
    });
  }
  if (call !== undefined)
    await step(`tools/call ${cleanText(call.tool, 100)}`, () => callTool(child, call));
  return { steps, tools };
}

/** Adds a hint to a failure that has none. */
function withHint(error: BridgeError, server: string): BridgeError {
  if (error.hint !== undefined) return error;
  const words = `test --server ${server} --log-level debug`;
  const hint: Hint = (command) => `for more details, run ${command(words)}`;
  return new BridgeError(error.kind, error.message, { hint, cause: error });
}

function counted(count: number, kind: string): string {
  return `Found ${count} ${count === 1 ? kind.slice(0, -1) : kind}`;
}

function shortened(names: readonly string[]): string[] {
  const lines = names.slice(0, shownNames).map((name) => `- ${name}`);
  const more = names.length - shownNames;
  return more > 0 ? [...lines, `... and ${more} more`] : lines;
}

/** The names in all pages of a list; of resources without a name, the URIs. */
async function list(child: Client, kind: string, declared: boolean): Promise<string[]> {
  const names: string[] = [];
  const method = `${kind}/list`;
  let params = "{}";
  const seen = new Set<string>();
  while (seen.size < maxPages) {
    seen.add(params);
    const answer = await child.request(method, params);
    if (!declared && answer.error?.code === -32601) return names;
    const result = resultOf(method, answer);
    const items = result[kind];
    if (!Array.isArray(items))
      throw new BridgeError("bad-answer", `the answer to ${method} holds no "${kind}"`);
    for (const item of items as Named[])
      names.push(cleanText(String(item?.name ?? item?.uri ?? "(no name)"), 200));
    if (typeof result.nextCursor !== "string") return names;
    params = JSON.stringify({ cursor: result.nextCursor });
    // The cursor leads back to a page that was read: the pages would repeat for ever.
    if (seen.has(params)) return [...new Set(names)];
  }
  throw new BridgeError("too-large", `${method} has more than ${maxPages} pages`);
}

async function callTool(child: Client, { tool, args }: Call): Promise<Finding> {
  const params = `{"name":${JSON.stringify(tool)},"arguments":${args}}`;
  const result = resultOf("tools/call", await child.request("tools/call", params));
  const lines = contentLines(result.content);
  if (result.isError === true)
    throw new BridgeError("server-error", `the tool reported an error: ${lines.join(" ")}`, {
      hint: "check the arguments against the tool's description",
    });
  return { detail: "Answered", lines };
}

function contentLines(content: unknown): string[] {
  const blocks = (Array.isArray(content) ? content : []) as { type?: unknown; text?: unknown }[];
  return blocks.flatMap(({ type, text }) =>
    typeof text === "string"
      ? text.split("\n").map((line) => cleanText(line))
      : [`(${cleanText(String(type), 50)})`],
  );
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
