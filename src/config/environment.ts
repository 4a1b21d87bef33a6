import type { Environment } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";

/** The value of a variable that a server's entry names. Throws `configuration` if the variable is unset or empty. */
export function requireVariable(env: Environment, variable: string, what: string): string {
  const value = env[variable];
  if (value !== undefined && value !== "") return value;
  throw new BridgeError("configuration", `${what}: the variable ${variable} is not set`, {
    hint: `set ${variable} where the client starts, and name it in the client's entry`,
    safeToRetry: true,
  });
}
