import { isatty } from "node:tty";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import type { Missing } from "./draft.ts";
import type { Row } from "./plan.ts";
import { credentialOf } from "./report.ts";

/** Whether a person can be asked: a terminal on both sides of the questions. */
export const canAsk = () => isatty(0) && isatty(2);

const output = { output: process.stderr };

function cancelled(): BridgeError {
  return new BridgeError("cancelled", "import was cancelled: nothing was saved");
}

/** Lets a person choose among the rows; all are chosen at first. Throws `cancelled`. */
export async function chooseRows(rows: readonly Row[]): Promise<Row[]> {
  const clack = await import("@clack/prompts");
  const options = rows.map((row, value) => ({
    value,
    label: cleanText(row.name, 64),
    hint: credentialOf(row.draft.entry),
  }));
  const chosen = await clack.multiselect<number>({
    ...output,
    message: "Which servers? (space selects, enter imports)",
    options,
    initialValues: options.map(({ value }) => value),
    required: false,
  });
  if (clack.isCancel(chosen)) throw cancelled();
  return rows.filter((_, at) => chosen.includes(at));
}

/** Asks for a value that no file holds; undefined where it is left to the environment. Throws `cancelled`. */
export async function askValue(server: string, missing: Missing): Promise<string | undefined> {
  const clack = await import("@clack/prompts");
  const { label, variable } = missing;
  const answer = await clack.password({
    ...output,
    message: `"${server}": ${cleanText(label, 80)} (empty: taken from ${variable} at each start)`,
  });
  if (clack.isCancel(answer)) throw cancelled();
  const value = (answer ?? "").trim();
  return value === "" ? undefined : value;
}
