import { isInstant, type StoredGrant } from "../../oauth/core/grant.ts";
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
    ...(typeof exp === "number" && isInstant(exp * 1000) && { expiresAt: exp * 1000 }),
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

/** `expires in 3 h` or `expired 5 min ago`. A certificate may name a date that Date cannot represent: NaN. */
export function expiryText(expiresAt: number, now: number): string {
  if (Number.isNaN(expiresAt)) return "expires at a time that cannot be read";
  const left = expiresAt - now;
  return left > 0 ? `expires in ${spanText(left)}` : `expired ${spanText(left)} ago`;
}

/** The bearer token among the headers of a request. */
export const bearerIn = ({ Authorization }: Readonly<Record<string, string>>): string | undefined =>
  /^(?:Bearer|DPoP) (.*)$/i.exec(Authorization ?? "")?.[1];

/** One line about a token that the server accepted. */
export function tokenText(token: string, stored: StoredGrant | undefined): string {
  const facts = tokenFacts(token);
  const expiresAt = stored?.grant?.expiresAt ?? facts.expiresAt;
  const scope = stored?.grant?.scope ?? facts.scope;
  const parts = [
    `${token.length} characters`,
    ...(expiresAt === undefined ? [] : [expiryText(expiresAt, Date.now())]),
    ...(scope === undefined ? [] : [`scope ${cleanText(scope, 200)}`]),
    ...(facts.audience === undefined ? [] : [`for ${facts.audience.join(", ")}`]),
    ...(stored?.grant?.refreshToken === undefined ? [] : ["renewed without you"]),
  ];
  return parts.join(", ");
}

/** What is wrong with a token by its own claims: words for the end of an error message, and the remedy where the error's own does not fit. */
export function flawOf(
  token: string | undefined,
  url: URL,
): { readonly more?: string; readonly newHint?: string } {
  if (token === undefined) return {};
  const { expiresAt, audience = [] } = tokenFacts(token);
  const now = Date.now();
  if (expiresAt !== undefined && expiresAt < now)
    return { more: `; the token ${expiryText(expiresAt, now)}` };
  const isOurs = (each: string) => URL.parse(each)?.origin === url.origin;
  const urls = audience.filter((each) => URL.canParse(each));
  if (urls.length === 0 || urls.some(isOurs)) return {};
  return {
    more: `; the token is for ${urls.join(", ")}, not for ${url.origin}`,
    newHint: "use a token that was issued for this server",
  };
}
