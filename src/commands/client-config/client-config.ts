import { existsSync, lstatSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { readArguments } from "../../cli/arguments.ts";
import { type Context, defineCommand, serversArgument, type Values } from "../../cli/command.ts";
import { bridgeExecutable } from "../../cli/own-path.ts";
import { clientNamed } from "../../config/clients/client-file.ts";
import { type Client, clients, placesOf, type Start } from "../../config/clients/clients.ts";
import { readValue } from "../../config/clients/document.ts";
import { namedVariables } from "../../config/codex-environment.ts";
import { loadConfig, pickServer } from "../../config/load.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { writeTarget } from "../../platform/files.ts";
import { trustsHome } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";
import { command as codexConfig } from "../codex-config/codex-config.ts";
import { unifiedDiff } from "../codex-config/diff.ts";
import { readUserFile } from "../codex-config/user-file.ts";
import { backupOf } from "../codex-config/write.ts";
import { type EntryChange, placedEntries, removeEntry, sectionOf, writeEntries } from "./entry.ts";
import { changeClientFile, clientText } from "./write.ts";

/** mcporter imports the other clients' files; it is no client whose users write one. */
const writable = [...clients.keys()].filter((id) => id !== "mcporter");

const table = {
  for: {
    type: "string",
    valueHint: "CLIENT",
    description: "cursor, vscode, gemini, ...; without it: all",
  },
  server: serversArgument,
  write: { type: "boolean", description: "merge the entries into the client's file" },
  remove: { type: "boolean", description: "take the entries out of the client's file" },
  replace: {
    type: "boolean",
    description: "also an entry that starts something else",
  },
  "dry-run": { type: "boolean", description: "show what --write or --remove would change" },
  project: {
    type: "boolean",
    description: "the project's file in the current directory",
  },
  command: {
    type: "string",
    valueHint: "PATH",
    description: "the bridge's executable",
  },
} as const;

export const command = defineCommand({
  args: table,
  async run(values, context) {
    if (values.for === undefined || !writable.includes(values.for)) {
      throw new BridgeError("usage", "client-config needs --for CLIENT", {
        hint: `one of ${writable.join(", ")}`,
      });
    }
    requireSense(values);
    if (values.for === "codex") return toCodex(values, context);
    const client = clientNamed(values.for);
    const path = fileOf(client, values.project, context);
    if (values.remove) return remove(client, path, values, context);
    const config = await loadConfig(context.paths());
    const servers =
      values.server.length === 0 && config.servers.size > 0
        ? [...config.servers.values()]
        : [...new Set(values.server.map((name) => pickServer(config, name)))];
    if (servers.length === 0) pickServer(config);
    const starts = new Map(
      servers.map((server) => [server.name, startOf(server, client, values.command, context)]),
    );
    const edit = (text: string) => withEntries(text, client, starts, values.replace, context);
    if (values["dry-run"]) return showDiff(path, edit, context);
    if (!values.write) return print(client, path, starts, context);
    if (values.project) context.note(`the project's file: ${path}`);
    const isChanged = await changeClientFile(path, edit, context);
    const names = [...starts.keys()].map((name) => `"${name}"`).join(", ");
    await context.print(
      isChanged
        ? `${context.marks.ok} Wrote ${names} to ${path}\n`
        : `${context.marks.ok} ${names}: up to date in ${path}\n`,
    );
    if (isChanged) tellNext(client, path, context);
    return 0;
  },
});

type ClientConfigValues = Values<typeof table>;

function requireSense({ write, remove, replace }: ClientConfigValues): void {
  if (write && remove) throw new BridgeError("usage", "--write does not go with --remove");
  if (remove && replace) throw new BridgeError("usage", "--remove does not go with --replace");
}

/** `--for codex` is codex-config, which reads the words that both know. */
async function toCodex(values: ClientConfigValues, context: Context): Promise<number> {
  const words = values.server.flatMap((name) => ["--server", name]);
  for (const flag of ["write", "remove", "replace", "dry-run", "project"] as const) {
    if (values[flag]) words.push(`--${flag}`);
  }
  if (values.command !== undefined) words.push("--command", values.command);
  const read = readArguments("codex-config", codexConfig.args, words);
  return (await codexConfig.run(read, context)) ?? 0;
}

/** The file to change: the client's own, the first that is there, or the project's. Throws `usage`. */
function fileOf(client: Client, isProject: boolean, { env }: Context): string {
  if (!isProject) {
    const files = client.files(placesOf(env));
    return files.find((path) => existsSync(path)) ?? files[0]!;
  }
  if (client.projectFile === undefined) {
    throw new BridgeError("usage", `${client.title} has no file of servers in a project`, {
      hint: "leave out --project",
    });
  }
  return projectFile(client.projectFile);
}

/** The project's file in the current directory. Throws `configuration` where a symlink leads out of it: whoever made the repository would choose the file that is written. */
function projectFile(name: string): string {
  const folder = realpathSync(process.cwd());
  let path = folder;
  for (const part of name.split("/")) {
    path = join(path, part);
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) continue;
    const target = linkTarget(path);
    const isInside = target?.startsWith(`${folder}${sep}`) === true;
    if (isInside) continue;
    throw new BridgeError("configuration", `${path} is a symlink that leads out of the project`, {
      hint: "put a regular file there",
    });
  }
  return path;
}

