// Runs several servers as one MCP server.
import type { Context } from "../../cli/command.ts";
import {
  missingRequirements,
  requireEnabled,
  requireNamedVariables,
} from "../../config/requirements.ts";
import {
  type KnownServer,
  readAllValidated,
  rememberValidated,
} from "../../config/validated-cache.ts";
import { cacheFile } from "../../platform/paths.ts";
import { rememberLogFile, ServerCache } from "../../platform/server-cache.ts";
import { openStdio } from "../../platform/stdio.ts";
import { CombinedUpstream } from "../../relay/combined/combined.ts";
import type { CombinedServer } from "../../relay/combined/member.ts";
import { namedAsk } from "../../relay/combined/server-requests.ts";
import { serve } from "../../relay/serve.ts";
import { ServerLimits } from "../../relay/server-limits.ts";
import { usualTimes } from "../../upstream/catalog/catalog.ts";
import { type Ask, type ClientFacts, isCodex } from "../../upstream/core/types.ts";
import { LazyUpstream } from "../../upstream/lazy.ts";
import { openServer } from "../../upstream/open-server.ts";
import type { SignInMode } from "../../upstream/sign-in/sign-in.ts";
import { problemsFor } from "../../upstream/stand-in/problem-tool.ts";
import { ReadBudget } from "../../upstream/transport/read-budget.ts";
import type { Message } from "../../wire/message.ts";
import type { Opened } from "./failed-start.ts";
import type { Recording } from "./recording.ts";

interface CombinedStart {
  /** Names of the servers; empty for all of them. */
  readonly names: readonly string[];
  readonly signIn: SignInMode;
  readonly noCache: boolean;
}

/** How the first start of a run is served. */
interface Serving {
  readonly recording: Recording | undefined;
  /** Called after the first answer, and after a while without one. */
  readonly onFirstAnswer: () => void;
}

/** Longest wait of the exit for token refreshes under way. */
const refreshGraceMs = 5000;

interface OpenedMember {
  readonly combined: CombinedServer;
  flush(): void;
  settled(): Promise<void>;
}

/** Serves the chosen servers to one client as one server. Resolves to the exit code. */
export async function serveCombined(
  start: CombinedStart,
  { recording, onFirstAnswer }: Serving,
  context: Context,
): Promise<number> {
  const { log, redactor, commandLine } = context;
  // The client's first message is read while the files are looked at.
  const stdio = recording?.stdio ?? openStdio();
  const servers = await knownServers(start, context);
  await recording?.knowSecretsOf(servers.map(({ settings }) => settings));
  const limit = Math.max(...servers.map(({ settings }) => settings.limits.messageBytes));
  const deadlines = new Set(servers.map(({ settings }) => settings.timeoutMs));
  let opened: ReturnType<typeof openAll> | undefined;
  const code = await serve({
    name: "",
    connect(client, ask) {
      opened = openAll(servers, { client, ask, recording, start, context });
      return opened.upstream;
    },
    ...{ stdio, log, redactor, commandLine, limit },
    onFirstAnswer,
    timeoutMs: Math.max(...deadlines),
    ...(deadlines.size > 1 && {
      timeoutOf: (message: Message) => opened!.upstream.timeoutOf(message),
    }),
  });
  await opened?.finish();
  return code;
}

/** Opens the chosen servers for a client whose run has failed to start before. */
export async function reopenCombined(
  start: CombinedStart,
  context: Context,
  client: ClientFacts,
  ask: Ask,
): Promise<Opened> {
  const servers = await knownServers(start, context);
  return openAll(servers, { client, ask, recording: undefined, start, context });
}

