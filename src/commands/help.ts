import { unknownCommand } from "../cli/arguments.ts";
import { defineCommand } from "../cli/command.ts";
import { commandHelp, programHelp } from "../cli/help.ts";

export const command = defineCommand({
  args: { command: { type: "positional", required: false, description: "a command" } },
  async run({ command: name }, { commands, print }) {
    if (name === undefined) {
      await print(await programHelp(commands));
      return 0;
    }
    const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (entry === undefined) throw unknownCommand(commands, name);
    await print(await commandHelp(name, entry, (await entry.load()).command));
    return 0;
  },
});
