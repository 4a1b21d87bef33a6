import { BridgeError } from "../../wire/errors.ts";

interface Need {
  readonly server: { readonly name: string };
  /** The command that signs in, ready to copy. */
  readonly login: string;
}

/** The error for a request that needs an interactive sign-in; `what`: the kind of sign-in; `cause`: why an attempted sign-in failed. */
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

/** The cause as text; with its hint unless the user declined or did not sign in, because `login` would fail for the cause as well. */
function reasonOf({ kind, message, hint }: BridgeError): string {
  return kind === "sign-in-required" || typeof hint !== "string" ? message : `${message}; ${hint}`;
}
