import { defineCommand } from "../cli/command.ts";
import { BridgeError } from "../wire/errors.ts";

export const command = defineCommand({
  args: {},
  async run(_, context) {
    const own = await import("../../LICENSE", { with: { type: "text" } });
    // build.sh writes this file and embeds it.
    const others = await import("../../dist/THIRD-PARTY-LICENSES", {
      with: { type: "text" },
    }).catch((cause) => {
      throw new BridgeError("usage", "the licences of the packages are collected by the build", {
        hint: "run ./build.sh first",
        cause,
      });
    });
    await context.print(`${own.default}\n${others.default}`);
  },
});
