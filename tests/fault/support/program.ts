import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How to start a bridge for one server; scripts/soak-table.ts starts other bridges in the same way. */
export interface Program {
  readonly name: string;
  /** Whether its errors have kinds (docs/errors.md) that tests can check. */
  readonly hasKinds: boolean;
  /** Writes its files below `home`; returns the command and its environment. */
  prepare(home: string, url: string, entry: Readonly<Record<string, unknown>>): Prepared;
}

export interface Prepared {
  readonly argv: string[];
  readonly env: Record<string, string>;
}

const root = join(import.meta.dir, "../../..");

/** The token of every scenario; it must never appear on stdout or stderr. */
export const token = "fault-token-0123456789";

/** The executable that BRIDGE_BIN names, else the source. */
export const bridge: Program = {
  name: "codex-mcp-http-bridge",
  hasKinds: true,
  prepare(home, url, entry) {
    const folder = join(home, ".codex-mcp-bridge");
    mkdirSync(folder, { mode: 0o700 });
    const config = { version: 1, servers: { x: { url, token, ...entry } } };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config), { mode: 0o600 });
    const binary = process.env.BRIDGE_BIN;
    const command = binary === undefined ? [process.execPath, join(root, "bridge.ts")] : [binary];
    return {
      argv: [...command, "run", "--server", "x"],
      env: { HOME: home, PATH: "/usr/bin:/bin", LOG_LEVEL: "debug" },
    };
  },
};
