import { BridgeError, type ErrorKind, type Hint } from "../../wire/errors.ts";
import type { OAuthContext } from "./context.ts";
import type { GuardedHttp } from "./ssrf-guard.ts";
import { isTransient } from "./transient.ts";

/** A JSON object that a server sent; the types of its members are not checked yet. */
export type JsonObject = { readonly [name in Member]?: unknown } & {
  readonly [name: string]: unknown;
};

/** Members that are read: of metadata (RFC 8414 2, RFC 9728 2), of answers (RFC 6749 5, RFC 7591 3.2, RFC 8628 3.2) and of the credentials file. */
type Member =
  | "access_token"
  | "authorization_endpoint"
  | "authorization_response_iss_parameter_supported"
  | "authed_user"
  | "authorization_servers"
  | "client_id"
  | "client_id_metadata_document_supported"
  | "client_secret"
  | "client_secret_expires_at"
  | "code_challenge_methods_supported"
  | "dpop_bound_access_tokens_required"
  | "dpop_signing_alg_values_supported"
  | "error"
  | "error_description"
  | "expires_in"
  | "grant"
  | "grant_types_supported"
  | "interval"
  | "issuer"
  | "origin"
  | "scopes_supported"
  | "server"
  | "token_endpoint_auth_method"
  | "token_endpoint_auth_methods_supported"
  | "version";

/** Parses a JSON object; undefined where the text is anything else. */
export function jsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The strings in a list, other items left out; undefined where the value is no list. */
export function stringsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : undefined;
}

/** Statuses that mean "no document here". Servers that guard every path answer 401 or 403 in place of 404. */
const noneStatuses: readonly number[] = [401, 403, 404, 405, 410];
/** Pauses before the second and third attempt at a URL that gave no usable answer. */
const pausesMs = [250, 1000];
/** A URL that has taken this long is not tried again, to leave time for the other URLs. */
const longestAttemptsMs = 10_000;

/** The document at a URL; "none" if the server answers that it has none; a BridgeError if the answer cannot be used. */
export type DocumentAnswer = JsonObject | "none" | BridgeError;

/**
 * Fetches a metadata document from one URL. A failure that may pass (5xx, 429, no answer, no JSON object) is retried
 * twice. Rejects with the signal's reason.
 */
export async function fetchDocument(
  { http, sleep }: Pick<OAuthContext, "http" | "sleep">,
  url: URL,
  issuer: string | undefined,
  signal: AbortSignal,
): Promise<DocumentAnswer> {
  const startedAt = performance.now();
  for (let attempt = 0; ; attempt++) {
    const answer = await askOnce(http, url, issuer, signal);
    const isFinal = !(answer instanceof BridgeError) || !mayChange(answer);
    const pauseMs = pausesMs[attempt];
    const isLate = performance.now() - startedAt > longestAttemptsMs;
    if (isFinal || pauseMs === undefined || isLate) return answer;
    await sleep(pauseMs, signal);
  }
}

const mayChange = (error: BridgeError) => isTransient(error) || error.kind === "bad-answer";

async function askOnce(
  http: GuardedHttp,
  url: URL,
  issuer: string | undefined,
  signal: AbortSignal,
): Promise<DocumentAnswer> {
  const headers = { accept: "application/json" };
  try {
    const response = await http({ method: "GET", url, headers, signal, ...(issuer && { issuer }) });
    const { status } = response;
    if (noneStatuses.includes(status)) return "none";
    const fail = (kind: ErrorKind, why: string) =>
      new BridgeError(kind, `"${url.host}" answered ${why}`, { status });
    if (status >= 500) return fail("server-error", `${status}`);
    if (status === 429) return fail("rate-limited", "429");
    if (status !== 200) return fail("refused", `${status}`);
    return jsonObject(await response.text()) ?? fail("bad-answer", "with no JSON object");
  } catch (error) {
    if (signal.aborted || !(error instanceof BridgeError)) throw error;
    return error;
  }
}

/** Why the metadata at one place, or of one authorization server, cannot be used. */
export interface DocumentFailure {
  readonly place: URL;
  readonly error: BridgeError;
}

/** Joins failures into one error with the kind and the hint of the first failure; `hint` replaces a missing hint. */
export function joinFailures(
  failures: readonly [DocumentFailure, ...DocumentFailure[]],
  what: string,
  hint?: Hint,
): BridgeError {
  const [{ error: first }] = failures;
  const reasons = failures.map(
    ({ place, error }) => `${place.host}${place.pathname}: ${error.message}`,
  );
  const shown = first.hint ?? hint;
  // A failure that was joined before names its places itself.
  const isJoined = failures.length === 1 && first.cause instanceof BridgeError;
  const message = isJoined ? first.message : `${what}: ${reasons.join("; ")}`;
  const details = { ...(shown !== undefined && { hint: shown }), cause: first };
  return new BridgeError(first.kind, message, { ...details, safeToRetry: first.safeToRetry });
}

/**
 * Parses and checks a URL that a server names as an endpoint. Throws `refused` unless it is a plain http(s) URL,
 * because it may be passed to a browser (CVE-2025-6514).
 */
export function endpointUrl(value: unknown, what: string): URL {
  const url = typeof value === "string" ? URL.parse(value) : null;
  const refuse = (why: string) => new BridgeError("refused", `${what} ${why}`);
  if (url === null) throw refuse("is not a URL");
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refuse("is not an http URL");
  if (url.username !== "" || url.password !== "") throw refuse("holds a password");
  // Checks the text, not the parsed URL: the parser silently removes tabs and line breaks.
  if (/[\p{Cc}\s"'`<>\\^{}|$;()]/u.test(String(value)))
    throw refuse("holds characters that no endpoint needs");
  url.hash = "";
  return url;
}
