import { type Context, defineCommand, serversArgument } from "../../cli/command.ts";
import { Spinner } from "../../cli/spinner.ts";
import { findServer } from "../../config/ad-hoc.ts";
import { enabledServers, loadConfig, pickServer } from "../../config/load.ts";
import { shownServerUrl } from "../../config/server-url.ts";
import type { ServerSettings } from "../../config/settings.ts";
import type { Paths } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";
import { commandLineTo } from "../../wire/program-facts.ts";
import { cleanText } from "../../wire/text.ts";
import { argumentsIn } from "./arguments.ts";
import { saveLastTest } from "./last-test.ts";
import type { Call } from "./requests.ts";
import { withServerChild } from "./server-child.ts";
import { type Observer, type Outcome, testServer } from "./steps.ts";

export const command = defineCommand({
  args: {
    server: serversArgument,
    all: { type: "boolean", description: "test every server" },
    call: { type: "string", valueHint: "TOOL", description: "also call this tool" },
    args: { type: "string", valueHint: "JSON", description: "with --call: its arguments" },
    watch: {
      type: "string",
      valueHint: "SEC",
      description: "test again after this time, until Ctrl-C",
    },
    json: { type: "boolean", description: "print JSON; a list if several servers are tested" },
  },
  async run({ server: names, all, call: tool, args, watch, json }, context) {
    if (tool === undefined && args !== undefined)
      throw new BridgeError("usage", "--args needs --call TOOL");
    const call =
      tool === undefined ? undefined : { tool, args: argumentsIn(args ?? "{}", "--args") };
    if (all && names.length > 0)
      throw new BridgeError("usage", "--all and --server exclude each other");
    const pauseMs = watch === undefined ? undefined : pauseOf(watch);
    const isList = all || names.length > 1;
    for (;;) {
      const servers = await serversToTest(context.paths(), names, all);
      const [server] = servers;
      let code: number;
      if (json) code = await printJson(servers, isList, call, context);
      else if (servers.length > 1) code = await printReports(servers, call, context);
      else code = await testAndReport(server!, context, call);
      if (pauseMs === undefined) return code;
      await Bun.sleep(pauseMs);
      if (!json) await context.print("\n");
    }
  },
});

/** Servers that are tested at a time. */
const atOnce = 4;

function pauseOf(text: string): number {
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= 86_400) return seconds * 1000;
  throw new BridgeError("usage", "--watch: expected seconds, 1 to 86400");
}

const failureOf = ({ steps }: Outcome) => steps.find(({ error }) => error !== undefined)?.error;
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** Starts `work` for each item, four at a time; returns the promises of the results in the order of the items. */
export function startAll<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R>[] {
  const results = items.map(() => Promise.withResolvers<R>());
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++)
      await work(items[at]!).then(results[at]!.resolve, results[at]!.reject);
  };
  for (let count = 0; count < atOnce; count++) void worker();
  for (const { promise } of results) promise.catch(() => undefined);
  return results.map(({ promise }) => promise);
}

async function printJson(
  servers: readonly ServerSettings[],
  isList: boolean,
  call: Call | undefined,
  context: Context,
): Promise<number> {
  const outcomes = await Promise.all(
    startAll(servers, (server) => testOne(server, call, silent, context)),
  );
  const reports = outcomes.map((outcome, at) => jsonOf(servers[at]!, outcome, context));
  // Redacted before it is serialized, so that the output stays JSON.
  const safe = (_: string, value: unknown) =>
    typeof value === "string" ? context.redactor.redact(value) : value;
  await context.print(`${JSON.stringify(isList ? reports : reports[0], safe, 2)}\n`);
  return outcomes.map(failureOf).find((error) => error !== undefined)?.exitCode ?? 0;
}

/** Tests one server and prints the report; resolves to the exit code. */
export async function testAndReport(
  server: ServerSettings,
  context: Context,
  call?: Call,
): Promise<number> {
  const spinner = new Spinner(context.env);
  const outcome = await testOne(server, call, reportOf(server, context, spinner), context);
  const failure = failureOf(outcome);
  if (failure === undefined) await context.print(`\n${context.marks.ok} All tests passed!\n`);
  return failure?.exitCode ?? 0;
}

