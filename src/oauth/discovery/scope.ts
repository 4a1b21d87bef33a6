import type { OAuthContext } from "../core/context.ts";
import type { BearerChallenge } from "./challenge.ts";
import type { SignInTarget } from "./discovery.ts";

/**
 * The scope to ask for (MCP 2026-07-28, scope selection): the configured one, else the challenge's, else the scopes
 * that the resource lists, else none.
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

/** Adds offline_access for a person's sign-in, where the authorization server lists it and a scope is asked for. */
export function scopeForUser(
  scope: string | undefined,
  offered: readonly string[] | undefined,
): string | undefined {
  const word = "offline_access";
  if (scope === undefined || offered?.includes(word) !== true) return scope;
  return scope.split(" ").includes(word) ? scope : `${scope} ${word}`;
}
