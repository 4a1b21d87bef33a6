import {
  type Arguments,
  type Command,
  type Context,
  defineCommand,
  globalArguments,
} from "../../cli/command.ts";
import { adHocSettings, rememberAdHoc } from "../../config/ad-hoc.ts";
import { ConfigProblem } from "../../config/config-problem.ts";
import { type DropIn, dropInOf } from "../../config/mcp-remote/entry.ts";
import { foreignTokenOf } from "../../config/mcp-remote/store.ts";
import { takesValue } from "../../config/mcp-remote/words.ts";
import { requireNamedVariables } from "../../config/requirements.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { variableProblem } from "../../config/validators.ts";
import { mayUseOAuth } from "../../oauth/store/grant-owner.ts";
import { fs } from "../../platform/fs.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache, transportKey } from "../../platform/server-cache.ts";
import { openStdio } from "../../platform/stdio.ts";
import type { OnFailure } from "../../upstream/stand-in/start-guard.ts";
import { asBridgeError, BridgeError, type CommandLine } from "../../wire/errors.ts";
import type { Restart } from "./failed-start.ts";
import {
  bridge,
  onFailureArgument,
  openOne,
  openRecord,
  recordArgument,
  signInArgument,
} from "./run.ts";

/** Options of `run URL` that mcp-remote does not have. */
const ownArguments = {
  "token-env": {
    type: "string",
    valueHint: "VAR",
    description: "read the token from this variable, if it is set",
  },
  "no-cache": { type: "boolean", description: "neither read nor write the cache" },
  record: recordArgument,
  "sign-in": {
    ...signInArgument,
    description: "how a call signs in: browser (default), elicit, never",
  },
  "on-failure": onFailureArgument,
} as const satisfies Arguments;

/** The command `run URL`, and the words of the command line that its table describes. */
interface DropInCommand {
  // biome-ignore lint/suspicious/noExplicitAny: the program's table holds commands of every table of arguments
  readonly command: Command<any>;
  readonly words: readonly string[];
}

/** `run URL`: the bridge without config.json, with the arguments of mcp-remote. */
export function dropInAfter(words: readonly string[]): DropInCommand {
  const { own, foreign } = split(words);
  const isSilent = foreign.includes("--silent") && !foreign.includes("--debug");
  const level = foreign.includes("--debug") ? "debug" : isSilent ? "error" : undefined;
  let restart: Restart | undefined;
  let onFailure: OnFailure | undefined;
  const command = defineCommand({
    args: ownArguments,
    helpEnd: "mcp-remote's options are taken, too: docs/moving-from-mcp-remote.md",
    async run({ "sign-in": signIn = "browser", "no-cache": noCache, record, ...more }, context) {
      onFailure = more["on-failure"] ?? "auto";
      // The client's first message is read meanwhile.
      openStdio();
      const { env, log, commandLine } = context;
      const given = withToken(dropInOf(foreign, { env, readFile }), more["token-env"], context);
      if (!isSilent) for (const line of notesOn(given, commandLine)) context.warn(line);
      const how = { mayAnswer: !noCache, waitsForStart: true, signIn, onFailure };
      const start = async () => {
        const settings = settingsOf(given, context);
        await requireNamedVariables(settings, env);
        const file = noCache ? undefined : cacheFile(settings.state);
        const cache = new ServerCache(file, settings.url, log);
        preferTransport(cache, given.transport);
        const onFirstAnswer = () => remember(settings, given, context);
        return { settings, cache, ...how, signInWaitMs: given.signInWaitMs, onFirstAnswer };
      };
      restart = { name: "", open: async (...client) => openOne(await start(), context, ...client) };
      const started = await start();
      const recording = await openRecord(record, context);
      await recording?.knowSecretsOf([started.settings]);
      return bridge({ ...started, recording }, context);
    },
    async refuse(error, commandLine) {
      const { onFailureIn, serveFailedStart } = await import("./failed-start.ts");
      onFailure ??= onFailureIn(own);
      return serveFailedStart({ error, restart, onFailure, commandLine, answered: undefined });
    },
  });
  const isLevelGiven = own.some((word) => /^(?:-l|--log-level)(?:=|$)/.test(word));
  const added = level === undefined || isLevelGiven ? [] : ["--log-level", level];
  return { command, words: [...own, ...added] };
}

/** Separates the options of this program from the arguments of mcp-remote. */
function split(words: readonly string[]): { own: string[]; foreign: string[] } {
  const table: Arguments = { ...ownArguments, ...globalArguments };
  const own: string[] = [];
  const foreign: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const [option = ""] = word.split("=", 1);
    const found = Object.entries(table).find(
      ([name, { alias }]) => option === `--${name}` || option === `-${alias}`,
    );
    const list = found === undefined ? foreign : own;
    list.push(word);
    const isValued = found === undefined ? takesValue(word) : found[1].type !== "boolean";
    if (isValued && option === word && at + 1 < words.length) list.push(words[++at]!);
  }
  return { own, foreign };
}

function notesOn({ warnings, holdsSecret }: DropIn, command: CommandLine): readonly string[] {
  if (!holdsSecret) return warnings;
  const danger = "an argument holds a secret, which other users of this machine can read";
  return [...warnings, `${danger}: ${command("import")} keeps it in a file of yours instead`];
}

/** The server with the token of `--token-env`, if that variable is set: then neither an Authorization header nor an OAuth option is needed. */
function withToken(given: DropIn, variable: string | undefined, { env }: Context): DropIn {
  if (variable === undefined || !env[variable]) return given;
  const problem = variableProblem(variable);
  if (problem !== undefined) throw new BridgeError("usage", `--token-env: ${problem}`);
  const { auth: _, ...entry } = given.entry;
  return { ...given, entry: { ...entry, tokenEnv: variable } };
}

/** Remembers the server for other commands. A home that cannot be written is no reason to end. */
function remember(settings: ServerSettings, { entry }: DropIn, { log }: Context): void {
  try {
    rememberAdHoc(settings, entry);
  } catch (error) {
    log.debug("cannot remember the server", { error: asBridgeError(error).message });
  }
}

function readFile(path: string): string | undefined {
  try {
    return fs().readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function settingsOf({ entry, storeKey }: DropIn, { paths, env }: Context): ServerSettings {
  try {
    const settings = adHocSettings(entry, paths());
    if (!mayUseOAuth(settings)) return settings;
    return { ...settings, foreignToken: foreignTokenOf(storeKey, entry.url, env, Date.now()) };
  } catch (error) {
    if (error instanceof ConfigProblem) throw new BridgeError("configuration", error.message);
    throw error;
  }
}

/** Makes the chain try this transport first, whatever an earlier run has found. */
function preferTransport(cache: ServerCache, transport: DropIn["transport"]): void {
  if (transport === undefined) return;
  const isSse = cache.get(transportKey) === "sse";
  if (transport === "sse" && !isSse) cache.set(transportKey, "sse");
  if (transport === "http" && isSse) cache.set(transportKey, undefined);
}