function openAll(
  servers: readonly KnownServer[],
  options: Omit<OpenOptions, "budget" | "nextCall">,
) {
  const { client, context } = options;
  const { log, redactor, commandLine } = context;
  const budget = new ReadBudget();
  let calls = 0;
  const shared = { ...options, budget, nextCall: () => ++calls };
  const members = servers.map((server) => open(server, shared));
  const upstream = new CombinedUpstream({
    servers: members.map((member) => member.combined),
    ...{ client, log, commandLine },
    now: () => performance.now(),
    startedAt: 0,
    problems: problemsFor(client, redactor, commandLine),
  });
  return {
    upstream,
    async finish() {
      for (const member of members) member.flush();
      // New refresh tokens must be stored before the process exits, or the sign-ins are lost.
      const settled = Promise.all(members.map((member) => member.settled()));
      await Promise.race([settled, Bun.sleep(refreshGraceMs)]);
    },
  };
}

/** The servers of the run, each once, in the order given; without names all that the configuration holds. */
async function knownServers(
  { names, noCache }: CombinedStart,
  { paths, log }: Context,
): Promise<readonly KnownServer[]> {
  const known = noCache ? undefined : readAllValidated(paths(), names, log);
  if (known !== undefined) return known;
  const { holdsSecret, loadConfig, pickServers } = await import("../../config/load.ts");
  const config = await loadConfig(paths());
  const chosen = pickServers(config, names);
  for (const server of chosen) requireEnabled(server);
  return chosen.map((settings) => {
    const file = noCache ? undefined : cacheFile(settings.state);
    const cache = new ServerCache(file, settings.url, log);
    rememberValidated(config, holdsSecret(config.raw), cache);
    return { settings, cache };
  });
}

interface OpenOptions {
  readonly client: ClientFacts;
  readonly ask: Ask;
  readonly budget: ReadBudget;
  readonly nextCall: () => number;
  readonly recording: Recording | undefined;
  readonly start: CombinedStart;
  readonly context: Context;
}

function open({ settings, cache }: KnownServer, options: OpenOptions): OpenedMember {
  const { client, ask, budget, nextCall, recording, start, context } = options;
  const { noCache, signIn } = start;
  const isTest = context.env.CODEX_MCP_BRIDGE_TEST !== undefined;
  rememberLogFile(cache, context.logFile);
  const facts = clientOf(client);
  const { name, timeoutMs, connectTimeoutMs, limits } = settings;
  const server = openServer(settings, {
    ...{ ...context, cache, budget, nextCall, signIn },
    client: facts,
    ask: namedAsk(name, ask),
    recordHttp: recording?.recordHttp,
    mayAnswer: !noCache && !isTest,
    waitsForStart: !isTest,
    answersDiscovery: true,
    catalogTimes: timesFor(client),
    // The combined run has a tool of its own for a server that is away.
    onFailure: "error",
  });
  let { upstream } = server;
  // A missing variable keeps this one server away.
  if (missingRequirements(settings, context.env).length > 0)
    upstream = new LazyUpstream(async () => {
      await requireNamedVariables(settings, context.env);
      return server.upstream;
    });
  return {
    combined: {
      ...{ name, timeoutMs, connectTimeoutMs, client: facts },
      upstream: new ServerLimits(upstream),
      messageBytes: limits.messageBytes,
      audit: server.audit,
    },
    flush: () => cache.flush(),
    settled: () => server.settled(),
  };
}

/** How long the connecting waits for the client's lists, which the catalogs answer. */
const listsFirstMs = 100;

/**
 * A list of many servers does not wait for the slowest of them: the catalogs answer at once, and changes follow by
 * list_changed. Codex ignores that, so its lists wait for the servers as they do in a run of one.
 */
function timesFor(client: ClientFacts): typeof usualTimes {
  return {
    ...usualTimes,
    get listsFirstMs() {
      return isCodex(client) ? 0 : listsFirstMs;
    },
  };
}

/** The client as one server knows it: only the revision is this server's own. */
function clientOf(client: ClientFacts): ClientFacts {
  return {
    get name() {
      return client.name;
    },
    get capabilities() {
      return client.capabilities;
    },
    protocolVersion: "",
  };
}
