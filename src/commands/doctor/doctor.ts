import { statSync } from "node:fs";
import { userInfo } from "node:os";
import { type Context, defineCommand, serverArgument } from "../../cli/command.ts";
import { adHocServers, findServer } from "../../config/ad-hoc.ts";
import { codexEnvironment } from "../../config/codex-environment.ts";
import { enabledServers, loadConfig, readConfig } from "../../config/load.ts";
import { requireNamedVariables } from "../../config/requirements.ts";
import { rulesOf } from "../../config/rules-of.ts";
import { shownServerUrl } from "../../config/server-url.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { openHttp } from "../../http/open-http.ts";
import { ChosenAuthorizer } from "../../oauth/authorizer/select.ts";
import { mayUseOAuth } from "../../oauth/store/grant-owner.ts";
import { knowSecrets } from "../../oauth/store/known-secrets.ts";
import { openKeyring } from "../../platform/keyring.ts";
import { createLog } from "../../platform/log.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import { waitingTools } from "../../upstream/tools/waiting.ts";
import { asBridgeError, type BridgeError } from "../../wire/errors.ts";
import { commandLineTo } from "../../wire/program-facts.ts";
import { cleanText, nameWithCodePoints } from "../../wire/text.ts";
import { sourcesOf } from "../auth/credential-source.ts";
import { signInLine, signInOf } from "../auth/status-sign-in.ts";
import type { RunChild } from "../test/mcp-child.ts";
import { withServerChild } from "../test/server-child.ts";
import { type FirstAnswer, FirstRequest } from "./first-request.ts";
import { walkHttp } from "./http-steps.ts";
import {
  clientsFinding,
  copiesFinding,
  requirePassedVariables,
  type StartingEntry,
  startingEntries,
} from "./machine-steps.ts";
import { Child, StreamWatch, walkMcp } from "./mcp-steps.ts";
import { walkNetwork } from "./network-steps.ts";
import { expiryText, tokenFacts } from "./token-facts.ts";
import { type Finding, type Step, stepJson, Walk, WalkEnded } from "./walk.ts";

export const command = defineCommand({
  args: {
    name: { type: "positional", description: "the server's name in the configuration, or its URL" },
    server: serverArgument,
    json: { type: "boolean", description: "print JSON" },
  },
  async run({ name, server, json }, context) {
    const reportTo = (settings?: ServerSettings) =>
      json ? async () => undefined : printStep(context, settings);
    let unreadable: BridgeError | undefined;
    const entries = await startingEntries(context).catch((error): StartingEntry[] => {
      unreadable = asBridgeError(error);
      return [];
    });
    const chosen = name ?? server;
    const walks: { readonly settings?: ServerSettings; readonly walk: Walk }[] = [];
    let servers: readonly ServerSettings[] = [];
    try {
      servers =
        chosen === undefined
          ? enabledServers(await loadConfig(context.paths()))
          : [await findServer(context.paths(), chosen)];
    } catch (error) {
      const walk = new Walk(reportTo());
      walks.push({ walk });
      await ended(walk.step("configuration", () => Promise.reject(error)));
      if (!json) await context.print("\n");
    }
    for (const settings of servers) {
      if (!json) await context.print(`${settings.name}  ${cleanText(shownServerUrl(settings))}\n`);
      const walk = new Walk(reportTo(settings));
      walks.push({ settings, walk });
      await ended(walkServer(walk, settings, entries, context));
      if (!json) await context.print(notTriedLine(walk));
    }
    if (!json) await context.print("this machine\n");
    const clients = async () => {
      if (unreadable !== undefined) throw unreadable;
      const config = await readConfig(context.paths()).catch(() => undefined);
      const adHoc = adHocServers(context.paths()).map((each) => each.name);
      return clientsFinding(entries, [...(config?.servers.keys() ?? []), ...adHoc], context);
    };
    const machine = [new Walk(reportTo()), new Walk(reportTo())] as const;
    await ended(machine[0].step("clients", clients));
    await ended(machine[1].step("other copies", () => copiesFinding(context)));
    const machineSteps = machine.flatMap(({ steps }) => steps);
    if (json) {
      const whole = {
        servers: walks.map((each) => jsonOf(each, context)),
        machine: machineSteps.map((step) => stepJson(step, context.commandLine)),
      };
      const safe = (_: string, value: unknown) =>
        typeof value === "string" ? context.redactor.redact(value) : value;
      await context.print(`${JSON.stringify(whole, safe, 2)}\n`);
    }
    const steps = [...walks.flatMap(({ walk }) => walk.steps), ...machineSteps];
    return steps.find(({ error }) => error !== undefined)?.error?.exitCode ?? 0;
  },
});

/** Waits for a walk; its failure is in its steps. */
async function ended(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof WalkEnded)) throw error;
  }
}

