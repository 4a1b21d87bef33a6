import { type ToolProblem, toolProblems } from "../../upstream/core/tool-problems.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";

/** What a strict client makes of a list of tools. */
interface Judgement {
  /** Set if the client drops the whole list. */
  readonly refusal: BridgeError | undefined;
  /** One line for each fault that costs less than the list. */
  readonly warnings: readonly string[];
}

const shownFaults = 3;
const endless =
  "its pages do not end: the server returned the cursor of a page that it had sent before";

const operatorHint = "the server's operator must correct the list; other clients may show it";
const repairHint = '"tools": {"repair": true} in the server\'s entry leaves such tools out';

const lineOf = ({ tool, problem }: ToolProblem) => `"${tool}" ${problem}`;

function shortened(faults: readonly string[]): string {
  const more = faults.length - shownFaults;
  return `${faults.slice(0, shownFaults).join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

/** Judges the tools of a server as Codex does, which is the strictest client known. `isEndless`: the pages repeat. */
export function judgeTools({
  items,
  isEndless,
}: {
  readonly items: readonly unknown[];
  readonly isEndless: boolean;
}): Judgement {
  const problems = toolProblems(items);
  const fatal = problems.filter(({ effect }) => effect === "list").map(lineOf);
  const others = problems
    .filter(({ effect }) => effect !== "list")
    .map((each) => `${lineOf(each)}${each.effect === "tool" ? "; Codex shows the first one" : ""}`);
  const faults = isEndless ? [endless, ...fatal] : fatal;
  const refusal =
    faults.length === 0
      ? undefined
      : new BridgeError("bad-answer", `Codex would drop the whole list: ${shortened(faults)}`, {
          hint: isEndless ? operatorHint : settingHint(`${repairHint}; ${operatorHint}`),
        });
  return { refusal, warnings: others };
}
