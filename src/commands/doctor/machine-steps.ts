// What on this machine starts the bridge: the entries of MCP clients, and other copies of the program.
import { constants } from "node:fs";
import { access, realpath } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import type { Context } from "../../cli/command.ts";
import { findEntries } from "../../config/clients/entries.ts";
import { namedVariables } from "../../config/codex-environment.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { programOnPath } from "../../platform/exec.ts";
import { BridgeError, type Hint } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";
import { cleanText, shellWord } from "../../wire/text.ts";
import { ownerOf } from "../codex-config/entry.ts";
import { findSources } from "../import/sources.ts";
import { type Finding, skipped } from "./walk.ts";

/** An entry of a client that starts the bridge. */
export interface StartingEntry {
  /** Id of the client, as `client-config --for` takes it. */
  readonly client: string;
  readonly title: string;
  readonly file: string;
  /** The entry's name there, cleaned. */
  readonly name: string;
  readonly command: string;
  readonly isPython: boolean;
  readonly isDisabled: boolean;
  /** The servers that its arguments name. */
  readonly servers: readonly string[];
  /** The configuration that its arguments name. */
  readonly configFile: string | undefined;
  /** The variables that the client passes on; undefined if it passes all of its own. */
  readonly passes: readonly string[] | undefined;
}

const optionValues = (words: readonly string[], names: readonly string[]) =>
  words.flatMap((word, at) => {
    const equals = names.find((name) => word.startsWith(`${name}=`));
    if (equals !== undefined) return [word.slice(equals.length + 1)];
    return names.includes(word) ? (words[at + 1] ?? []) : [];
  });

/** The entries of all clients' files that start the bridge. A file that cannot be read is left out with a warning. */
export async function startingEntries(context: Context): Promise<StartingEntry[]> {
  const sources = await findSources([], undefined, context);
  return sources.flatMap(({ path, value, client }) =>
    findEntries(value).flatMap(({ name, words, env, isDisabled, path: keys }) => {
      const [command, ...args] = words;
      if (command === undefined || client === undefined) return [];
      const owner = ownerOf(name, { command, args });
      if (owner === "other") return [];
      const raw = keys.reduce<unknown>((at, key) => Object(at)[key], value) as {
        env_vars?: unknown;
      };
      const listed = Array.isArray(raw?.env_vars) ? raw.env_vars : [];
      const named = listed.map((each) =>
        typeof each === "string" ? each : String(Object(each).name),
      );
      const passes = client.passes === "named" ? [...Object.keys(env), ...named] : undefined;
      return [
        {
          client: client.id,
          title: client.title,
          file: path,
          name: cleanText(name, 100),
          command,
          isPython: owner === "python",
          isDisabled,
          servers: optionValues(args, ["--server", "-s"]),
          configFile: optionValues(args, ["--config-path", "-c"])[0],
          passes,
        },
      ];
    }),
  );
}

const isSameName = (one: string, other: string) => one.toLowerCase() === other.toLowerCase();

/** The command that writes an entry anew, or removes it. */
const change =
  ({ client }: StartingEntry, option: "--write" | "--remove", server: string): Hint =>
  (command) =>
    `run ${command(`${client === "codex" ? "codex-config" : `client-config --for ${client}`} ${option} --server ${server}`)}`;

/** Throws if a client that starts the bridge for this server withholds a variable that its entry in config.json names. */
export function requirePassedVariables(
  settings: ServerSettings,
  entries: readonly StartingEntry[],
): void {
  for (const entry of entries) {
    const { passes, servers, title, name, file } = entry;
    if (passes === undefined || !servers.some((each) => isSameName(each, settings.name))) continue;
    const missing = namedVariables(settings).filter((variable) => !passes.includes(variable));
    if (missing.length === 0) continue;
    throw new BridgeError(
      "configuration",
      `${title} does not pass ${missing.join(", ")} on to the bridge: its entry "${name}" in ${file} does not name ${missing.length === 1 ? "it" : "them"}`,
      { hint: change(entry, "--write", settings.name) },
    );
  }
}

/** Why an entry cannot start its server, and what mends it. */
interface Staleness {
  readonly why: string;
  readonly hint: Hint;
}

/** Undefined for an entry that can work. */
async function staleness(
  entry: StartingEntry,
  known: readonly string[],
  { env }: Context,
): Promise<Staleness | undefined> {
  const { command, servers, configFile, isPython } = entry;
  const isKnown = (name: string) => known.some((each) => isSameName(each, name));
  const hint = change(entry, "--write", servers.find(isKnown) ?? known[0] ?? "NAME");
  if (isPython) return { why: "starts the Python package of the same name", hint };
  const path = isAbsolute(command) ? command : programOnPath(command, env.PATH);
  if (path === undefined)
    return { why: `starts ${cleanText(command, 200)}, which is not on PATH`, hint };
  const isThere = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) return { why: `starts ${cleanText(path, 200)}, which is no executable file`, hint };
  const unknown = configFile === undefined ? servers.find((name) => !isKnown(name)) : undefined;
  if (unknown === undefined) return undefined;
  const shown = cleanText(unknown, 64);
  return {
    why: `names the server "${shown}", which is not configured`,
    hint: change(entry, "--remove", shellWord(entry.name)),
  };
}

/** Names the clients that start the bridge. Throws where entries are stale, with all of them in its words and the hint for the first. */
export async function clientsFinding(
  entries: readonly StartingEntry[],
  known: readonly string[],
  context: Context,
): Promise<Finding> {
  const stale: Staleness[] = [];
  for (const entry of entries) {
    const found = await staleness(entry, known, context);
    const place = `"${entry.name}" of ${entry.title} (${entry.file})`;
    if (found !== undefined) stale.push({ ...found, why: `${place} ${found.why}` });
  }
  const [first] = stale;
  if (first !== undefined)
    throw new BridgeError("configuration", `stale: ${stale.map(({ why }) => why).join("; ")}`, {
      hint: first.hint,
    });
  if (entries.length === 0) return skipped("no client's configuration starts this bridge");
  const titles = [...new Set(entries.map(({ title }) => title))];
  const shown = titles.map((title) => {
    const own = entries.filter((entry) => entry.title === title);
    return `${title} (${own.map(({ name, isDisabled }) => `${name}${isDisabled ? ", switched off" : ""}`).join(", ")})`;
  });
  return { detail: shown.join(", ") };
}

/** Names the copies of this program on PATH other than the running one. */
export async function copiesFinding({ env }: Context): Promise<Finding> {
  const folders = (env.PATH ?? "").split(delimiter).filter(isAbsolute);
  const own = await realpath(process.execPath);
  const found = new Map<string, string>();
  for (const folder of folders) {
    const path = join(folder, program.name);
    const real = await access(path, constants.X_OK)
      .then(() => realpath(path))
      .catch(() => undefined);
    if (real !== undefined && !found.has(real)) found.set(real, path);
  }
  const others = [...found].filter(([real]) => real !== own).map(([, path]) => path);
  if (others.length === 0) return { detail: "none on PATH" };
  const [first] = found.keys();
  const warnings = first === own ? [] : [`PATH leads to ${others[0]}, and ${own} runs now`];
  return { detail: others.join(", "), warnings };
}
