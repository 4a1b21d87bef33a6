import type { ClientEntry } from "../../config/clients/entries.ts";
import { parseConfig, type RawConfig } from "../../config/load.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { nameProblem } from "../../config/validators.ts";
import type { Environment, Paths } from "../../platform/paths.ts";
import { asBridgeError } from "../../wire/errors.ts";
import type { Outcome } from "./convert.ts";
import type { Draft } from "./draft.ts";
import type { Source } from "./sources.ts";

/** One entry that was found, and what becomes of it. */
export interface Found {
  readonly source: Source;
  readonly entry: ClientEntry;
  readonly outcome: Outcome;
}

/** One server of the plan. */
export interface Row {
  readonly source: Source;
  readonly entry: ClientEntry;
  readonly draft: Draft;
  /** The bridge that the entry starts today. */
  readonly through: string | undefined;
  /** `present`: the server is here already, with this credential, or another row brings it. */
  readonly status: "new" | "present" | "refused";
  /** The name here; of a refused one the name that it would have. */
  readonly name: string;
  /** Variables that the entry names and that are not set here. */
  readonly unset: readonly string[];
}

/** What makes two entries the same server: address and credential. */
function identityOf(entry: ServerEntry): string {
  const { url, token, access_token, tokenEnv, tokenFile, tokenCommand, headers, auth } = entry;
  const sorted = Object.entries(headers ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const credential = [token ?? access_token?.trim(), tokenEnv, tokenFile, tokenCommand, auth];
  return JSON.stringify([URL.parse(url)?.href ?? url, ...credential, sorted]);
}

/** The nearest name that is allowed here. */
function allowedName(name: string, url: string): string {
  if (nameProblem(name) === undefined) return name;
  const clean = (text: string) =>
    text
      .normalize("NFKD")
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

/** Lets the schema judge an entry: config.json must never hold what it refuses. */
async function judge(draft: Draft, paths: Paths): Promise<void> {
  if (draft.refused !== undefined) return;
  try {
    await parseConfig(JSON.stringify({ servers: { server: draft.entry } }), paths, false);
  } catch (error) {
    const problem = asBridgeError(error).message.replace(`${paths.configFile}: `, "");
    draft.refuse(`config.json cannot hold it: ${problem.replace("servers.server.", "")}`);
  }
}

function variablesOf({ tokenEnv, headers, auth }: ServerEntry): string[] {
  const inHeaders = Object.values(headers ?? {}).flatMap((value) =>
    [...value.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)].map((match) => match[1]!),
  );
  const secret = auth?.type === "oauth" ? auth.clientSecretEnv : undefined;
  return [tokenEnv, secret, ...inHeaders].filter((name) => name !== undefined);
}

/** The rows of the servers that were found: names that fit and are free, and what is here already. */
export async function planOf(
  found: readonly Found[],
  before: RawConfig,
  paths: Paths,
  env: Environment,
): Promise<Row[]> {
  const present = new Map<string, string>();
  const taken = new Set<string>();
  for (const [name, entry] of Object.entries(before.servers ?? {})) {
    present.set(identityOf(entry), name);
    taken.add(name.toLowerCase());
  }
  for (const { outcome } of found) {
    if (outcome.kind === "server") await judge(outcome.draft, paths);
  }
  return found.flatMap(({ source, entry, outcome }): Row[] => {
    if (outcome.kind !== "server") return [];
    const { draft, through } = outcome;
    const unset = [...new Set(variablesOf(draft.entry))].filter((name) => !env[name]);
    const row = { source, entry, draft, through, unset };
    const wanted = allowedName(entry.name, draft.entry.url);
    if (draft.refused !== undefined) return [{ ...row, status: "refused", name: wanted }];
    const identity = identityOf(draft.entry);
    const here = present.get(identity);
    if (here !== undefined) return [{ ...row, status: "present", name: here }];
    const name = freeName(wanted, taken);
    present.set(identity, name);
    taken.add(name.toLowerCase());
    return [{ ...row, status: "new", name }];
  });
}
