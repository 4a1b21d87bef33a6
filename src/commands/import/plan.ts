import type { ClientEntry } from "../../config/clients/entries.ts";
import { parseConfig, type RawConfig } from "../../config/load.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { nameProblem, requiredVariablesIn } from "../../config/validators.ts";
import type { Environment, Paths } from "../../platform/paths.ts";
import { asBridgeError } from "../../wire/errors.ts";
import type { Outcome } from "./convert.ts";
import type { Draft } from "./draft.ts";
import type { Source } from "./sources.ts";

/** An entry of a client's file or a team file, and the result of its conversion. */
export interface Found {
  readonly source: Source;
  readonly entry: ClientEntry;
  readonly outcome: Outcome;
}

/** One line of the import plan: an entry that reaches a remote server. */
export interface Row {
  readonly source: Source;
  readonly entry: ClientEntry;
  readonly draft: Draft;
  /** Name of the other bridge that the entry starts today; undefined for an entry with a URL, and in a team file. */
  readonly currentBridge: string | undefined;
  /** `present`: config.json, or an earlier row, has a server with this URL and this credential that hides no fewer tools. */
  readonly status: "new" | "present" | "refused";
  /** Server name in config.json; for a refused row, the name it would have got. */
  readonly name: string;
  /** Environment variables that the entry refers to and that are unset in this process. */
  readonly unset: readonly string[];
}

/** Two entries with equal identities reach one server as one user: equal URL and equal credential. */
export function identityOf(entry: ServerEntry): string {
  const { url, token, access_token, tokenEnv, tokenFile, tokenCommand, headers, auth } = entry;
  const credential = [token ?? access_token?.trim(), tokenEnv, tokenFile, tokenCommand];
  const sorted = (object: object = {}) =>
    Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const href = URL.parse(url)?.href ?? url;
  return JSON.stringify([href, ...credential, sorted(auth), sorted(headers)]);
}

/** The client's name for the server, without the characters that config.json forbids in a server name. */
function allowedName(name: string, url: string): string {
  if (nameProblem(name) === undefined) return name;
  const clean = (text: string) =>
    text
      .normalize("NFKD")
      .replace(/\p{M}+/gu, "")
      .replace(/[^A-Za-z0-9_-]+/g, "-")
      .replace(/^[-_]+|-+$/g, "")
      .slice(0, 64);
  const host = URL.parse(url)?.hostname ?? "";
  return clean(name) || clean(host) || "server";
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? "" : `-${number}`;
    const name = `${wanted.slice(0, 64 - suffix.length)}${suffix}`;
    if (!taken.has(name.toLowerCase())) return name;
  }
}

/** Validates the entry against the config schema; refuses the draft if it is invalid. */
async function validate(draft: Draft, paths: Paths): Promise<void> {
  if (draft.refused !== undefined) return;
  try {
    await parseConfig(JSON.stringify({ servers: { server: draft.entry } }), paths, {
      isSaved: false,
    });
  } catch (error) {
    const problem = asBridgeError(error).message.replace(`${paths.configFile}: `, "");
    draft.refuse(
      `its entry would be invalid in config.json: ${problem.replace("servers.server.", "")}`,
    );
  }
}

function variablesOf({ url, tokenEnv, headers, auth }: ServerEntry): string[] {
  const inTexts = [url, ...Object.values(headers ?? {})].flatMap(requiredVariablesIn);
  const secret = auth?.type === "oauth" ? auth.clientSecretEnv : undefined;
  return [tokenEnv, secret, ...inTexts].filter((name) => name !== undefined);
}

/** A server in config.json, or of an earlier row. */
interface Known {
  readonly name: string;
  readonly entry: ServerEntry;
}

const hidden = ({ tools }: ServerEntry): readonly string[] => tools?.deny ?? [];

/** The server that stands for an entry. One that does not hide the entry's hidden tools is none: they would become visible. */
function presentServer(entry: ServerEntry, known: readonly Known[]): Known | undefined {
  const identity = identityOf(entry);
  const equal = known.filter((each) => identityOf(each.entry) === identity);
  return (
    equal.find((each) => Bun.deepEquals(each.entry.tools, entry.tools)) ??
    equal.find((each) => hidden(entry).every((tool) => hidden(each.entry).includes(tool)))
  );
}

/** Notes the settings of an entry that the server in config.json, which stays unchanged, has otherwise. */
function noteDifferences(draft: Draft, { name, entry }: Known): void {
  const { url, token, tokenEnv, headers, auth, ...settings } = draft.entry;
  const keys = Object.entries(settings)
    .filter(([key, value]) => !Bun.deepEquals(value, entry[key as keyof ServerEntry]))
    .map(([key]) => key);
  if (keys.length > 0)
    draft.note(`these settings will not carry over, "${name}" keeps its own: ${keys.join(", ")}`);
}

/** Makes one row per remote server: validates its entry, gives it a valid unused name, and marks duplicates. */
export async function makePlan(
  found: readonly Found[],
  current: RawConfig,
  paths: Paths,
  env: Environment,
): Promise<Row[]> {
  const known: Known[] = Object.entries(current.servers ?? {}).map(([name, entry]) => ({
    name,
    entry,
  }));
  const taken = new Set(known.map(({ name }) => name.toLowerCase()));
  for (const { outcome } of found) {
    if (outcome.kind === "server") await validate(outcome.draft, paths);
  }
  return found.flatMap(({ source, entry, outcome }): Row[] => {
    if (outcome.kind !== "server") return [];
    const { draft, currentBridge } = outcome;
    const unset = [...new Set(variablesOf(draft.entry))].filter((name) => !env[name]);
    const row = { source, entry, draft, currentBridge, unset };
    const wanted = allowedName(entry.name, draft.entry.url);
    if (draft.refused !== undefined) return [{ ...row, status: "refused", name: wanted }];
    const present = presentServer(draft.entry, known);
    if (present !== undefined) {
      noteDifferences(draft, present);
      return [{ ...row, status: "present", name: present.name }];
    }
    const name = freeName(wanted, taken);
    known.push({ name, entry: draft.entry });
    taken.add(name.toLowerCase());
    return [{ ...row, status: "new", name }];
  });
}
