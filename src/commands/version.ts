import { defineCommand } from "../cli/command.ts";
import { versionText } from "../cli/version.ts";

export const command = defineCommand({
  args: {
    json: { type: "boolean", description: "show version, target and commit as JSON" },
  },
  async run({ json }, context) {
    await context.print(versionText(json));
    return 0;
  },
});
