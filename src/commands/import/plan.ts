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
  /** `present`: config.json, or an earlier row, has a server with this URL and this credential. */
  readonly status: "new" | "present" | "refused";
  /** Server name in config.json; for a refused row, the name it would have got. */
  readonly name: string;
  /** Environment variables that the entry refers to and that are unset in this process. */
  readonly unset: readonly string[];
}

/** Two entries with equal identities are one server: equal URL and equal credential. */
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

/** Makes one row per remote server: validates its entry, gives it a valid unused name, and marks duplicates. */
export async function makePlan(
  found: readonly Found[],
  current: RawConfig,
  paths: Paths,
  env: Environment,
): Promise<Row[]> {
  const present = new Map<string, string>();
  const taken = new Set<string>();
  for (const [name, entry] of Object.entries(current.servers ?? {})) {
    present.set(identityOf(entry), name);
    taken.add(name.toLowerCase());
  }
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
    const identity = identityOf(draft.entry);
    const presentName = present.get(identity);
    if (presentName !== undefined) return [{ ...row, status: "present", name: presentName }];
    const name = freeName(wanted, taken);
    present.set(identity, name);
    taken.add(name.toLowerCase());
    return [{ ...row, status: "new", name }];
  });
}
