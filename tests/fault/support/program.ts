import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How one bridge is started against one server; the soak's table starts others in the same way. */
export interface Program {
  readonly name: string;
  /** Whether errors carry kinds (docs/errors.md), so that they can be asserted. */
  readonly hasKinds: boolean;
  /** Writes what it needs below `home` and returns the command and its environment. */
  prepare(home: string, url: string, entry: Readonly<Record<string, unknown>>): Prepared;
}

export interface Prepared {
  readonly argv: string[];
  readonly env: Record<string, string>;
}

const root = join(import.meta.dir, "../../..");

/** The token every scenario configures: it must never show on stdout or stderr. */
export const token = "fault-token-0123456789";

/** The compiled binary where BRIDGE_BIN names it, else the source. */
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
