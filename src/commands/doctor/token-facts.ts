import { cleanText } from "../../wire/text.ts";

/** What a token tells of itself, if it is a JWT (RFC 7519); nothing of it is checked. */
export interface TokenFacts {
  /** Milliseconds since 1970. */
  readonly expiresAt?: number;
  readonly audience?: readonly string[];
  readonly scope?: string;
}

interface Claims {
  readonly exp?: unknown;
  readonly aud?: unknown;
  readonly scope?: unknown;
  readonly scp?: unknown;
}

/** The public claims of a JWT; empty for a token of another form. */
export function tokenFacts(token: string): TokenFacts {
  const [, payload = "", signature] = token.split(".");
  if (signature === undefined) return {};
  let claims: Claims;
  try {
    const text = new TextDecoder().decode(
      Uint8Array.fromBase64(payload, { alphabet: "base64url" }),
    );
    claims = Object(JSON.parse(text)) as Claims;
  } catch {
    return {};
  }
  const { exp, aud, scope = claims.scp } = claims;
  const audience = [aud].flat().filter((each) => typeof each === "string");
  const scopes = [scope].flat().filter((each) => typeof each === "string");
  return {
    ...(typeof exp === "number" && { expiresAt: exp * 1000 }),
    ...(audience.length > 0 && { audience: audience.map((each) => cleanText(each, 200)) }),
    ...(scopes.length > 0 && { scope: cleanText(scopes.join(" "), 200) }),
  };
}

/** A span of time for people: `40 s`, `5 min`, `3 h`, `62 days`. */
export function spanText(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** `expires in 3 h` or `expired 5 min ago`. */
export function expiryText(expiresAt: number, now: number): string {
  const left = expiresAt - now;
  return left > 0 ? `expires in ${spanText(left)}` : `expired ${spanText(left)} ago`;
}
