import { existsSync } from "node:fs";
import { join } from "node:path";

/** Path of the compiled bridge, for tests of a property that only the build has. */
export function compiledBridge(): string {
  const path = process.env.BRIDGE_BIN ?? join(import.meta.dir, "../../dist/codex-mcp-http-bridge");
  if (!existsSync(path)) throw new Error("there is no compiled bridge: run ./build.sh");
  return path;
}
