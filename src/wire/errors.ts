/** Every way an operation of the bridge can fail, with its JSON-RPC code and its exit code (docs/errors.md). */
const table = {
  configuration: [1400, 3],
  "sign-in-required": [1401, 4],
  unauthorized: [1402, 4],
  forbidden: [1403, 1],
  "server-not-found": [1404, 1],
  "registration-refused": [1405, 4],
  timeout: [1408, 5],
  "too-large": [1413, 1],
  "rate-limited": [1429, 1],
  refused: [1451, 1],
  tls: [1495, 5],
  dns: [1496, 5],
  "connection-refused": [1497, 5],
  cancelled: [1499, 130],
  "server-error": [1500, 1],
  "bad-answer": [1502, 1],
  unreachable: [1503, 5],
  "outcome-unknown": [1504, 1],
  internal: [1599, 1],
  usage: [1400, 2],
} as const satisfies Record<string, readonly [code: number, exit: number]>;

export type ErrorKind = keyof typeof table;

/** The JSON-RPC code of an error kind. */
export function jsonRpcCode(kind: ErrorKind): number {
  return table[kind][0];
}

/** Whether `data.kind` of a JSON-RPC error is an error kind of the bridge. */
export function isErrorKind(word: unknown): word is ErrorKind {
  return typeof word === "string" && Object.hasOwn(table, word);
}

/** Completes a subcommand and its arguments to the command that the user types, with `--config-path` if this run has it. */
export interface CommandLine {
  (words: string): string;
  /** The server of this run if a client's entry names it by URL: config.json has no entry to change. */
  readonly adHoc?: string;
}

/**
 * How to fix an error: one command or one fact. A hint that contains a command of this program, or depends on the client,
 * is a function, because only the code that displays the error knows the configuration's path, and the client's name in its
 * initialize (undefined outside of `run`).
 */
export type Hint = string | ((command: CommandLine, client?: string) => string);

/** A hint to change a setting of the server's entry in config.json. */
export const settingHint =
  (change: string): Hint =>
  (command) =>
    command.adHoc === undefined
      ? change
      : `${change}; settings need an entry in config.json: ${command(`setup NAME --from ${command.adHoc}`)}`;

export interface ErrorDetails {
  readonly hint?: Hint;
  readonly cause?: unknown;
  /** True if no byte of the request can have reached the server, so that sending it again is safe. */
  readonly safeToRetry?: boolean;
  /** The server's Retry-After in milliseconds (RFC 9110 10.2.3). */
  readonly retryAfterMs?: number;
  /** HTTP status of the response, if one arrived. */
  readonly status?: number;
  /** JSON text of a JSON-RPC error that the server sent without a request id; the client receives it instead of the bridge's error. */
  readonly serverError?: string | undefined;
}

/**
 * The one error class: callers branch on `kind`, never on text.
 * `message` says what failed (lower case, names in quotes, no full stop); `hint` says how to fix it.
 */
export class BridgeError extends Error {
  readonly kind: ErrorKind;
  readonly hint: Hint | undefined;
  readonly safeToRetry: boolean;
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;
  readonly serverError: string | undefined;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "BridgeError";
    this.kind = kind;
    this.hint = details.hint;
    this.safeToRetry = details.safeToRetry ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.status = details.status;
    this.serverError = details.serverError;
  }

  /** Process exit code of this kind. */
  get exitCode(): number {
    return table[this.kind][1];
  }

  /** The hint as text, with complete commands. */
  hintText(commandLine: CommandLine, client?: string): string | undefined {
    return typeof this.hint === "function" ? this.hint(commandLine, client) : this.hint;
  }

  /** The JSON-RPC error object of this kind. The message holds the hint, and `data` only the kind: some clients show nothing but the message, others (Codex) print `data` behind it. */
  toJsonRpc(
    commandLine: CommandLine,
    client?: string,
  ): {
    readonly code: number;
    readonly message: string;
    readonly data: { readonly kind: ErrorKind };
  } {
    const hint = this.hintText(commandLine, client);
    return {
      code: jsonRpcCode(this.kind),
      message: hint === undefined ? this.message : `${this.message}: ${hint}`,
      data: { kind: this.kind === "usage" ? "configuration" : this.kind },
    };
  }
}

/** The words for the `by` of an AbortSignal's reason (Stop in upstream/core/types.ts). */
const stops = new Map<unknown, readonly [ErrorKind, string]>([
  ["client", ["cancelled", "the client cancelled the request"]],
  ["closing", ["cancelled", "the bridge ended first"]],
  ["deadline", ["timeout", "the server did not answer in time"]],
]);

/** Turns any thrown value into a BridgeError; an unknown error is a bug of the bridge and becomes `internal`. */
export function asBridgeError(error: unknown): BridgeError {
  if (error instanceof BridgeError) return error;
  // AbortSignal.timeout() bounds requests that belong to no call, such as metadata.
  if (error instanceof DOMException && error.name === "TimeoutError")
    return new BridgeError("timeout", "the server did not answer in time", {
      hint: "check that the server is up, then try again",
      cause: error,
    });
  const stop = stops.get((error as { by?: unknown } | null | undefined)?.by);
  if (stop !== undefined) return new BridgeError(stop[0], stop[1], { cause: error });
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new BridgeError("internal", `unexpected failure: ${text}`, { cause: error });
}
