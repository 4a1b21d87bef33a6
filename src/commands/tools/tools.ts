import { isatty } from "node:tty";
import { type Context, defineCommand, serverArgument } from "../../cli/command.ts";
import { findServer } from "../../config/ad-hoc.ts";
import { type Config, enabledServers, loadConfig, pickServer } from "../../config/load.ts";
import { shownServerUrl } from "../../config/server-url.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { commandLineTo } from "../../wire/program-facts.ts";
import { terminalJson } from "../../wire/text.ts";
import { initialize, listAll } from "../test/requests.ts";
import { withServerChild } from "../test/server-child.ts";
import { judgeTools } from "../test/strict-clients.ts";
import { toolLines } from "./describe.ts";

export const command = defineCommand({
  args: {
    name: { type: "positional", description: "the server's name in the configuration, or its URL" },
    server: serverArgument,
    combined: {
      type: "boolean",
      description: "show the names that the tools of all servers have in a combined run",
    },
    json: { type: "boolean", description: "print the tools as the server lists them, as JSON" },
  },
  async run({ name, server, combined, json }, context) {
    const only = name ?? server;
    if (combined) {
      const { printMapping } = await import("./mapping.ts");
      const config = await loadConfig(context.paths());
      const all = enabledServers(config);
      const shown = only === undefined ? all : serversOf(config, only);
      return printMapping({ all, shown }, json, context);
    }
    const settings = await findServer(context.paths(), only);
    const { texts, ...listing } = await withServerChild(
      settings,
      context,
      {},
      async (child, knowSecrets) => {
        const { capabilities, refusal } = await initialize(child);
        const listed = await listAll(child, "tools", "tools" in capabilities);
        await knowSecrets();
        if (refusal !== undefined) context.warn(context.redactor.redact(refusal.message));
        return listed;
      },
    );
    const { redactor } = context;
    const text = json
      ? jsonOf(settings, texts)
      : `${[`${settings.name}: ${counted(listing.items.length)}`, ...listing.items.map(blockOf)].join("\n\n")}\n`;
    const shown = redactor.redact(text);
    await context.print(json && isatty(1) ? terminalJson(shown) : shown);
    warnOfFaults(listing, settings, context);
    return 0;
  },
});

/** The configured servers that a word names: those with this URL, or the one of this name. Throws `configuration`. */
function serversOf(config: Config, word: string): readonly ServerSettings[] {
  const href = URL.parse(word)?.href;
  const atUrl = enabledServers(config).filter(({ url }) => url.href === href);
  return atUrl.length > 0 ? atUrl : [pickServer(config, word)];
}

const counted = (count: number) => `${count} ${count === 1 ? "tool" : "tools"}`;
const blockOf = (tool: unknown, index: number) => toolLines(tool, index).join("\n");

/** The tools as JSON, each as the server wrote it. */
function jsonOf(settings: ServerSettings, tools: readonly string[]): string {
  const head = JSON.stringify({ server: settings.name, url: shownServerUrl(settings) }).slice(
    0,
    -1,
  );
  return `${head},"tools":[${tools.map((tool) => `\n${tool}`).join(",")}]}\n`;
}

function warnOfFaults(
  listing: Parameters<typeof judgeTools>[0],
  settings: ServerSettings,
  { redactor, commandLine, warn, note }: Context,
): void {
  const { refusal, warnings } = judgeTools(listing);
  const hint = refusal?.hintText(commandLineTo(settings, commandLine));
  for (const line of [...(refusal === undefined ? [] : [refusal.message]), ...warnings])
    warn(redactor.redact(line));
  if (hint !== undefined) note(`hint: ${hint}`);
}
