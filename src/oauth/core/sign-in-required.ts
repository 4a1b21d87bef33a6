import { BridgeError } from "../../wire/errors.ts";

interface Need {
  readonly server: { readonly name: string };
  /** The command that signs in, ready to copy. */
  readonly login: string;
}

/** The error of a request that only a person's sign-in helps; `cause`: why the sign-in that was begun for it failed. */
export function signInRequired(
  { server, login }: Need,
  { what = "a sign-in", cause }: { readonly what?: string; readonly cause?: BridgeError } = {},
): BridgeError {
  const needs = `server "${server.name}" needs ${what}`;
  return new BridgeError(
    "sign-in-required",
    cause === undefined ? needs : `${needs} (${reasonOf(cause)})`,
    { hint: `run ${login}`, status: 401, cause },
  );
}

/** Where the failure is not its person's, the command fails again: then its own hint leads on. */
function reasonOf({ kind, message, hint }: BridgeError): string {
  return kind === "sign-in-required" || typeof hint !== "string" ? message : `${message}; ${hint}`;
}
