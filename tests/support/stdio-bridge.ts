import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "./folder.ts";
import { programWords } from "./program.ts";

/** How an official SDK client starts the program for one server, in a home of its own. */
interface StdioBridge extends Disposable {
  readonly home: string;
  readonly parameters: {
    readonly command: string;
    readonly args: string[];
    readonly env: Record<string, string>;
    readonly stderr: "ignore";
  };
}

interface Entry {
  readonly url: string;
  readonly [key: string]: unknown;
}

/** Configures `entry` as the server "kb"; with `others`, a combined run has all of them. */
export function stdioBridge(
  entry: Entry,
  others: Readonly<Record<string, Entry>> = {},
): StdioBridge {
  const folder = ownFolder();
  const config = { version: 1, servers: { kb: entry, ...others } };
  writeFileSync(join(folder.path, "config.json"), JSON.stringify(config), { mode: 0o600 });
  const [command, ...words] = programWords;
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: folder.path,
    CODEX_MCP_BRIDGE_HOME: folder.path,
  };
  const isCombined = Object.keys(others).length > 0;
  const args = [...words, "run", ...(isCombined ? ["--all"] : ["--server", "kb"])];
  return {
    home: folder.path,
    parameters: { command: command!, args, env, stderr: "ignore" },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}
