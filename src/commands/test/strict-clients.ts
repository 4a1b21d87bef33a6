import { type ToolProblem, toolProblems } from "../../upstream/core/tool-problems.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { Result } from "./mcp-child.ts";

/** What a strict client makes of a list of tools. */
interface Judgement {
  /** Set if the client drops the whole list. */
  readonly refusal: BridgeError | undefined;
  /** One line for each fault that costs less than the list. */
  readonly warnings: readonly string[];
}

/** A list of tools, of all pages. */
interface Listed {
  readonly items: readonly unknown[];
  readonly isEndless: boolean;
  /** As of pageFault(). */
  readonly fault?: string | undefined;
}

const shownFaults = 3;
const endless =
  "its pages do not end: the server returned the cursor of a page that it had sent before";

/** What to do about a list that a client does not take. */
export const operatorHint =
  "the server's operator must correct the list; other clients may show it";
const repairHint = '"tools": {"repair": true} in the server\'s entry leaves such tools out';

const lineOf = ({ tool, problem }: ToolProblem) => `"${tool}" ${problem}`;

function shortened(faults: readonly string[]): string {
  const more = faults.length - shownFaults;
  return `${faults.slice(0, shownFaults).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isAbsent = (value: unknown) => value === undefined || value === null;

const checks = {
  string: (value: unknown) => typeof value === "string",
  boolean: (value: unknown) => typeof value === "boolean",
  object: isObject,
} as const;

/** Members of an answer to initialize by path, with their types; `?` marks one that may be absent. Measured with Codex CLI 0.171.0. */
const initializeMembers: readonly (readonly [path: string, type: keyof typeof checks, "?"?])[] = [
  ["protocolVersion", "string"],
  ["instructions", "string", "?"],
  ["serverInfo", "object"],
  ["serverInfo.name", "string"],
  ["serverInfo.version", "string"],
  ["serverInfo.title", "string", "?"],
  ["capabilities", "object"],
  ["capabilities.logging", "object", "?"],
  ["capabilities.completions", "object", "?"],
  ["capabilities.experimental", "object", "?"],
  ["capabilities.prompts", "object", "?"],
  ["capabilities.prompts.listChanged", "boolean", "?"],
  ["capabilities.resources", "object", "?"],
  ["capabilities.resources.listChanged", "boolean", "?"],
  ["capabilities.resources.subscribe", "boolean", "?"],
  ["capabilities.tools", "object", "?"],
  ["capabilities.tools.listChanged", "boolean", "?"],
];

const article = (type: string) => (type === "object" ? "an" : "a");

/** The error for which Codex, the strictest client known, does not accept a server's answer to initialize; undefined if it does. */
export function initializeRefusal(result: Result): BridgeError | undefined {
  for (const [path, type, mayBeAbsent] of initializeMembers) {
    const value = path
      .split(".")
      .reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), result);
    if (checks[type](value) || (mayBeAbsent !== undefined && isAbsent(value))) continue;
    const fault = isAbsent(value) ? `no ${path}` : `${path} that is not ${article(type)} ${type}`;
    return new BridgeError(
      "bad-answer",
      `Codex would refuse the server: its answer to initialize has ${fault}`,
      { hint: "the server's operator must correct the answer; other clients may take it" },
    );
  }
  return undefined;
}

/** The fault of one page of a list for which Codex drops the whole list, apart from its items. */
export function pageFault({ nextCursor, _meta }: Result): string | undefined {
  if (!isAbsent(nextCursor) && typeof nextCursor !== "string")
    return "its nextCursor is not a string";
  return isAbsent(_meta) || isObject(_meta) ? undefined : "its _meta is not an object";
}

/** Judges the tools of a server as Codex does. `isEndless`: the pages repeat. */
export function judgeTools({ items, isEndless, fault }: Listed): Judgement {
  const problems = toolProblems(items);
  const fatal = problems.filter(({ effect }) => effect === "list").map(lineOf);
  const others = problems
    .filter(({ effect }) => effect !== "list")
    .map((each) => `${lineOf(each)}${each.effect === "tool" ? "; Codex shows the first one" : ""}`);
  const whole = [...(isEndless ? [endless] : []), ...(fault === undefined ? [] : [fault])];
  const faults = [...whole, ...fatal];
  const refusal =
    faults.length === 0
      ? undefined
      : new BridgeError("bad-answer", `Codex would drop the whole list: ${shortened(faults)}`, {
          hint: whole.length > 0 ? operatorHint : settingHint(`${repairHint}; ${operatorHint}`),
        });
  return { refusal, warnings: others };
}
