import { type Context, defineCommand } from "../cli/command.ts";
import { loadConfig, pickServer } from "../config/load.ts";
import { changeConfig } from "../config/save.ts";

const nameArgument = {
  type: "positional",
  required: true,
  description: "the server's name",
} as const;

/** Sets or removes `disabled` in a server's entry, and tells the user. */
async function setDisabled(word: string, isDisabled: boolean, context: Context): Promise<number> {
  const { name } = pickServer(await loadConfig(context.paths()), word);
  await changeConfig(context.paths(), (raw) => {
    const entry = raw.servers?.[name];
    if (entry === undefined) return;
    if (isDisabled) entry.disabled = true;
    else delete entry.disabled;
  });
  const words = isDisabled
    ? `Disabled server "${name}": its sign-in is kept, and run answers with an error`
    : `Enabled server "${name}"`;
  await context.print(`${words}\n`);
  return 0;
}

export const enable = defineCommand({
  args: { name: nameArgument },
  run: ({ name }, context) => setDisabled(name, false, context),
});

export const disable = defineCommand({
  args: { name: nameArgument },
  run: ({ name }, context) => setDisabled(name, true, context),
});
