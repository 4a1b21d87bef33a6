import type { Context } from "../../cli/command.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { shownUrl } from "../../platform/redact.ts";
import { cleanText } from "../../wire/text.ts";
import type { Row } from "./plan.ts";

/** How a server will sign in; never the secret. */
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

/** The server's address as it may be shown. */
function addressOf({ url }: ServerEntry): string {
  const parsed = URL.parse(url);
  return parsed === null
    ? cleanText(url.replace(/\?.*/, "?..."), 200)
    : cleanText(shownUrl(parsed));
}

const clientOf = ({ source }: Row) => source.client?.title ?? source.path;

function missingLines({ draft, unset }: Row): string[] {
  const asked = draft.missing.map(({ variable, label }) =>
    label === variable ? variable : `${variable} (${cleanText(label, 60)} there)`,
  );
  const names = draft.missing.map(({ variable }) => variable);
  const others = unset.filter((name) => !names.includes(name));
  const all = [...asked, ...others];
  return all.length === 0 ? [] : [`not set here: ${all.join(", ")}`];
}

function rowLines(row: Row, arrow: string): string[] {
  const { entry, draft, through, name, status } = row;
  const way = through === undefined ? "" : `, through ${through}`;
  const title = entry.name === name ? name : `${cleanText(entry.name, 80)} ${arrow} ${name}`;
  const from = `${clientOf(row)}${way}`;
  if (status === "refused")
    return [`  ${cleanText(entry.name, 80)}  ${from}`, `    ${draft.refused}`];
  return [
    `  ${title}  ${addressOf(draft.entry)}`,
    `    ${credentialOf(draft.entry)}; from ${from}`,
    ...[...draft.notes, ...missingLines(row)].map((line) => `    - ${cleanText(line, 300)}`),
  ];
}

const headings = {
  new: "To import:",
  present: "Already here, left as it is:",
  refused: "Cannot be imported:",
} as const;

/** The plan as people read it. */
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
    const [what, verb] = local === 1 ? ["entry starts", "stays"] : ["entries start", "stay"];
    blocks.push(`${local} ${what} a local server and ${verb} where it is.`);
  }
  return redactor.redact(`${blocks.join("\n\n")}\n`);
}

/** One row as scripts read it. */
export function rowJson(row: Row): object {
  const { source, entry, draft, through, status, name, unset } = row;
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
    ...(through !== undefined && { through }),
    notes: draft.notes,
    missing: [
      ...draft.missing,
      ...unset
        .filter((variable) => !draft.missing.some((each) => each.variable === variable))
        .map((variable) => ({ variable, label: variable })),
    ],
  };
}
