import { describe, expect, test } from "bun:test";
import type { Commands } from "../../../src/cli/command.ts";
import { candidatesFor } from "../../../src/commands/completions/candidates.ts";

const load = (args: object) => async () => ({
  command: { args: args as never, run: async () => undefined },
});
const commands: Commands = {
  run: {
    does: "runs",
    load: load({
      server: { type: "string", alias: "s", valueHint: "NAME", description: "a server" },
      mode: { type: "enum", options: ["slow", "fast"], description: "how" },
      header: { type: "string", repeat: true, description: "a header" },
      alone: { type: "string", fallback: "x", description: "" },
      demo: { type: "boolean", description: "built in" },
      file: { type: "string", valueHint: "FILE", description: "a file" },
    }),
  },
  remove: {
    does: "removes",
    load: load({ name: { type: "positional", description: "a server" } }),
  },
  list: { does: "lists", load: load({}) },
};

async function complete(line: string) {
  const words = line.split(" ");
  const found = await candidatesFor(commands, words, () => ["kb", "crm"]);
  return found.isFile ? ":file" : found.words.map(({ word }) => word).join(" ");
}

describe("candidates for the word at the cursor", () => {
  test.each([
    ["", "run remove list"],
    ["r", "run remove"],
    ["--v", "--version"],
    ["--config-path ", ":file"],
    ["--log-level d", "debug"],
    ["run --s", "--server"],
    ["run --server ", "kb crm"],
    ["run -s k", "kb"],
    ["run --server=k", "--server=kb"],
    ["run --mode ", "slow fast"],
    ["run --mode=f", "--mode=fast"],
    ["run --file ", ":file"],
    ["run --server kb --s", ""],
    ["run -s kb --s", ""],
    ["run --header a --he", "--header --help"],
    ["run --demo --de", ""],
    ["run ", ""],
    ["--log-level debug run --mo", "--mode"],
    ["remove ", "kb crm"],
    ["remove c", "crm"],
    ["remove kb ", ""],
    ["remove -- k", "kb"],
    ["list ", ""],
    ["unknown --", ""],
    ["run --unknown= ", ""],
    ["run --nothing=x", ""],
    ["run --alone --m", "--mode"],
    ["run --alone --mode ", "slow fast"],
    ["run --alone x --m", "--mode"],
  ])("%j gives %j", async (line, expected) => {
    expect(await complete(line)).toBe(expected);
  });

  test("without words, the candidates are those of an empty word", async () => {
    const { words } = await candidatesFor(commands, [], () => []);
    expect(words[0]).toEqual({ word: "run", description: "runs" });
  });
});
