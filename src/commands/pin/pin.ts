import { isatty } from "node:tty";
import { type Context, defineCommand, serverArgument } from "../../cli/command.ts";
import { confirmOnTerminal } from "../../cli/passphrase-prompt.ts";
import { findServer } from "../../config/ad-hoc.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { readApproved } from "../../upstream/tools/approvals.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import { approve } from "./approve.ts";
import { changesOf, differenceLines, digestOf, type ToolChange } from "./difference.ts";
import { currentTools } from "./list-tools.ts";

export const command = defineCommand({
  args: {
    name: { type: "positional", required: false, description: "the server's name" },
    server: serverArgument,
    accept: {
      type: "string",
      valueHint: "HASH",
      description: "approve the difference that was shown with this hash, without a question",
    },
  },
  async run({ name: positional, server, accept }, context) {
    if (positional !== undefined && server !== undefined && positional !== server)
      throw new BridgeError("usage", "pin takes one server: NAME or --server NAME");
    const settings = await findServer(context.paths(), positional ?? server);
    const { name, tools: rules, state, url } = settings;
    if (rules === undefined || rules.pin === false)
      throw new BridgeError("configuration", `server "${name}" has no rule "pin"`, {
        hint: settingHint('add "tools": {"pin": true} to its entry'),
      });
    if (accept !== undefined && rules.pin === "terminal") refuseAccept(name);
    const current = await currentTools(settings, context);
    const approved = readApproved(state, url.origin) ?? new Map();
    const changes = changesOf(approved, current);
    if (changes.length === 0) {
      await context.print(`Every tool of "${name}" is approved (${current.size})\n`);
      return 0;
    }
    const digest = digestOf(url.origin, changes);
    if (accept !== undefined && accept !== digest)
      throw new BridgeError("refused", `the tools of "${name}" differ from those with this hash`, {
        hint: (command) => `run ${command(`pin ${name}`)} and look again`,
      });
    const lines = [...differenceLines(changes), `hash: ${digest}`];
    await context.print(`${lines.map((line) => context.redactor.redactKnown(line)).join("\n")}\n`);
    const isApproved = accept !== undefined || (await ask(settings, changes, digest, context));
    if (!isApproved) return 1;
    approve(settings, approved, current, context);
    context.note(`Approved: ${current.size} ${current.size === 1 ? "tool" : "tools"} of "${name}"`);
    return 0;
  },
});

function refuseAccept(name: string): never {
  throw new BridgeError("refused", `tools of "${name}" are approved on a terminal only`, {
    hint: (command) => `run ${command(`pin ${name}`)} in a terminal`,
  });
}

/** Asks on the terminal; without one, says how to approve. */
async function ask(
  { name, tools: rules }: ServerSettings,
  changes: readonly ToolChange[],
  digest: string,
  context: Context,
): Promise<boolean> {
  const count = `${changes.length} ${changes.length === 1 ? "tool differs" : "tools differ"}`;
  const answer = isatty(0)
    ? await confirmOnTerminal(`${count} from what was approved. Approve?`)
    : undefined;
  if (answer !== undefined) return answer;
  const command = context.commandLine(
    rules!.pin === "terminal" ? `pin ${name}` : `pin ${name} --accept ${digest}`,
  );
  context.note(
    rules!.pin === "terminal"
      ? `To approve, run ${command} in a terminal`
      : `To approve, run ${command}`,
  );
  return false;
}
