import { BridgeError } from "../../wire/errors.ts";

/** Error kinds of temporary failures: they do not show that a grant, document or client is invalid. */
const kinds: readonly string[] = ["server-error", "rate-limited", "timeout", "outcome-unknown"];

/** Whether a failure is temporary: the request may be repeated, and stored credentials are kept. */
export function isTransient(error: unknown): boolean {
  return error instanceof BridgeError && (error.safeToRetry || kinds.includes(error.kind));
}
