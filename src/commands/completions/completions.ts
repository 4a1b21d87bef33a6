import { defineCommand } from "../../cli/command.ts";
import { BridgeError } from "../../wire/errors.ts";
import bash from "./bash.txt" with { type: "text" };
import { candidatesFor } from "./candidates.ts";
import fish from "./fish.txt" with { type: "text" };
import { manPage } from "./man-page.ts";
import powershell from "./powershell.txt" with { type: "text" };
import zsh from "./zsh.txt" with { type: "text" };

// Each script runs `completions candidates -- WORD...`, which prints one candidate per line, with a tab before its
// description. The line ":file" tells the shell to complete paths.
const scripts = { bash, zsh, fish, powershell } as const;

export const command = defineCommand({
  args: {
    shell: {
      type: "positional",
      required: true,
      options: [...Object.keys(scripts), "man"],
      internalOptions: ["candidates"],
      description: "bash, zsh, fish or powershell; man: prints the manual page",
    },
    words: {
      type: "positional",
      required: false,
      repeat: true,
      description: "after candidates --: the words of the command line to complete",
    },
  },
  async run({ shell, words }, context) {
    if (shell !== "candidates") {
      if (words.length > 0) throw new BridgeError("usage", "completions takes one word");
      const text =
        shell === "man" ? manPage(context.commands) : scripts[shell as keyof typeof scripts];
      await context.print(await text);
      return 0;
    }
    // Without a valid config.json there are no server names to offer; the completed command will report the error.
    const { readConfig } = await import("../../config/load.ts");
    const readNames = async () => [...((await readConfig(context.paths()))?.servers.keys() ?? [])];
    const names = await readNames().catch(() => []);
    const { words: found, isFile } = await candidatesFor(context.commands, words, () => names);
    const lines = found.map(({ word, description }) =>
      description === "" ? word : `${word}\t${description}`,
    );
    await context.print(
      [...lines, ...(isFile ? [":file"] : [])].map((line) => `${line}\n`).join(""),
    );
    return 0;
  },
});
