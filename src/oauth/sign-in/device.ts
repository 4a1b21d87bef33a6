import { BridgeError } from "../../wire/errors.ts";
import { clientAuth } from "../client/client-auth.ts";
import { libraryOptions } from "../client/oauth4webapi.ts";
import { refusalOf, refusalText, requestTokens } from "../client/token-endpoint.ts";
import { endpointUrl, type JsonObject, jsonObject } from "../core/document.ts";
import type { Grant, OAuthClient } from "../core/grant.ts";
import { isTransient } from "../core/transient.ts";
import { grantOf, noteRefusedScope, type Prepared, requireShowable } from "./prepare.ts";

/** Longest polling interval, whatever `interval` the server names: a longer pause would only let the code expire. */
const longestPauseMs = 60_000;

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";

/** A device authorization that waits for a person (RFC 8628 3.2). */
export interface DeviceRequest {
  /** The page on which the user enters the code. */
  readonly url: URL;
  /** The page with the code in its address (`verification_uri_complete`), where the server sends it. */
  readonly completeUrl?: URL;
  /** Letters, digits and dashes, 4 to 16; anything else is refused. */
  readonly userCode: string;
  readonly deviceCode: string;
  /** PKCE code verifier, if the request carried a code challenge (RFC 7636). */
  readonly verifier?: string;
  readonly client: OAuthClient;
  /** When the device code expires, in ms since 1970. */
  readonly expiresAt: number;
  readonly intervalMs: number;
}

/** Whether the authorization server lets a person sign in on another device. */
export function offersDevice({ found }: Prepared): boolean {
  const { deviceEndpoint, grantTypes } = found.issuer;
  if (deviceEndpoint === undefined) return false;
  return grantTypes === undefined || grantTypes.includes(deviceGrant);
}

function numberOf(value: unknown, fallback: number): number {
  const number = typeof value === "string" ? Number.parseFloat(value) : value;
  return typeof number === "number" && Number.isFinite(number) && number > 0 ? number : fallback;
}

interface DeviceAnswer {
  readonly client: OAuthClient;
  readonly json: JsonObject;
  readonly verifier: string | undefined;
}

/** Asks the device endpoint (RFC 8628 3.1), again with a new client where that may help. */
async function requestDevice(
  prepared: Prepared,
  deviceEndpoint: string,
  redirectUri: string,
  signal: AbortSignal,
): Promise<DeviceAnswer> {
  const { context, found, scope } = prepared;
  const { auth } = context;
  const { issuer, pkceMethods } = found.issuer;
  const client = await prepared.client.get(redirectUri, signal);
  const oauth = await import("oauth4webapi");
  // Some servers (Keycloak) demand PKCE of every grant of a client; the others ignore it (RFC 6749 3.1).
  const wantsPkce = auth.pkce === "S256" || pkceMethods?.includes("S256") === true;
  const verifier = wantsPkce ? oauth.generateRandomCodeVerifier() : undefined;
  context.redactor.add(verifier);
  const challenge = verifier && {
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  };
  const response = await oauth.deviceAuthorizationRequest(
    { issuer, device_authorization_endpoint: deviceEndpoint },
    { client_id: client.id },
    await clientAuth(context, client, true),
    {
      ...(scope !== undefined && { scope }),
      ...(found.resource !== undefined && { resource: found.resource }),
      ...challenge,
      ...auth.authorizeParams,
    },
    await libraryOptions(context, issuer, signal),
  );
  // The reader of oauth4webapi is stricter: it refuses an `expires_in` or `interval` that is text.
  const json = jsonObject(await response.text()) ?? {};
  if (response.ok) return { client, json, verifier };
  if (prepared.client.renew(json.error))
    return requestDevice(prepared, deviceEndpoint, redirectUri, signal);
  if (json.error === "invalid_scope") await noteRefusedScope(prepared);
  const kind = response.status >= 500 ? "server-error" : "sign-in-required";
  throw new BridgeError(
    kind,
    `the device sign-in to server "${context.server.name}" was refused: ${refusalText(refusalOf(json, context))}`,
  );
}

