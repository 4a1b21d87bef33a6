import { isatty } from "node:tty";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import type { MissingValue } from "./draft.ts";
import type { Row } from "./plan.ts";
import { credentialOf } from "./report.ts";

/** Whether the user can be asked: stdin and stderr are terminals. */
export const canAsk = () => isatty(0) && isatty(2);

const output = { output: process.stderr };

function cancelled(): BridgeError {
  return new BridgeError("cancelled", "import was cancelled: nothing was saved");
}

/** Lets the user select rows, all of them selected initially. Throws `cancelled`. */
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

/** Asks for a missing value; undefined if the user leaves it empty, to be read from the environment. Throws `cancelled`. */
export async function askValue(server: string, missing: MissingValue): Promise<string | undefined> {
  const clack = await import("@clack/prompts");
  const { label, variable } = missing;
  const answer = await clack.password({
    ...output,
    message: `"${server}": ${cleanText(label, 80)} (empty: read from ${variable} at each start)`,
  });
  if (clack.isCancel(answer)) throw cancelled();
  const value = (answer ?? "").trim();
  return value === "" ? undefined : value;
}
