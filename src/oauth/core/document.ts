import { BridgeError } from "../../wire/errors.ts";
import type { GuardedHttp } from "./ssrf-guard.ts";

/** A JSON object as a server sent it: nothing in it is known to be what it should be. */
export type Json = { readonly [name in Member]?: unknown } & { readonly [name: string]: unknown };

/** The members that are read: of metadata (RFC 8414 2, RFC 9728 2), answers (RFC 6749 5, RFC 7591 3.2, RFC 8628 3.2), and what is stored. */
type Member =
  | "access_token"
  | "authorization_endpoint"
  | "authorization_response_iss_parameter_supported"
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

/** The text as a JSON object; undefined where it is none. */
export function jsonObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Json)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The strings of a member that should be a list of strings; undefined where it is no list. */
export function stringsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : undefined;
}

/** Fetches a metadata document; undefined where the server has none there (any status but 200, or no JSON object). */
export async function fetchDocument(
  http: GuardedHttp,
  url: URL,
  signal: AbortSignal,
): Promise<Json | undefined> {
  const response = await http({
    method: "GET",
    url,
    headers: { accept: "application/json" },
    signal,
  });
  return response.status === 200 ? jsonObject(await response.text()) : undefined;
}

/**
 * A URL that a server named as one of its endpoints, parsed and written anew. Throws `refused` where it is
 * not plain http(s): it may be handed to a browser (CVE-2025-6514).
 */
export function endpointUrl(value: unknown, what: string): URL {
  const url = typeof value === "string" ? URL.parse(value) : null;
  const refuse = (why: string) => new BridgeError("refused", `${what} ${why}`);
  if (url === null) throw refuse("is not a URL");
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refuse("is not an http URL");
  if (url.username !== "" || url.password !== "") throw refuse("holds a password");
  // Judged as sent: the parser drops tabs and line ends and would hide that they were there.
  if (/[\p{Cc}\s"'`<>\\^{}|$;()]/u.test(String(value)))
    throw refuse("holds characters that no endpoint needs");
  url.hash = "";
  return url;
}
