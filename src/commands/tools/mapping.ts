// The names that the tools of several servers have in a combined run.
import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { NameTable } from "../../relay/combined/names.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { initialize, listAll } from "../test/requests.ts";
import { withServerChild } from "../test/server-child.ts";
import { startAll } from "../test/test.ts";

interface Mapped {
  /** The name in a combined run. */
  readonly name: string;
  readonly server: string;
  /** The server's own name. */
  readonly tool: string;
}

/**
 * Prints the name of each tool of the `shown` servers in a combined run of `all`. Resolves to the exit code of the first
 * server that failed.
 */
export async function printMapping(
  { all, shown: servers }: Readonly<Record<"all" | "shown", readonly ServerSettings[]>>,
  isJson: boolean,
  context: Context,
): Promise<number> {
  const names = new NameTable(all);
  const found = await Promise.all(startAll(servers, (server) => toolNames(server, context)));
  const mapped = servers.flatMap((server, at): Mapped[] => {
    const tools = found[at]!;
    if (tools instanceof BridgeError) return [];
    return tools.map((tool) => {
      const name = JSON.parse(names.add(server, JSON.stringify(tool))) as string;
      return { name, server: server.name, tool };
    });
  });
  const width = Math.max(0, ...mapped.map(({ name }) => name.length));
  const lines = mapped.map(
    ({ name, server, tool }) =>
      `${cleanText(name, 100).padEnd(width)}  ${server}: ${cleanText(tool, 200)}\n`,
  );
  const text = isJson ? `${JSON.stringify({ tools: mapped }, null, 2)}\n` : lines.join("");
  await context.print(context.redactor.redact(text));
  return found.find((tools) => tools instanceof BridgeError)?.exitCode ?? 0;
}

/** The names of a server's tools; its failure is shown, and the other servers' tools are listed all the same. */
async function toolNames(
  server: ServerSettings,
  context: Context,
): Promise<readonly string[] | BridgeError> {
  try {
    return await withServerChild(server, context, {}, async (child, knowSecrets) => {
      const { capabilities } = await initialize(child);
      const { items } = await listAll(child, "tools", "tools" in capabilities);
      await knowSecrets();
      return items.flatMap((item) => {
        const name = (item as { name?: unknown } | null)?.name;
        return typeof name === "string" ? [name] : [];
      });
    });
  } catch (thrown) {
    const { redactor, commandLine, warn, note } = context;
    const error = asBridgeError(thrown);
    const hint = error.hintText(commandLine);
    warn(redactor.redact(`${server.name}: ${error.message}`));
    if (hint !== undefined) note(`hint: ${redactor.redact(hint)}`);
    return error;
  }
}
