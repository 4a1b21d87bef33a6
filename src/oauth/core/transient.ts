import { BridgeError } from "../../wire/errors.ts";

/** Error kinds of temporary failures: they do not show that a grant, document or client is invalid. */
const kinds: readonly string[] = ["server-error", "rate-limited", "timeout", "outcome-unknown"];

/** Statuses with which a server puts a request off without executing it. */
const busyStatuses: readonly (number | undefined)[] = [429, 502, 503, 504];
/** Pauses before the second and third attempt. */
const pausesMs = [250, 1000];

/** Repeats a request of a sign-in, which a person waits for, while the server answers that it is busy. */
export async function repeatedWhileBusy<T>(
  request: () => Promise<T>,
  { sleep }: { readonly sleep: (ms: number, signal: AbortSignal) => Promise<void> },
  signal: AbortSignal,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      const pauseMs = pausesMs[attempt];
      const isBusy = error instanceof BridgeError && busyStatuses.includes(error.status);
      if (!isBusy || pauseMs === undefined) throw error;
      await sleep(pauseMs, signal);
    }
  }
}

/** Whether a failure is temporary: the request may be repeated, and stored credentials are kept. */
export function isTransient(error: unknown): boolean {
  return error instanceof BridgeError && (error.safeToRetry || kinds.includes(error.kind));
}
