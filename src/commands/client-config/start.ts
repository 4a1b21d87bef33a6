import type { Context } from "../../cli/command.ts";
import { bridgeExecutable } from "../../cli/own-path.ts";
import type { Client, Start } from "../../config/clients/clients.ts";
import { namedVariables } from "../../config/codex-environment.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { trustsHome } from "../../platform/paths.ts";

/** The context, in which a warning is shown once, however many entries cause it. */
export function withWarningsOnce(context: Context): Context {
  const shown = new Set<string>();
  const warn = (line: string) => {
    if (!shown.has(line)) context.warn(line);
    shown.add(line);
  };
  return { ...context, warn };
}

/** The command, arguments and environment with which the client starts the bridge for these servers. */
export function clientStart(
  servers: readonly ServerSettings[],
  client: Client,
  executable: string | undefined,
  context: Context,
  words = servers.flatMap(({ name }) => ["--server", name]),
): Start {
  const { custom, configFile } = context.paths();
  const variables = client.passes === "all" ? [] : [...new Set(servers.flatMap(namedVariables))];
  const { reference } = client;
  if (variables.length > 0 && reference === undefined) {
    context.warn(
      `${client.title} does not pass ${variables.join(", ")} to servers and expands no variables: store the secret itself (${context.commandLine(`setup --server ${servers[0]!.name}`)})`,
    );
  }
  return {
    command: bridgeExecutable(executable, context),
    args: ["run", ...words, ...(custom ? ["--config-path", configFile] : [])],
    env: {
      ...(reference && Object.fromEntries(variables.map((name) => [name, reference(name)]))),
      ...(trustsHome(context.env) && { CODEX_MCP_BRIDGE_TRUST_HOME: "1" }),
    },
  };
}
