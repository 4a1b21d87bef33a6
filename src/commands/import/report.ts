import { isatty } from "node:tty";
import type { Context } from "../../cli/command.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { shownServerUrl } from "../../config/server-url.ts";
import { cleanText, terminalJson } from "../../wire/text.ts";
import type { Row } from "./plan.ts";

/** The kind of credential that a server will use; without its value. */
export function credentialOf({ token, tokenEnv, auth, headers }: ServerEntry): string {
  const names = Object.keys(headers ?? {});
  if (token !== undefined) return "token";
  if (tokenEnv !== undefined) return `token from ${tokenEnv}`;
  if (auth?.type === "oauth") {
    return auth.clientId === undefined ? "OAuth" : "OAuth, registered client";
  }
  if (names.length > 0) return `header ${names.join(", ")}`;
  return "OAuth, if the server asks for it";
}

/** The server's URL without its secrets. */
function addressOf({ url }: ServerEntry): string {
  const parsed = URL.parse(url);
  if (parsed === null) return cleanText(url.replace(/\?.*/, "?..."), 200);
  const template = url.includes("${") ? { urlTemplate: url } : {};
  return cleanText(shownServerUrl({ url: parsed, ...template }));
}

const clientOf = ({ source }: Row) => source.client?.title ?? source.path;

function unsetLines({ draft, unset }: Row): string[] {
  const missing = draft.missing.map(({ variable, label }) =>
    label === variable ? variable : `${variable} (${cleanText(label, 60)} in the client)`,
  );
  const names = draft.missing.map(({ variable }) => variable);
  const others = unset.filter((name) => !names.includes(name));
  const all = [...missing, ...others];
  return all.length === 0 ? [] : [`unset variables: ${all.join(", ")}`];
}

function rowLines(row: Row, arrow: string): string[] {
  const { entry, draft, currentBridge, name, status } = row;
  const bridge = currentBridge === undefined ? "" : `, through ${currentBridge}`;
  const title = entry.name === name ? name : `${cleanText(entry.name, 80)} ${arrow} ${name}`;
  const from = `${clientOf(row)}${bridge}`;
  if (status === "refused")
    return [`  ${cleanText(entry.name, 80)}  ${from}`, `    ${draft.refused}`];
  return [
    `  ${title}  ${addressOf(draft.entry)}`,
    `    ${credentialOf(draft.entry)}; from ${from}`,
    ...[...draft.notes, ...unsetLines(row)].map((line) => `    - ${cleanText(line, 300)}`),
  ];
}

const headings = {
  new: "To import:",
  present: "Already in config.json, left unchanged:",
  refused: "Cannot be imported:",
} as const;

/** The plan as text, secrets redacted; `local` is the number of entries that start a local server. */
export function planText(
  rows: readonly Row[],
  local: number,
  { redactor, marks }: Context,
): string {
  const blocks = (["new", "present", "refused"] as const).flatMap((status) => {
    const of = rows.filter((row) => row.status === status);
    if (of.length === 0) return [];
    return [[headings[status], ...of.flatMap((row) => rowLines(row, marks.arrow))].join("\n")];
  });
  if (local > 0) {
    blocks.push(
      local === 1
        ? "1 entry starts a local server and is left unchanged."
        : `${local} entries start a local server and are left unchanged.`,
    );
  }
  return redactor.redact(`${blocks.join("\n\n")}\n`);
}

/** One row of the plan as JSON. */
export function rowJson(row: Row): object {
  const { source, entry, draft, currentBridge, status, name, unset } = row;
  const isRefused = status === "refused";
  return {
    name: entry.name,
    ...(!isRefused && { as: name }),
    status,
    ...(isRefused && { reason: draft.refused }),
    ...(source.client !== undefined && { client: source.client.id }),
    file: source.path,
    url: addressOf(draft.entry),
    ...(!isRefused && { credential: credentialOf(draft.entry) }),
    ...(currentBridge !== undefined && { through: currentBridge }),
    notes: draft.notes,
    missing: [
      ...draft.missing,
      ...unset
        .filter((variable) => !draft.missing.some((each) => each.variable === variable))
        .map((variable) => ({ variable, label: variable })),
    ],
  };
}

/** The text that `--json` prints, without control characters on a terminal: anybody may have written the file that names come from. */
export function jsonText(result: object): string {
  const text = `${JSON.stringify(result, null, 2)}\n`;
  return isatty(1) ? terminalJson(text) : text;
}
