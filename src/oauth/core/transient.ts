import { BridgeError } from "../../wire/errors.ts";

/** Kinds of failures that say nothing about the grant, the document or the client that was asked for. */
const kinds: readonly string[] = ["server-error", "rate-limited", "timeout", "outcome-unknown"];

/** Whether a failure may pass by itself: then the request is worth repeating, and nothing that is stored is given up. */
export function mayPass(error: unknown): boolean {
  return error instanceof BridgeError && (error.safeToRetry || kinds.includes(error.kind));
}
