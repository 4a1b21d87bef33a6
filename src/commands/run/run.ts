import { type Context, defineCommand, serversArgument } from "../../cli/command.ts";
import { requireNamedVariables } from "../../config/requirements.ts";
import type { ServerSettings } from "../../config/settings.ts";
import {
  type KnownServer,
  readValidated,
  readValidatedFast,
  rememberValidated,
} from "../../config/validated-cache.ts";
import { cacheFile } from "../../platform/paths.ts";
import { rememberLogFile, ServerCache } from "../../platform/server-cache.ts";
import { openStdio } from "../../platform/stdio.ts";
import { type Answered, serve } from "../../relay/serve.ts";
import { ServerLimits } from "../../relay/server-limits.ts";
import type { Ask, ClientFacts } from "../../upstream/core/types.ts";
import { openServer } from "../../upstream/open-server.ts";
import type { SignInMode } from "../../upstream/sign-in/sign-in.ts";
import type { OnFailure } from "../../upstream/stand-in/start-guard.ts";
import { BridgeError } from "../../wire/errors.ts";
import { commandLineTo } from "../../wire/program-facts.ts";
import type { Opened, Restart } from "./failed-start.ts";
import type { Recording } from "./recording.ts";

/** Core dumps are forbidden this long after the start, if no first answer came before. */
const forbidDumpsAfterMs = 1000;

/** Longest wait of the exit for a token refresh under way. */
const refreshGraceMs = 5000;

/** The result of the early answer, which ran before this module was loaded. */
export interface EarlyAnswer {
  /** The server; undefined if the fast check of its files was not sufficient. */
  readonly known: KnownServer | undefined;
  /** The answer to the client's initialize; absent if the early answer wrote none. */
  readonly answered?: Answered;
}

/** `--sign-in`, without its description. */
export const signInArgument = {
  type: "enum",
  options: ["elicit", "browser", "never"],
} as const;

/** `--on-failure`. */
export const onFailureArgument = {
  type: "enum",
  options: ["error", "tool", "auto"],
  description:
    "what the client gets if the start fails: error, a tool that says why, or auto: as its user sees it (default)",
} as const;

/** `--record`. */
export const recordArgument = {
  type: "string",
  valueHint: "FILE",
  description: "write all messages and HTTP exchanges to this file, for replay and bug reports",
} as const;

/** Begins the record of `--record`; undefined without one. Throws `configuration` if the file cannot be written. */
export async function openRecord(
  path: string | undefined,
  context: Context,
): Promise<Recording | undefined> {
  return path === undefined
    ? undefined
    : (await import("./recording.ts")).openRecording(path, context);
}

/** The command `run`. `early` is undefined if the early answer did not run. */
export function commandAfter(early: EarlyAnswer | undefined) {
  /** How a failed start is made once more; undefined while the command line may be wrong. */
  let restart: Restart | undefined;
  let onFailure: OnFailure | undefined;
  return defineCommand({
    args: {
      server: serversArgument,
      all: { type: "boolean", description: "serve all configured servers as one" },
      "no-cache": {
        type: "boolean",
        description: "neither read nor write the cache",
      },
      record: recordArgument,
      demo: { type: "boolean", description: "serve a built-in server for a first try" },
      "sign-in": {
        ...signInArgument,
        description:
          "how a call signs in: elicit asks in the client (default), browser opens a browser, never does neither",
      },
      "on-failure": onFailureArgument,
    },
    async run(
      { server: names, all, demo, record, "sign-in": mode, "no-cache": noCache, ...more },
      context,
    ) {
      onFailure = more["on-failure"] ?? "auto";
      const [server] = names;
      if (demo && server !== undefined)
        throw new BridgeError("usage", "--demo and --server exclude each other");
      if (all && (demo || server !== undefined))
        throw new BridgeError(
          "usage",
          `--all and --${demo ? "demo" : "server"} exclude each other`,
        );
      if (all || names.length > 1) {
        const { reopenCombined, serveCombined } = await import("./run-combined.ts");
        const start = { names, noCache, signIn: mode ?? "elicit" };
        restart = { name: "", open: (...client) => reopenCombined(start, context, ...client) };
        const recording = await openRecord(record, context);
        const onFirstAnswer = forbidDumps(context);
        return serveCombined(start, { recording, onFirstAnswer }, context);
      }
      const start = { onFailure, signIn: mode ?? "elicit" };
      if (demo) {
        const { serveDemo } = await import("./run-demo.ts");
        return serveDemo((known) => bridge({ ...known, ...start }, context), context);
      }
      // The child of `test` answers from the server, and saves the catalog for Codex's next start.
      const isTest = context.env.CODEX_MCP_BRIDGE_TEST !== undefined;
      const choices = { ...start, mayAnswer: !noCache && !isTest, waitsForStart: !isTest };
      restart = {
        name: server ?? "",
        async open(client, ask) {
          const again = await knownServer(server, { noCache, mayCheckFast: false }, context);
          await requireNamedVariables(again.settings, context.env);
          return openOne({ ...again, ...choices }, context, client, ask);
        },
      };
      const { known, answered } = early ?? {};
      const mayCheckFast = early === undefined && !noCache;
      const found = known ?? knownServer(server, { noCache, mayCheckFast }, context);
      // The client's first message is read while the files are looked at.
      openStdio();
      const { settings, cache } = await found;
      const recording = record === undefined ? undefined : await openRecord(record, context);
      await recording?.knowSecretsOf([settings]);
      // After an early answer, a missing variable is reported to the client's first call.
      if (answered === undefined) await requireNamedVariables(settings, context.env);
      return bridge({ settings, cache, ...choices, answered, recording }, context);
    },
    async refuse(error, commandLine, words) {
      const { onFailureIn, serveFailedStart } = await import("./failed-start.ts");
      onFailure ??= onFailureIn(words);
      const { answered } = early ?? {};
      return serveFailedStart({ error, restart, onFailure, commandLine, answered });
    },
  });
}

