import type { OAuthContext } from "../core/context.ts";
import type { BearerChallenge } from "./challenge.ts";
import type { SignInTarget } from "./discovery.ts";

/**
 * The scope to ask for (MCP 2026-07-28, scope selection): configured, else the challenge's, else what the
 * resource lists, else none; never invented.
 */
export function scopeToAsk(
  { auth }: Pick<OAuthContext, "auth">,
  { resourceScopes }: Pick<SignInTarget, "resourceScopes">,
  challenge: Pick<BearerChallenge, "scope"> | undefined,
): string | undefined {
  if (auth.scopes !== undefined) return auth.scopes.length > 0 ? auth.scopes.join(" ") : undefined;
  if (challenge?.scope !== undefined) return challenge.scope;
  return resourceScopes !== undefined && resourceScopes.length > 0
    ? resourceScopes.join(" ")
    : undefined;
}

/** The same for a person's sign-in: with offline_access where the authorization server offers that. */
export function scopeForUser(
  scope: string | undefined,
  offered: readonly string[] | undefined,
): string | undefined {
  const word = "offline_access";
  if (scope === undefined || offered?.includes(word) !== true) return scope;
  return scope.split(" ").includes(word) ? scope : `${scope} ${word}`;
}