/** Tests several servers and prints each report as a whole, with its time, and a closing line for all. */
async function printReports(
  servers: readonly ServerSettings[],
  call: Call | undefined,
  context: Context,
): Promise<number> {
  const { marks } = context;
  const startedAt = performance.now();
  const reports = startAll(servers, async (server) => {
    let text = "";
    const print = async (part: string) => {
      text += part;
      return true;
    };
    const output = { ...context, print };
    const begunAt = performance.now();
    const failure = failureOf(await testOne(server, call, reportOf(server, output), output));
    const time = seconds(performance.now() - begunAt);
    const end =
      failure === undefined ? `${marks.ok} All tests passed!` : `${marks.failed} Not passed`;
    return { name: server.name, failure, text: `${text}\n${end} (${time})\n\n` };
  });
  for (const report of reports) await context.print((await report).text);
  const ended = await Promise.all(reports);
  const failed = ended.filter(({ failure }) => failure !== undefined);
  const time = seconds(performance.now() - startedAt);
  const closing =
    failed.length === 0
      ? `${marks.ok} All ${servers.length} servers passed (${time})`
      : `${marks.failed} ${failed.length} of ${servers.length} servers failed (${time}): ${failed.map(({ name }) => name).join(", ")}`;
  await context.print(`${closing}\n`);
  return failed[0]?.failure?.exitCode ?? 0;
}

async function serversToTest(
  paths: Paths,
  names: readonly string[],
  all: boolean,
): Promise<ServerSettings[]> {
  if (names.length > 0) return Promise.all(names.map((name) => findServer(paths, name)));
  const config = await loadConfig(paths);
  return all ? enabledServers(config) : [pickServer(config, undefined, { hasAll: true })];
}

/** Tests one server through a child process `run`, which also fills the cache for the next start. */
export async function testOne(
  settings: ServerSettings,
  call: Call | undefined,
  observer: Observer,
  context: Context,
): Promise<Outcome> {
  const outcome = await withServerChild(settings, context, {}, (child, knowSecrets) => {
    const redacted = <T>(show: (value: T) => void | Promise<void>) => {
      return async (value: T) => {
        await knowSecrets();
        await show(value);
      };
    };
    const redacting: Observer = {
      started: (name) => observer.started(name),
      passed: redacted((finding) => observer.passed(finding)),
      failed: redacted((error) => observer.failed(error)),
    };
    return testServer(settings.name, child, redacting, call);
  });
  const { steps, tools } = outcome;
  const hasPassed = steps.every(({ ok }) => ok);
  const last = { at: Date.now(), ...(hasPassed && { tools: tools.length }) };
  saveLastTest(settings, last, context.log);
  return outcome;
}

/** An observer that prints nothing. */
export const silent: Observer = { started() {}, passed() {}, failed() {} };

/** An observer that prints each step for the user; `spinner` shows that a step is under way. */
function reportOf(settings: ServerSettings, context: Context, spinner?: Spinner): Observer {
  const { marks, redactor } = context;
  const commandLine = commandLineTo(settings, context.commandLine);
  const print = (text: string) => context.print(redactor.redact(text));
  let steps = 0;
  return {
    async started(name) {
      if (steps++ === 0) {
        const url = cleanText(shownServerUrl(settings));
        await print(`Testing connection to '${settings.name}'...\nURL: ${url}\n`);
      }
      await print(`\n${steps}. Testing ${name}...\n`);
      spinner?.start();
    },
    async passed({ detail, lines, warnings = [] }) {
      spinner?.stop();
      const colon = lines.length > 0 ? ":" : "";
      const below = [
        ...lines.map((line) => `  ${line}\n`),
        ...warnings.map((line) => `warning: ${line}\n`),
      ];
      await print(`${marks.ok} ${detail}${colon}\n${below.join("")}`);
    },
    async failed(error) {
      spinner?.stop();
      const hint = error.hintText(commandLine);
      const hintLine = hint === undefined ? "" : `hint: ${cleanText(hint)}\n`;
      await print(`${marks.failed} ${cleanText(error.message)}\n${hintLine}`);
    },
  };
}

function jsonOf(
  settings: ServerSettings,
  { steps, tools, call }: Outcome,
  { commandLine }: Context,
) {
  return {
    server: settings.name,
    url: shownServerUrl(settings),
    ok: steps.every(({ ok }) => ok),
    steps: steps.map(({ error, ...step }) =>
      error === undefined
        ? step
        : {
            ...step,
            error: {
              kind: error.kind,
              message: error.message,
              hint: error.hintText(commandLineTo(settings, commandLine)),
            },
          },
    ),
    tools,
    ...(call !== undefined && { result: call.result }),
  };
}
