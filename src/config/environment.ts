import type { Environment } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";

/** A variable that a server's entry names. Throws `configuration` where it is unset or empty. */
export function requireVariable(env: Environment, variable: string, what: string): string {
  const value = env[variable];
  if (value !== undefined && value !== "") return value;
  throw new BridgeError("configuration", `${what}: the variable ${variable} is not set`, {
    hint: (command) =>
      `set ${variable} where Codex starts, then run ${command("codex-config --write")} (it passes the variable on)`,
    safeToRetry: true,
  });
}
