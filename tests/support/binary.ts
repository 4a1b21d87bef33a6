import { existsSync } from "node:fs";
import { join } from "node:path";

/** The compiled bridge: what is shown here is a property of the build, the source would tell nothing. */
export function compiledBridge(): string {
  const path = process.env.BRIDGE_BIN ?? join(import.meta.dir, "../../dist/codex-mcp-http-bridge");
  if (!existsSync(path)) throw new Error("there is no compiled bridge: run ./build.sh");
  return path;
}
