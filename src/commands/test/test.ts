import { type Context, defineCommand, serversArgument } from "../../cli/command.ts";
import { Spinner } from "../../cli/spinner.ts";
import { findServer } from "../../config/ad-hoc.ts";
import { loadConfig, pickServer } from "../../config/load.ts";
import { shownServerUrl } from "../../config/server-url.ts";
import type { ServerSettings } from "../../config/settings.ts";
import type { Paths } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { argumentsIn } from "./arguments.ts";
import type { Call } from "./requests.ts";
import { withServerChild } from "./server-child.ts";
import { type Observer, type Outcome, testServer } from "./steps.ts";

export const command = defineCommand({
  args: {
    server: serversArgument,
    all: { type: "boolean", description: "test every server" },
    call: { type: "string", valueHint: "TOOL", description: "also call this tool" },
    args: { type: "string", valueHint: "JSON", description: "with --call: its arguments" },
    json: { type: "boolean", description: "print JSON; a list if several servers are tested" },
  },
  async run({ server: names, all, call: tool, args, json }, context) {
    if (tool === undefined && args !== undefined)
      throw new BridgeError("usage", "--args needs --call TOOL");
    const call =
      tool === undefined ? undefined : { tool, args: argumentsIn(args ?? "{}", "--args") };
    if (all && names.length > 0)
      throw new BridgeError("usage", "--all and --server exclude each other");
    const servers = await chosen(context.paths(), names, all);
    const outcomes: [ServerSettings, Outcome][] = [];
    for (const settings of servers) {
      const observer = json ? silent : reportOf(settings, context, outcomes.length > 0);
      const outcome = await testOne(settings, call, observer, context);
      if (!json && outcome.steps.every(({ ok }) => ok))
        await context.print(`\n${context.marks.ok} All tests passed!\n`);
      outcomes.push([settings, outcome]);
    }
    if (json) {
      const reports = outcomes.map(([settings, outcome]) => jsonOf(settings, outcome, context));
      const whole = all || names.length > 1 ? reports : reports[0];
      // Redacted before it is serialized, so that the output stays JSON.
      const safe = (_: string, value: unknown) =>
        typeof value === "string" ? context.redactor.redact(value) : value;
      await context.print(`${JSON.stringify(whole, safe, 2)}\n`);
    }
    const steps = outcomes.flatMap(([, outcome]) => outcome.steps);
    return steps.find(({ error }) => error !== undefined)?.error?.exitCode ?? 0;
  },
});

async function chosen(
  paths: Paths,
  names: readonly string[],
  all: boolean,
): Promise<ServerSettings[]> {
  if (names.length > 0) return Promise.all(names.map((name) => findServer(paths, name)));
  const config = await loadConfig(paths);
  const configured = [...config.servers.keys()];
  if (!all && configured.length > 1) {
    const quoted = configured.map((name) => `"${name}"`).join(", ");
    throw new BridgeError("usage", `which server? The configuration holds ${quoted}`, {
      hint: `add --all, or --server ${configured[0]}`,
    });
  }
  if (!all) return [pickServer(config)];
  if (configured.length === 0)
    throw new BridgeError("configuration", "no server is configured", {
      hint: (command) => `run ${command("setup")}`,
    });
  return [...config.servers.values()];
}

/** Tests one server through a child process `run`, which also fills the cache for the next start. */
export async function testOne(
  settings: ServerSettings,
  call: Call | undefined,
  observer: Observer,
  context: Context,
): Promise<Outcome> {
  return withServerChild(settings, context, {}, (child, knowSecrets) => {
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
}

/** An observer that prints nothing. */
export const silent: Observer = { started() {}, passed() {}, failed() {} };

/** An observer that prints each step for the user. */
function reportOf(settings: ServerSettings, context: Context, isFurther: boolean): Observer {
  const { commandLine, marks, redactor } = context;
  const print = (text: string) => context.print(redactor.redact(text));
  const spinner = new Spinner(context.env);
  let steps = 0;
  return {
    async started(name) {
      if (steps++ === 0) {
        const url = cleanText(shownServerUrl(settings));
        await print(
          `${isFurther ? "\n" : ""}Testing connection to '${settings.name}'...\nURL: ${url}\n`,
        );
      }
      await print(`\n${steps}. Testing ${name}...\n`);
      spinner.start();
    },
    async passed({ detail, lines, warnings = [] }) {
      spinner.stop();
      const colon = lines.length > 0 ? ":" : "";
      const below = [
        ...lines.map((line) => `  ${line}\n`),
        ...warnings.map((line) => `warning: ${line}\n`),
      ];
      await print(`${marks.ok} ${detail}${colon}\n${below.join("")}`);
    },
    async failed(error) {
      spinner.stop();
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
            error: { kind: error.kind, message: error.message, hint: error.hintText(commandLine) },
          },
    ),
    tools,
    ...(call !== undefined && { result: call.result }),
  };
}
