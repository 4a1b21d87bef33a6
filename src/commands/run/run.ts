import { type Context, defineCommand, serverArgument } from "../../cli/command.ts";
import { requireNamedVariables } from "../../config/requirements.ts";
import type { ServerSettings } from "../../config/settings.ts";
import {
  type KnownServer,
  readValidated,
  readValidatedFast,
  rememberValidated,
} from "../../config/validated-cache.ts";
import { RunSignIn } from "../../oauth/sign-in/run-sign-in.ts";
import { createLog } from "../../platform/log.ts";
import { cacheFile } from "../../platform/paths.ts";
import { Redactor } from "../../platform/redact.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import { openStdio } from "../../platform/stdio.ts";
import { type Answered, failedUpstream, serve } from "../../relay/serve.ts";
import { CatalogUpstream } from "../../upstream/catalog/catalog.ts";
import { catalogIdentity } from "../../upstream/catalog/identity.ts";
import { CatalogStore } from "../../upstream/catalog/store.ts";
import { LazyUpstream } from "../../upstream/lazy.ts";
import { type SignInMode, SignInUpstream } from "../../upstream/sign-in/sign-in.ts";
import { BridgeError, type CommandLine } from "../../wire/errors.ts";
import { earlyAnswerOf } from "./early/early-answer.ts";
import type { Server } from "./open-server.ts";

/** Bounds of a start that knows no server. */
const defaults = { limit: 64 * 1024 * 1024, timeoutMs: 118_000 };

/** How long the end waits for a token that is being renewed. */
const refreshGraceMs = 5000;

export const command = defineCommand({
  args: {
    server: serverArgument,
    "no-cache": {
      type: "boolean",
      description:
        "forget what earlier runs learned: the server is waited for, nothing is remembered",
    },
    demo: { type: "boolean", description: "serve a built-in server for a first try" },
    "sign-in": {
      type: "enum",
      options: ["elicit", "browser", "never"],
      description:
        "how a call that needs a sign-in gets it: the client's prompt (default), a browser, not at all",
    },
  },
  async run({ server, demo, "sign-in": mode, "no-cache": isForgetful }, context) {
    if (demo && server !== undefined)
      throw new BridgeError("usage", "--demo and --server exclude each other");
    if (demo) return (await import("./run-demo.ts")).serveDemo(bridge, context);
    const { known, answered } = earlyAnswerOf() ?? {};
    const found = known ?? knownServer(server, isForgetful, context);
    // What the client says first comes while the files are looked at.
    openStdio();
    const { settings, cache } = await found;
    // Who has its answer learns of what is missing by now when it calls.
    if (answered === undefined) requireNamedVariables(settings, context.env);
    // The child of `test` asks the server itself, and leaves what it learns for Codex's start.
    const isTest = context.env.CODEX_MCP_BRIDGE_TEST !== undefined;
    const mayAnswer = !isForgetful && !isTest;
    return bridge({ settings, cache, mayAnswer, answered }, context, mode);
  },
  refuse,
});

/** The server's settings and what is remembered of it; its configuration is checked where no earlier run did. */
async function knownServer(
  name: string | undefined,
  isForgetful: boolean,
  { paths, log }: Context,
): Promise<KnownServer> {
  if (!isForgetful && name !== undefined) {
    const hasLooked = earlyAnswerOf() !== undefined;
    const quick = hasLooked ? undefined : await readValidatedFast(paths(), name, log);
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
  readonly answered?: Answered | undefined;
}

async function bridge(
  { settings, cache, mayAnswer = false, answered }: Start,
  context: Context,
  mode: SignInMode = "elicit",
): Promise<number> {
  const { env, log, redactor } = context;
  const { name, url, credential } = settings;
  const mayNeedSignIn = credential.type === "unset" || credential.type === "oauth";
  let server: Promise<Server> | undefined;
  const code = await serve({
    connect(client, ask) {
      // A client that the catalog answers has its answer before the rooms behind are even loaded.
      const open = () => {
        server ??= import("./open-server.ts").then(({ openServer }) =>
          openServer({ settings, cache, context, client, ask, reloaded }),
        );
        return server;
      };
      let current = settings;
      const reloaded = (fresh: ServerSettings) => {
        current = fresh;
        next.doubt();
      };
      const next = new CatalogUpstream({
        next: new LazyUpstream(async () => (await open()).upstream),
        store: new CatalogStore(cache, () => catalogIdentity(current, env), Date.now),
        log,
        name,
        timeoutMs: settings.timeoutMs,
        mayAnswer,
        said: answered?.said,
      });
      if (!mayNeedSignIn) return next;
      const oauth = async () => (await open()).authorizer.oauth();
      const login = context.commandLine(`login --server ${name}`);
      const signIns = new RunSignIn(oauth, { opensBrowser: mode === "browser" });
      return new SignInUpstream({ next, ask, client, name, host: url.host, login, signIns, mode });
    },
    stdio: openStdio(),
    log,
    redactor,
    commandLine: context.commandLine,
    answered,
    limit: settings.limits.messageBytes,
    timeoutMs: settings.timeoutMs,
  });
  cache.flush();
  // A client that leaves in the middle of a renewal must not cost the sign-in.
  const open = await server?.catch(() => undefined);
  await Promise.race([open?.authorizer.settled(), Bun.sleep(refreshGraceMs)]);
  return code;
}

/**
 * Tells the client of a start that went wrong: Codex shows the answer to initialize, while an early exit
 * shows only "connection closed". On a terminal it resolves to undefined, and
 * the error is printed as for any other command.
 */
async function refuse(error: BridgeError, commandLine: CommandLine): Promise<number | undefined> {
  const { isatty } = await import("node:tty");
  if (isatty(0)) return undefined;
  const redactor = new Redactor();
  // Errors only: each call that fails by this one would repeat it.
  const log = createLog({ level: "error", format: "text", redactor });
  log.error("start refused", { error: error.message, hint: error.hintText(commandLine) });
  const code = await serve({
    connect: () => failedUpstream(error),
    stdio: openStdio(),
    log,
    redactor,
    commandLine,
    answered: earlyAnswerOf()?.answered,
    ...defaults,
  });
  return code > 128 ? code : error.exitCode;
}
