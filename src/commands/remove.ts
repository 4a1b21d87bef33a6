import { defineCommand, serverArgument } from "../cli/command.ts";
import { BridgeError } from "../wire/errors.ts";
import { removeServer } from "./auth/forget.ts";

export const command = defineCommand({
  args: {
    name: { type: "positional", required: false, description: "the server's name" },
    server: serverArgument,
  },
  async run({ name: positional, server }, context) {
    if (positional !== undefined && server !== undefined && positional !== server) {
      throw new BridgeError("usage", "remove takes one server: NAME or --server NAME");
    }
    const name = positional ?? server;
    if (name === undefined) {
      throw new BridgeError("usage", "remove needs the name of a server", {
        hint: (command) => `${command("status")} lists the servers`,
      });
    }
    const { name: removed, adHoc } = await removeServer(name, context);
    const step = context.commandLine(`codex-config --server ${removed} --remove`);
    const next = adHoc === undefined ? `\nNext step:\n  ${step}\n` : "";
    await context.print(`Removed server "${removed}", its credentials and its cache\n${next}`);
    return 0;
  },
});