/** Walks every step between here and one server's tools. */
async function walkServer(
  walk: Walk,
  settings: ServerSettings,
  entries: readonly StartingEntry[],
  context: Context,
): Promise<void> {
  const { redactor, commandLine, paths } = context;
  const { name, url, state } = settings;
  const env = codexEnvironment(context.env, settings);
  const stream = new StreamWatch();
  const log = createLog({ level: "error", format: "text", redactor });
  const cache = new ServerCache(cacheFile(state), url, log);
  let reach!: ReturnType<typeof openHttp>;
  await walk.step("configuration", async () => {
    await requireNamedVariables(settings, env);
    requirePassedVariables(settings, entries);
    reach = openHttp(settings, { env, log, cache });
    // Reads the files of "network".
    if (url.protocol === "https:") await reach.certificates.options();
    const rules = rulesOf(settings).map(({ rule, from }) => `; ${rule} (${from})`);
    const place = fileFacts(settings.adHoc === undefined ? paths().configFile : state.root);
    return { detail: `${place}${rules.join("")}` };
  });
  const { http, certificates } = reach;
  const login = commandLine(`login --server ${name}`);
  const authorizer = new ChosenAuthorizer(settings, {
    ...{ http, env, log, redactor, login },
    reload: async () => settings,
  });
  const first = new FirstRequest(settings, http, authorizer);
  const over = Promise.withResolvers<void>();
  let running: Promise<void> | undefined;
  const child = new Child(() => {
    const started = Promise.withResolvers<RunChild>();
    const watch = { logged: (line: string) => stream.take(line) };
    running = withServerChild(settings, context, watch, (process) => {
      started.resolve(process);
      return over.promise;
    });
    running.catch(started.reject);
    return started.promise;
  });
  const know = () => knowSecrets(settings, { ...context, keyring: openKeyring });
  try {
    await know();
    await walk.step("credential", () => credentialFinding(settings, authorizer, context));
    await walkNetwork(walk, { settings, env, certificates, request: () => first.outcome() });
    const initialized = () => child.initialized();
    await walkHttp(walk, { settings, http, authorizer, first, log, redactor, initialized });
    // A token may have been renewed.
    await know();
    await walkMcp(walk, child, stream, {
      first: (await first.outcome()) as FirstAnswer,
      keepsCookies: settings.cookies,
      withheld: () => withheldLines(settings, context),
    });
  } finally {
    over.resolve();
    await running;
  }
}

/** What `pin` withholds, as warnings; read from the cache, which the child has just filled. */
function withheldLines(settings: ServerSettings, { log, commandLine }: Context): string[] {
  const { name, state, url } = settings;
  const waiting = waitingTools(settings, new ServerCache(cacheFile(state), url, log));
  if (waiting?.problem !== undefined) return [waiting.problem];
  const tools = waiting?.tools ?? [];
  if (tools.length === 0) return [];
  const shown = tools.map(({ name: tool, why }) => `${nameWithCodePoints(tool)} (${why})`);
  return [`withheld until approved: ${shown.join(", ")}; run ${commandLine(`pin ${name}`)}`];
}

/** Path, mode and owner of a file. */
function fileFacts(path: string): string {
  const { mode, uid } = statSync(path);
  const octal = (mode & 0o7777).toString(8).padStart(4, "0");
  const self = userInfo().uid;
  const owner = uid === self ? "yours" : uid === 0 ? "root's" : `user ${uid}'s`;
  return self < 0 ? path : `${path}, mode ${octal}, ${owner}`;
}

async function credentialFinding(
  settings: ServerSettings,
  authorizer: ChosenAuthorizer,
  context: Context,
): Promise<Finding> {
  const { type } = settings.credential;
  const source = sourcesOf(settings, context.paths().configFile);
  if (mayUseOAuth(settings)) {
    // Throws where the keyring or the file cannot be read.
    if (type === "oauth") await (await authorizer.oauth()).store.read();
    const signIn = await signInOf(settings, context);
    if (type === "unset" && signIn.state === "signed-out") return { detail: source };
    return { detail: signInLine(settings, signIn, context) };
  }
  const signal = AbortSignal.timeout(settings.timeoutMs);
  const { Authorization = "" } = await authorizer.headers(
    { method: "POST", url: settings.url },
    signal,
  );
  const token = /^Bearer (.*)$/i.exec(Authorization)?.[1];
  if (token === undefined) return { detail: source };
  const { expiresAt } = tokenFacts(token);
  const expiry = expiresAt === undefined ? "" : `, ${expiryText(expiresAt, Date.now())}`;
  return { detail: `${source}, ${token.length} characters${expiry}` };
}

/** Prints one step: a line, a line for each warning, and the hint of a failure. */
function printStep(
  { print, redactor, marks, commandLine: given }: Context,
  settings: ServerSettings | undefined,
) {
  const commandLine = settings === undefined ? given : commandLineTo(settings, given);
  const isAscii = marks.ok.startsWith("[");
  const signs = isAscii
    ? { passed: "[ok]", skipped: "[-]", failed: "[failed]", warning: "[!]" }
    : { passed: "✓", skipped: "-", failed: "✗", warning: "!" };
  return async ({ name, outcome, ms, detail, warnings = [], error }: Step) => {
    const hint = error?.hintText(commandLine);
    const lines = [
      `${signs[outcome]} ${name}: ${error?.message ?? detail} (${ms} ms)`,
      ...warnings.map((line) => `${signs.warning} ${name}: ${line}`),
      ...(hint === undefined ? [] : [`  hint: ${hint}`]),
    ];
    await print(lines.map((line) => `  ${redactor.redact(cleanLine(line))}\n`).join(""));
  };
}

/** A line without control characters; its indentation stays. */
const cleanLine = (line: string) => `${/^ */.exec(line)![0]}${cleanText(line)}`;

function notTriedLine({ notTried }: Walk): string {
  return notTried.length === 0 ? "\n" : `  not tried: ${notTried.join(", ")}\n\n`;
}

function jsonOf(
  { settings, walk }: { readonly settings?: ServerSettings; readonly walk: Walk },
  { commandLine: given }: Context,
): object {
  const commandLine = settings === undefined ? given : commandLineTo(settings, given);
  return {
    ...(settings !== undefined && { server: settings.name, url: shownServerUrl(settings) }),
    ok: walk.steps.every(({ error }) => error === undefined),
    steps: walk.steps.map((step) => stepJson(step, commandLine)),
    notTried: walk.notTried,
  };
}
