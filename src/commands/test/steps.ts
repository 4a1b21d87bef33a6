import { BridgeError, type Hint } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { contentText } from "./content.ts";
import {
  type Call,
  type CallResult,
  type Client,
  callTool,
  initialize,
  listAll,
} from "./requests.ts";
import { judgeTools } from "./strict-clients.ts";

/** The result of a step: a headline and the lines below it. */
interface Finding {
  readonly detail: string;
  readonly lines: readonly string[];
  /** Faults that do not fail the step. */
  readonly warnings?: readonly string[];
}

/** One step of a test, as `--json` shows it. */
export interface Step {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  readonly detail?: string;
  readonly warnings?: readonly string[];
  readonly error?: BridgeError;
}

/** Is told of each step while the test runs. */
export interface Observer {
  started(name: string): void | Promise<void>;
  passed(finding: Finding): void | Promise<void>;
  failed(error: BridgeError): void | Promise<void>;
}

export interface Outcome {
  readonly steps: readonly Step[];
  readonly tools: readonly string[];
  /** The outcome of the call, if one was given and answered. */
  readonly call?: CallResult;
}

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
      const { detail, warnings = [] } = finding;
      steps.push({ name, ok: true, ms: ms(), detail, ...(warnings.length > 0 && { warnings }) });
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

  let capabilities: Readonly<Record<string, unknown>> = {};
  const isInitialized = await step("initialize", async () => {
    const begun = await initialize(child);
    if (begun.refusal !== undefined) throw begun.refusal;
    capabilities = begun.capabilities;
    return { detail: `Server name: ${begun.serverName}`, lines: [] };
  });
  if (!isInitialized) return { steps, tools };

  for (const kind of ["tools", "resources", "prompts"] as const) {
    const declared = kind in capabilities;
    if (kind !== "tools" && !declared) continue;
    await step(`${kind}/list`, async () => {
      const listing = await listAll(child, kind, declared);
      const names = listing.items.map(nameOf);
      const found = { detail: counted(names.length, kind), lines: shortened(names) };
      if (kind !== "tools") return found;
      tools.push(...names);
      const { refusal, warnings } = judgeTools(listing);
      if (refusal !== undefined) throw refusal;
      return { ...found, warnings };
    });
  }
  if (call === undefined) return { steps, tools };
  let answered: CallResult | undefined;
  await step(`tools/call ${cleanText(call.tool, 100)}`, async () => {
    answered = await callTool(child, call);
    const lines = contentText(answered.result).split("\n");
    if (answered.result.isError !== true) return { detail: "Answered", lines };
    throw new BridgeError("server-error", `the tool reported an error: ${lines.join(" ")}`, {
      hint: "check the arguments against the tool's description",
    });
  });
  return { steps, tools, ...(answered !== undefined && { call: answered }) };
}

/** The name of a tool or prompt; of a resource without a name, its URI. */
function nameOf(item: unknown): string {
  const { name, uri } = (item ?? {}) as Named;
  return cleanText(String(name ?? uri ?? "(no name)"), 200);
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
