import { BridgeError, settingHint } from "../../wire/errors.ts";
import { refusalOf, requestTokens, type TokenRefusal } from "../client/token-endpoint.ts";
import type { OAuthContext } from "../core/context.ts";
import type { Grant, OAuthClient } from "../core/grant.ts";
import { repeatedWhileBusy } from "../core/transient.ts";
import type { Issuer } from "../discovery/issuer.ts";
import { grantOf, type Prepared, requireShort, requireShowable } from "./prepare.ts";

/** An authorization request (RFC 6749 4.1.1, RFC 7636, RFC 9207) whose response has not come yet. */
export interface CodeRequest {
  /** The page on which the user signs in. */
  readonly url: URL;
  readonly state: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly client: OAuthClient;
}

/** Throws for an authorization server without a page to sign in at, or one that does not say that it checks PKCE. Returns the page's address. */
export function requireCodeGrant(
  { auth, server }: Pick<OAuthContext, "auth" | "server">,
  { authorizationEndpoint, pkceMethods }: Issuer,
): string {
  if (authorizationEndpoint === undefined) {
    throw new BridgeError(
      "bad-answer",
      `the authorization server of "${server.name}" has no page to sign in at`,
      {
        hint: settingHint(
          'set "auth.grant" to what the provider offers, such as device_code or client_credentials',
        ),
      },
    );
  }
  if (auth.pkce === "S256" || pkceMethods?.includes("S256") === true) return authorizationEndpoint;
  throw new BridgeError(
    "refused",
    `the authorization server of "${server.name}" does not say that it checks PKCE (S256)`,
    {
      hint: settingHint(
        'if its provider says it does (Microsoft Entra), set "auth": {"type": "oauth", "pkce": "S256"}',
      ),
    },
  );
}

/** Makes the URL that begins a sign-in by authorization code. Throws a BridgeError. */
export async function startCode(
  prepared: Prepared,
  redirectUri: string,
  signal: AbortSignal,
): Promise<CodeRequest> {
  const { context, found, scope } = prepared;
  const { auth } = context;
  const { issuer, resource } = found;
  const endpoint = requireCodeGrant(context, issuer);
  const page = "page to sign in at";
  const url = requireShowable(prepared, endpoint, page);
  const client = await prepared.client.get(redirectUri, signal);
  const { redirectUri: to = redirectUri } = client;
  const oauth = await import("oauth4webapi");
  const state = oauth.generateRandomState();
  const verifier = oauth.generateRandomCodeVerifier();
  for (const secret of [state, verifier]) context.redactor.add(secret);
  const parameters = {
    response_type: "code",
    client_id: client.id,
    redirect_uri: to,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    scope,
    resource,
    // OpenID Connect grants offline access only with prompt=consent (Core 11).
    prompt: scope?.split(" ").includes("offline_access") ? "consent" : undefined,
    ...auth.authorizeParams,
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  requireShort(url, page);
  return { url, state, verifier, redirectUri: to, client };
}

/** The error of a sign-in that failed. */
export function signInFailed({ server, login }: OAuthContext, why: string): BridgeError {
  return new BridgeError(
    "sign-in-required",
    `the sign-in to server "${server.name}" failed: ${why}`,
    {
      hint: `run ${login}`,
    },
  );
}

/**
 * The code of an authorization response, or its error (RFC 6749 4.1.2.1); the caller has checked `state`. Throws
 * `sign-in-required` where the response comes from another issuer. `iss` is checked first, errors included (RFC 9207 2.4).
 */
export function codeFrom(prepared: Prepared, answer: URLSearchParams): string | TokenRefusal {
  const { context, found } = prepared;
  const { issuer } = found;
  const from = answer.getAll("iss");
  if (from.length > 1 || (from.length === 1 && from[0] !== issuer.issuer)) {
    const named = context.redactor.shown(from.join(" and "), 200);
    throw signInFailed(
      context,
      `the answer came from another authorization server than was asked (iss is ${named}, not ${issuer.issuer})`,
    );
  }
  if (issuer.sendsIss && from.length === 0) {
    throw signInFailed(
      context,
      `the answer does not say which authorization server it is from: it lacks "iss", which that server's metadata promise`,
    );
  }
  const error = answer.get("error");
  if (error !== null) {
    const description = answer.get("error_description") ?? undefined;
    const json = { error, ...(description !== undefined && { error_description: description }) };
    return refusalOf(json, context);
  }
  const codes = answer.getAll("code");
  if (codes.length !== 1 || codes[0] === "")
    throw signInFailed(context, "the answer holds no code");
  context.redactor.add(codes[0]);
  return codes[0]!;
}

/** Exchanges an authorization code for a grant (RFC 6749 4.1.3), or resolves to the server's refusal. Throws a BridgeError. */
export async function redeemCode(
  prepared: Prepared,
  request: CodeRequest,
  code: string,
  signal: AbortSignal,
): Promise<Grant | TokenRefusal> {
  const { context, found, dpop } = prepared;
  const { client, redirectUri, verifier } = request;
  const redeem = () =>
    requestTokens({
      context,
      issuer: found.issuer,
      client,
      grantType: "authorization_code",
      parameters: {
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
        resource: found.resource,
      },
      ...(dpop && { dpop }),
      signal,
    });
  const tokens = await repeatedWhileBusy(redeem, context, signal);
  return "error" in tokens ? tokens : grantOf(prepared, client, tokens);
}

/**
 * Reads the authorization response that the user pasted: the redirect URL, its query, or the code alone. Throws
 * `sign-in-required` if `state` is wrong, or if the user pasted only a code although the server sends `iss`.
 */
export function pastedAnswer(
  prepared: Prepared,
  request: CodeRequest,
  text: string,
): URLSearchParams {
  const { context } = prepared;
  const line = text.trim();
  const query =
    URL.parse(line)?.search ?? (/[=&]/.test(line) ? line.replace(/^.*\?/, "") : undefined);
  if (query === undefined) {
    if (prepared.found.issuer.sendsIss) {
      throw signInFailed(
        context,
        "paste the whole address that the browser ended at, not the code alone",
      );
    }
    if (!/^[\x21-\x7e]+$/.test(line)) throw signInFailed(context, "that is no code");
    return new URLSearchParams({ code: line });
  }
  const answer = new URLSearchParams(query);
  if (answer.get("state") !== request.state) {
    throw signInFailed(
      context,
      "the address belongs to another sign-in: paste the one this sign-in ended at",
    );
  }
  return answer;
}
