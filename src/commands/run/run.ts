import { type Context, defineCommand, serversArgument } from "../../cli/command.ts";
import { requireNamedVariables } from "../../config/requirements.ts";
import type { ServerSettings } from "../../config/settings.ts";
import {
  type KnownServer,
  readValidated,
  readValidatedFast,
  rememberValidated,
} from "../../config/validated-cache.ts";
import { createLog } from "../../platform/log.ts";
import { cacheFile } from "../../platform/paths.ts";
import { Redactor } from "../../platform/redact.ts";
import { runId } from "../../platform/run-id.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import { openStdio } from "../../platform/stdio.ts";
import { type Answered, failedUpstream, serve } from "../../relay/serve.ts";
import { ServerLimits } from "../../relay/server-limits.ts";
import { openServer, type Server } from "../../upstream/open-server.ts";
import type { SignInMode } from "../../upstream/sign-in/sign-in.ts";
import { BridgeError, type CommandLine } from "../../wire/errors.ts";

/** Limits for the error answers after a failed start, when no server's settings are known. Size in bytes. */
const failedStartLimits = { limit: 64 * 1024 * 1024, timeoutMs: 118_000 };

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

/** The command `run`. `early` is undefined if the early answer did not run. */
export function commandAfter(early: EarlyAnswer | undefined) {
  return defineCommand({
    args: {
      server: serversArgument,
      all: { type: "boolean", description: "serve all configured servers as one" },
      "no-cache": {
        type: "boolean",
        description: "neither read nor write the cache",
      },
      demo: { type: "boolean", description: "serve a built-in server for a first try" },
      "sign-in": {
        ...signInArgument,
        description:
          "how a call signs in: elicit asks in the client (default), browser opens a browser, never does neither",
      },
    },
    async run({ server: names, all, demo, "sign-in": mode, "no-cache": noCache }, context) {
      const [server] = names;
      if (demo && server !== undefined)
        throw new BridgeError("usage", "--demo and --server exclude each other");
      if (all && (demo || server !== undefined))
        throw new BridgeError(
          "usage",
          `--all and --${demo ? "demo" : "server"} exclude each other`,
        );
      if (all || names.length > 1) {
        const { serveCombined } = await import("./run-combined.ts");
        const start = { names, noCache, signIn: mode ?? "elicit" };
        return serveCombined({ ...start, onFirstAnswer: forbidDumps(context) }, context);
      }
      if (demo) return (await import("./run-demo.ts")).serveDemo(bridge, context);
      const { known, answered } = early ?? {};
      const mayCheckFast = early === undefined && !noCache;
      const found = known ?? knownServer(server, { noCache, mayCheckFast }, context);
      // The client's first message is read while the files are looked at.
      openStdio();
      const { settings, cache } = await found;
      // After an early answer, a missing variable is reported to the client's first call.
      if (answered === undefined) requireNamedVariables(settings, context.env);
      // The child of `test` answers from the server, and saves the catalog for Codex's next start.
      const isTest = context.env.CODEX_MCP_BRIDGE_TEST !== undefined;
      const mayAnswer = !noCache && !isTest;
      const waitsForStart = !isTest;
      return bridge({ settings, cache, mayAnswer, waitsForStart, answered }, context, mode);
    },
    refuse: (error, commandLine) => refuse(error, commandLine, early?.answered),
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
  const settings = pickServer(config, name);
  const cache = cacheOf(settings);
  rememberValidated(config, holdsSecret(config.raw), cache);
  return { settings, cache };
}

interface Start extends KnownServer {
  /** Whether requests may be answered from the catalog. */
  readonly mayAnswer?: boolean;
  /** Whether the start waits for a server that is unreachable, as long as a start may take. */
  readonly waitsForStart?: boolean;
  readonly answered?: Answered | undefined;
  /** How long a sign-in may take; undefined: ten minutes. */
  readonly signInWaitMs?: number | undefined;
  /** Called after the first answer was written. */
  readonly onFirstAnswer?: () => void;
}

/** Serves one client with one server. */
export async function bridge(
  {
    settings,
    cache,
    mayAnswer = false,
    waitsForStart = false,
    answered,
    signInWaitMs,
    onFirstAnswer,
  }: Start,
  context: Context,
  signIn: SignInMode = "elicit",
): Promise<number> {
  const { log, redactor, commandLine } = context;
  let server: Server | undefined;
  const forbidNow = forbidDumps(context);
  const code = await serve({
    name: settings.name,
    connect(client, ask) {
      const start = { mayAnswer, waitsForStart, earlyAnswer: answered?.page, signInWaitMs };
      server = openServer(settings, { ...context, cache, client, ask, ...start, signIn });
      return new ServerLimits(server.upstream);
    },
    stdio: openStdio(),
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
  cache.flush();
  // The new refresh token must be stored before the process exits, or the sign-in is lost.
  await Promise.race([server?.settled(), Bun.sleep(refreshGraceMs)]);
  return code;
}

/** Forbids core dumps after a while, or when the returned function is called. */
function forbidDumps({ log }: Context): () => void {
  const forbid = async () => (await import("../../platform/core-dumps.ts")).forbidCoreDumps(log);
  // After an early answer the client may send no further request, so that nothing calls it.
  setTimeout(forbid, forbidDumpsAfterMs).unref();
  return forbid;
}

/**
 * Answers the client with the error of a failed start: Codex shows the answer to initialize, while an early exit shows only
 * "connection closed". On a terminal it resolves to undefined, so that main.ts prints the error.
 */
export async function refuse(
  error: BridgeError,
  commandLine: CommandLine,
  answered: Answered | undefined,
): Promise<number | undefined> {
  const { isatty } = await import("node:tty");
  if (isatty(0)) return undefined;
  const redactor = new Redactor();
  // Level error: each request fails with this error, and a warning for each would fill the log.
  const log = createLog({ level: "error", format: "text", redactor, run: runId() });
  log.error("start refused", { error: error.message, hint: error.hintText(commandLine) });
  const code = await serve({
    name: "",
    connect: () => failedUpstream(error),
    stdio: openStdio(),
    log,
    redactor,
    commandLine,
    answered,
    ...failedStartLimits,
  });
  return code > 128 ? code : error.exitCode;
}
