// The tool NAME_problem, which stands in a list for the tools that wait for an approval.
import type { CommandLine } from "../../wire/errors.ts";
import { isWord } from "../../wire/text.ts";
import type { Withheld } from "./judge.ts";

/** Names shown; a server may list any number. */
const maxShown = 20;
const maxNameLength = 64;

/** The tools that wait for an approval, by name. */
export type Waiting = ReadonlyMap<string, Withheld>;

/** Names tools for a model. A name of other characters than letters and digits could hold instructions, so only ordinary ones are shown. */
export function waitingNames(waiting: Waiting): string {
  const ordinary = [...waiting].filter(([tool]) => isWord(tool) && tool.length <= maxNameLength);
  const shown = ordinary.slice(0, maxShown).map(([tool, why]) => `${tool} (${why})`);
  const more = waiting.size - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** What the tool says: which tools are withheld, why, and the remedy. */
export function problemText(
  server: string,
  waiting: Waiting,
  problem: string | undefined,
  commandLine: CommandLine,
): string {
  const count = `${waiting.size} ${waiting.size === 1 ? "tool" : "tools"}`;
  const cause = problem === undefined ? "" : ` The approvals cannot be read: ${problem}.`;
  return (
    `${count} of server "${server}" may not be used before a person has approved them: ${waitingNames(waiting)}.${cause} ` +
    `Ask the user to run ${commandLine(`pin ${server}`)} in a terminal, and do not run it yourself.`
  );
}

/** The tool as an entry of tools/list. */
export function problemTool(toolName: string, server: string, text: string): object {
  return {
    name: toolName,
    title: `Tools of ${server} that wait for an approval`,
    description: `${text} Calling this tool looks for new approvals.`,
    inputSchema: { type: "object", properties: {}, additionalProperties: false },
    annotations: { readOnlyHint: true },
  };
}