/**
 * Asks for a code that a person types in on another device. `redirectUri` goes into a registration: some servers
 * demand one there. Throws a BridgeError.
 */
export async function startDevice(
  prepared: Prepared,
  redirectUri: string,
  signal: AbortSignal,
): Promise<DeviceRequest> {
  const { context, found } = prepared;
  const { server } = context;
  const { deviceEndpoint } = found.issuer;
  if (deviceEndpoint === undefined) {
    throw new BridgeError(
      "bad-answer",
      `the authorization server of "${server.name}" offers no device sign-in`,
      {
        hint: 'remove "grant": "device_code" from the configuration, or ask the provider',
      },
    );
  }
  const { client, json, verifier } = await requestDevice(
    prepared,
    deviceEndpoint,
    redirectUri,
    signal,
  );
  const { device_code, user_code, verification_uri, verification_uri_complete } = json;
  const isWhole = typeof device_code === "string" && /^[\x21-\x7e]+$/.test(device_code);
  if (!isWhole || typeof user_code !== "string" || !/^[A-Za-z0-9-]{4,16}$/.test(user_code)) {
    throw new BridgeError(
      "bad-answer",
      `the device sign-in of server "${server.name}" came without a usable code`,
    );
  }
  context.redactor.add(device_code);
  const place = (value: unknown) =>
    requireShowable(
      prepared,
      endpointUrl(value, "the page to type the code in").href,
      "page to type the code in",
    );
  const url = place(verification_uri);
  return {
    url,
    ...(verification_uri_complete !== undefined && {
      completeUrl: place(verification_uri_complete),
    }),
    userCode: user_code,
    deviceCode: device_code,
    ...(verifier !== undefined && { verifier }),
    client,
    expiresAt: context.now() + numberOf(json.expires_in, 600) * 1000,
    intervalMs: Math.min(Math.max(numberOf(json.interval, 5) * 1000, 1000), longestPauseMs),
  };
}

/**
 * Waits for the person to type the code in (RFC 8628 3.4, 3.5). Resolves to the error if the server refuses the grant to
 * this client, so that another method may work. Throws `sign-in-required` where the person refuses or the code expires.
 */
export async function awaitDevice(
  prepared: Prepared,
  request: DeviceRequest,
  signal: AbortSignal,
): Promise<Grant | BridgeError> {
  const { context, found, dpop } = prepared;
  const { deviceCode, verifier } = request;
  let { client, intervalMs } = request;
  const fail = (why: string) =>
    new BridgeError(
      "sign-in-required",
      `the sign-in to server "${context.server.name}" failed: ${why}`,
      {
        hint: `run ${context.login}`,
      },
    );
  for (;;) {
    await context.sleep(intervalMs, signal);
    if (context.now() > request.expiresAt) throw fail("nobody typed the code in before it expired");
    try {
      const tokens = await requestTokens({
        context,
        issuer: found.issuer,
        client,
        grantType: deviceGrant,
        parameters: {
          device_code: deviceCode,
          code_verifier: verifier,
          resource: found.resource,
        },
        ...(dpop && { dpop }),
        signal,
      });
      const { clientMethod = client.method } = tokens;
      client = { ...client, method: clientMethod };
      if (!("error" in tokens)) return grantOf(prepared, client, tokens);
      const { error } = tokens;
      if (error === "authorization_pending") continue;
      if (error === "expired_token") throw fail("nobody typed the code in before it expired");
      // The person's own decision: another method must not ask again.
      if (error === "access_denied") throw fail(refusalText(tokens));
      if (error !== "slow_down") {
        prepared.client.renew(error);
        return fail(refusalText(tokens));
      }
      intervalMs += 5000;
    } catch (error) {
      // No response came: poll less often (RFC 8628 3.5).
      if (signal.aborted || !isTransient(error)) throw error;
      intervalMs = Math.min(intervalMs * 2, longestPauseMs);
    }
  }
}
