import { type Context, defineCommand, serverArgument } from "../../cli/command.ts";
import { requireNamedVariables } from "../../config/requirements.ts";
import {
  type KnownServer,
  readValidated,
  readValidatedFast,
  rememberValidated,
} from "../../config/validated-cache.ts";
import { createLog } from "../../platform/log.ts";
import { cacheFile } from "../../platform/paths.ts";
import { Redactor } from "../../platform/redact.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import { openStdio } from "../../platform/stdio.ts";
import { type Answered, failedUpstream, serve } from "../../relay/serve.ts";
import { openServer, type Server } from "../../upstream/open-server.ts";
import type { SignInMode } from "../../upstream/sign-in/sign-in.ts";
import { BridgeError, type CommandLine } from "../../wire/errors.ts";

/** Bounds of a start that found no server. */
const defaults = { limit: 64 * 1024 * 1024, timeoutMs: 118_000 };

/** A start is over by then, whatever the client asks. */
const quietStartMs = 1000;

/** How long the exit waits for a token that is being renewed. */
const refreshGraceMs = 5000;

/** What the early answer found and did before this module was loaded. */
export interface EarlyAnswer {
  /** The server; undefined where the quick check of its files was not enough. */
  readonly known: KnownServer | undefined;
  /** The client's initialize and its answer, where it was given. */
  readonly answered?: Answered;
}

/** The command `run`; `early` is undefined where there was no early answer. */
export function commandAfter(early: EarlyAnswer | undefined) {
  return defineCommand({
    args: {
      server: serverArgument,
      "no-cache": {
        type: "boolean",
        description: "ignore what earlier runs remembered, and remember nothing",
      },
      demo: { type: "boolean", description: "serve a built-in server for a first try" },
      "sign-in": {
        type: "enum",
        options: ["elicit", "browser", "never"],
        description:
          "how a call signs in: by a prompt of the client (default), by a browser, or not at all",
      },
    },
    async run({ server, demo, "sign-in": mode, "no-cache": isForgetful }, context) {
      if (demo && server !== undefined)
        throw new BridgeError("usage", "--demo and --server exclude each other");
      if (demo) return (await import("./run-demo.ts")).serveDemo(bridge, context);
      const { known, answered } = early ?? {};
      const mayLook = early === undefined && !isForgetful;
      const found = known ?? knownServer(server, { isForgetful, mayLook }, context);
      // The client's first message is read while the files are looked at.
      openStdio();
      const { settings, cache } = await found;
      // A client that has its answer learns of a missing variable when it calls.
      if (answered === undefined) requireNamedVariables(settings, context.env);
      // The child of `test` asks the server itself, and leaves what it learns for Codex's start.
      const isTest = context.env.CODEX_MCP_BRIDGE_TEST !== undefined;
      const mayAnswer = !isForgetful && !isTest;
      const waitsForStart = !isTest;
      return bridge({ settings, cache, mayAnswer, waitsForStart, answered }, context, mode);
    },
    refuse: (error, commandLine) => refuse(error, commandLine, early?.answered),
  });
}

/** The server's settings and cache. The configuration is validated in full unless an earlier run validated this very text. */
async function knownServer(
  name: string | undefined,
  { isForgetful, mayLook }: { isForgetful: boolean; mayLook: boolean },
  { paths, log }: Context,
): Promise<KnownServer> {
  if (!isForgetful && name !== undefined) {
    const quick = mayLook ? await readValidatedFast(paths(), name, log) : undefined;
    const known = quick ?? readValidated(paths(), name, log);
    if (known !== undefined) return known;
  }
  const { holdsSecret, loadConfig, pickServer } = await import("../../config/load.ts");
  const config = await loadConfig(paths());
  const settings = pickServer(config, name);
  const file = isForgetful ? undefined : cacheFile(settings.state);
  const cache = new ServerCache(file, settings.url, log);
  rememberValidated(config, holdsSecret(config.raw), cache);
  return { settings, cache };
}

interface Start extends KnownServer {
  /** Whether the catalog may answer. */
  readonly mayAnswer?: boolean;
  /** Whether a server that is not there yet is waited for as long as a start may take. */
  readonly waitsForStart?: boolean;
  readonly answered?: Answered | undefined;
}

async function bridge(
  { settings, cache, mayAnswer = false, waitsForStart = false, answered }: Start,
  context: Context,
  signIn: SignInMode = "elicit",
): Promise<number> {
  const { log, redactor, commandLine } = context;
  let server: Server | undefined;
  const forbidDumps = async () =>
    (await import("../../platform/core-dumps.ts")).forbidCoreDumps(log);
  // A client may have its answer already, and ask for nothing more.
  setTimeout(forbidDumps, quietStartMs).unref();
  const code = await serve({
    name: settings.name,
    connect(client, ask) {
      const start = { mayAnswer, waitsForStart, earlyAnswer: answered?.page };
      server = openServer(settings, { ...context, cache, client, ask, ...start, signIn });
      return server.upstream;
    },
    stdio: openStdio(),
    log,
    redactor,
    commandLine,
    answered,
    onFirstAnswer: forbidDumps,
    limit: settings.limits.messageBytes,
    timeoutMs: settings.timeoutMs,
  });
  cache.flush();
  // A renewal under way must be stored before the process ends, or the sign-in is lost.
  await Promise.race([server?.settled(), Bun.sleep(refreshGraceMs)]);
  return code;
}

/**
 * Answers the client with the error of a failed start: Codex shows the answer to initialize, while an early exit shows only
 * "connection closed". On a terminal it resolves to undefined, and the error is printed as for any other command.
 */
async function refuse(
  error: BridgeError,
  commandLine: CommandLine,
  answered: Answered | undefined,
): Promise<number | undefined> {
  const { isatty } = await import("node:tty");
  if (isatty(0)) return undefined;
  const redactor = new Redactor();
  // Level error: every request fails with the same error, which would fill the log.
  const log = createLog({ level: "error", format: "text", redactor });
  log.error("start refused", { error: error.message, hint: error.hintText(commandLine) });
  const code = await serve({
    name: "",
    connect: () => failedUpstream(error),
    stdio: openStdio(),
    log,
    redactor,
    commandLine,
    answered,
    ...defaults,
  });
  return code > 128 ? code : error.exitCode;
}