/** The server's settings and cache. The configuration is validated unless an earlier run validated an identical text. */
async function knownServer(
  name: string | undefined,
  { noCache, mayCheckFast }: { noCache: boolean; mayCheckFast: boolean },
  { paths, log }: Context,
): Promise<KnownServer> {
  if (!noCache && name !== undefined) {
    const quick = mayCheckFast ? await readValidatedFast(paths(), name, log) : undefined;
    const known = quick ?? readValidated(paths(), name, log);
    if (known !== undefined) return known;
  }
  const { holdsSecret, loadConfig, pickServer, readConfig } = await import("../../config/load.ts");
  const cacheOf = ({ state, url }: ServerSettings) =>
    new ServerCache(noCache ? undefined : cacheFile(state), url, log);
  const readable = await readConfig(paths());
  if (name !== undefined && readable?.servers.has(name) !== true) {
    const { adHocNamed } = await import("../../config/ad-hoc.ts");
    const settings = adHocNamed(paths(), name);
    if (settings !== undefined) return { settings, cache: cacheOf(settings) };
  }
  const config = readable ?? (await loadConfig(paths()));
  const settings = pickServer(config, name, { hasAll: true });
  const cache = cacheOf(settings);
  rememberValidated(config, holdsSecret(config.raw), cache);
  return { settings, cache };
}

/** A server, and how it is served. */
interface Start extends KnownServer {
  readonly signIn: SignInMode;
  readonly onFailure: OnFailure;
  /** Whether requests may be answered from the catalog. */
  readonly mayAnswer?: boolean;
  /** Whether the start waits for a server that is unreachable, as long as a start may take. */
  readonly waitsForStart?: boolean;
  readonly answered?: Answered | undefined;
  readonly recording?: Recording | undefined;
  /** How long a sign-in may take; undefined: ten minutes. */
  readonly signInWaitMs?: number | undefined;
  /** Called after the first answer was written. */
  readonly onFirstAnswer?: () => void;
}

const contextOf = ({ settings }: Start, context: Context): Context => ({
  ...context,
  commandLine: commandLineTo(settings, context.commandLine),
});

/** Composes the server's chain. */
export function openOne(start: Start, given: Context, client: ClientFacts, ask: Ask): Opened {
  const context = contextOf(start, given);
  const { settings, cache, answered, mayAnswer = false, waitsForStart = false } = start;
  const { signIn, signInWaitMs, onFailure } = start;
  const how = { mayAnswer, waitsForStart, earlyAnswer: answered?.page, signIn, signInWaitMs };
  rememberLogFile(cache, context.logFile);
  const recordHttp = start.recording?.recordHttp;
  const shared = { ...context, cache, client, ask, recordHttp };
  const server = openServer(settings, { ...shared, ...how, onFailure });
  return {
    upstream: new ServerLimits(server.upstream),
    async finish() {
      cache.flush();
      // The new refresh token must be stored before the process exits, or the sign-in is lost.
      await Promise.race([server.settled(), Bun.sleep(refreshGraceMs)]);
    },
  };
}

/** Serves one client with one server. */
export async function bridge(start: Start, context: Context): Promise<number> {
  const { log, redactor, commandLine } = contextOf(start, context);
  const { settings, answered, recording, onFirstAnswer } = start;
  let opened: Opened | undefined;
  const forbidNow = forbidDumps(context);
  const code = await serve({
    name: settings.name,
    connect(client, ask) {
      opened = openOne(start, context, client, ask);
      return opened.upstream;
    },
    stdio: recording?.stdio ?? openStdio(),
    log,
    redactor,
    commandLine,
    answered,
    onFirstAnswer() {
      forbidNow();
      onFirstAnswer?.();
    },
    limit: settings.limits.messageBytes,
    timeoutMs: settings.timeoutMs,
  });
  await opened?.finish();
  return code;
}

/** Forbids core dumps after a while, or when the returned function is called. */
function forbidDumps({ log }: Context): () => void {
  const forbid = async () => (await import("../../platform/core-dumps.ts")).forbidCoreDumps(log);
  // After an early answer the client may send no further request, so that nothing calls it.
  setTimeout(forbid, forbidDumpsAfterMs).unref();
  return forbid;
}