/** Where a symlink leads; undefined where no folder is there. */
function linkTarget(path: string): string | undefined {
  try {
    return writeTarget(path);
  } catch {
    return undefined;
  }
}

/** How a client starts the bridge for one server. */
export function startOf(
  server: ServerSettings,
  client: Client,
  named: string | undefined,
  context: Context,
): Start {
  const { custom, configFile } = context.paths();
  const variables = client.passes === "all" ? [] : [...new Set(namedVariables(server))];
  const { reference } = client;
  if (variables.length > 0 && reference === undefined) {
    context.warn(
      `${client.title} neither passes ${variables.join(", ")} on nor expands variables: store the secret itself (${context.commandLine(`setup --server ${server.name}`)})`,
    );
  }
  return {
    command: bridgeExecutable(named, context),
    args: ["run", "--server", server.name, ...(custom ? ["--config-path", configFile] : [])],
    env: {
      ...(reference && Object.fromEntries(variables.map((name) => [name, reference(name)]))),
      ...(trustsHome(context.env) && { CODEX_MCP_BRIDGE_TRUST_HOME: "1" }),
    },
  };
}

async function withEntries(
  text: string,
  client: Client,
  starts: ReadonlyMap<string, Start>,
  mayReplace: boolean,
  { redactor }: Context,
): Promise<string> {
  const entries = await placedEntries(text, client);
  const section = sectionOf(client, await readValue(text, client.format, client.title));
  const changes: EntryChange[] = [];
  let added = 0;
  for (const [name, start] of starts) {
    // The exact name wins over one that differs in case.
    const there =
      entries.find((entry) => entry.name === name) ??
      entries.find((entry) => entry.isOurs && entry.name.toLowerCase() === name.toLowerCase());
    if (there !== undefined && !there.isOurs) {
      if (!mayReplace) throw otherOwner(client, name);
      for (const secret of there.secrets) redactor.add(secret);
    }
    const key = client.isList ? entries.length + added : name;
    if (there === undefined) added++;
    changes.push({ path: there?.path ?? [...section, key], name: there?.name ?? name, start });
  }
  return writeEntries(text, client, changes);
}

function otherOwner({ title }: Client, name: string): BridgeError {
  return new BridgeError(
    "configuration",
    `${title} has a server "${name}" that does not start the bridge`,
    { hint: "add --replace, or give the server another name" },
  );
}

async function print(
  client: Client,
  path: string,
  starts: ReadonlyMap<string, Start>,
  context: Context,
): Promise<number> {
  const changes = [...starts].map(([name, start], at) => {
    return { path: [...client.section, client.isList ? at : name], name, start };
  });
  await context.print(await writeEntries("", client, changes));
  context.note(`for ${client.title}: it goes into ${path}; --write merges it there`);
  return 0;
}

async function showDiff(
  path: string,
  edit: (text: string) => Promise<string>,
  context: Context,
): Promise<number> {
  const before = clientText(path);
  const after = await edit(before);
  if (before === after) context.note(`nothing to change in ${path}`);
  await context.print(context.redactor.redact(unifiedDiff(path, before, after)));
  return 0;
}

async function remove(
  client: Client,
  path: string,
  values: ClientConfigValues,
  context: Context,
): Promise<number> {
  let removed: string[] = [];
  const edit = async (text: string) => {
    const found = await removable(text, client, values.server, context);
    removed = found.map(({ name }) => name);
    let after = text;
    // From the end: the places in a list before it stay.
    for (const { path: place, name } of found.toReversed()) {
      after = await removeEntry(after, client, place, name);
    }
    return after;
  };
  if (values["dry-run"]) return showDiff(path, edit, context);
  if (values.project) context.note(`the project's file: ${path}`);
  if (!(await changeClientFile(path, edit, context))) {
    await context.print(`${context.marks.ok} nothing to remove from ${path}\n`);
    return 0;
  }
  const names = removed.map((name) => `"${name}"`).join(", ");
  await context.print(`${context.marks.ok} Removed ${names} from ${path}\n`);
  tellNext(client, path, context);
  return 0;
}

/** The named entries that are there, or all that start the bridge with this configuration. Throws `configuration`. */
async function removable(text: string, client: Client, names: readonly string[], context: Context) {
  const entries = await placedEntries(text, client);
  const { custom, configFile } = context.paths();
  if (names.length === 0) {
    const file = custom ? configFile : undefined;
    return entries.filter((entry) => entry.isOurs && entry.configFile === file);
  }
  const found = entries.filter((entry) =>
    names.some((name) => name.toLowerCase() === entry.name.toLowerCase()),
  );
  const foreign = found.find((entry) => !entry.isOurs);
  if (foreign !== undefined) {
    throw new BridgeError(
      "configuration",
      `${client.title}'s server "${foreign.name}" does not start the bridge`,
      { hint: "remove it in the client" },
    );
  }
  return found;
}

function tellNext({ reload }: Client, path: string, { note }: Context): void {
  if (readUserFile(backupOf(path)) !== undefined) note(`what it was before: ${backupOf(path)}`);
  note(`to see the change: ${reload}`);
}
