// Challenge, sign-in metadata, registration and token, where the server answered 401.

import { isMachineGrant } from "../../oauth/client/machine-grants.ts";
import { configuredClient, requireOpenRegistration } from "../../oauth/client/registration.ts";
import { sendsConfiguredSecret } from "../../oauth/client/token-request-plan.ts";
import { isSameIssuer } from "../../oauth/core/grant.ts";
import { signInRequired } from "../../oauth/core/sign-in-required.ts";
import { bearerChallenge, schemesOf } from "../../oauth/discovery/challenge.ts";
import {
  type DiscoveryRequest,
  fetchResource,
  issuerOf,
  type ResourceMetadata,
} from "../../oauth/discovery/discovery.ts";
import type { Issuer } from "../../oauth/discovery/issuer.ts";
import { requireCodeGrant } from "../../oauth/sign-in/authorization-code.ts";
import { noSignIn } from "../../oauth/sign-in/availability.ts";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { withClock } from "./clock.ts";
import type { FirstAnswer } from "./first-request.ts";
import { discoveryMs, type HttpFacts } from "./http-facts.ts";
import { bearerIn, flawOf } from "./token-facts.ts";
import { amended, skipped, type Walk } from "./walk.ts";

/** The remaining steps where the server asks for a sign-in, or refused one. */
export async function walkOAuth(
  walk: Walk,
  answer: FirstAnswer,
  header: string | null,
  facts: HttpFacts,
): Promise<void> {
  const { authorizer, settings } = facts;
  const signal = AbortSignal.timeout(discoveryMs);
  const { context, store } = await authorizer.oauth();
  const challenge = bearerChallenge(header);
  const schemes = schemesOf(header);
  await walk.step("challenge", async () => {
    const none = await noSignIn(context, { challenge, schemes }, signal);
    if (none !== undefined) throw none;
    const named = challenge?.resourceMetadata === undefined ? "" : ", which names its metadata";
    return {
      detail: `${schemes.map((each) => cleanText(each, 20)).join(", ") || "401 without a challenge"}${named}`,
    };
  });
  const stored = await store.read();
  const request = {
    ...context,
    server: settings.url,
    pinned: stored.pinned?.issuer,
    sendsSecret: sendsConfiguredSecret(context.auth),
    signal,
    ...(challenge?.resourceMetadata !== undefined && {
      resourceMetadata: challenge.resourceMetadata,
    }),
  };
  const issuer = await walkIssuer(walk, request, (found) => {
    const isByCode = !isMachineGrant(context) && context.auth.grant !== "device_code";
    if (isByCode && stored.grant === undefined) requireCodeGrant(context, found);
  });
  await walk.step("registration", async () => {
    const client =
      configuredClient(context, issuer) ?? stored.grant?.client ?? stored.clients?.[issuer.issuer];
    if (isMachineGrant(context) && client === undefined) return skipped("not used by this grant");
    if (client !== undefined)
      return { detail: `client ${cleanText(client.id, 80)} (${client.source})` };
    await requireOpenRegistration(context, issuer, signal);
    return {
      detail: `a client can be registered at ${new URL(issuer.registrationEndpoint!).host}`,
    };
  });
  await walk.step("token", async () => {
    const sent = bearerIn(answer.sent);
    if (answer.credentialError !== undefined) throw withClock(answer.credentialError, answer);
    if (sent === undefined && !isMachineGrant(context)) throw signInRequired(context);
    // The bridge renews a refused token, and obtains one where no person is needed.
    await facts.initialized().catch((error) => {
      throw error instanceof BridgeError
        ? withClock(amended(error, flawOf(sent, settings.url)), answer)
        : error;
    });
    return { detail: "obtained without you" };
  });
}

/** The steps that find the authorization server. `check` throws where no sign-in is possible there. */
async function walkIssuer(
  walk: Walk,
  request: DiscoveryRequest,
  check: (issuer: Issuer) => void,
): Promise<Issuer> {
  let found: ResourceMetadata | undefined;
  await walk.step("resource metadata", async () => {
    found = await fetchResource(request);
    return found === undefined
      ? skipped("none")
      : { detail: `resource ${cleanText(found.resource, 200)}${scopesText(found.scopes)}` };
  });
  let issuer!: Issuer;
  await walk.step("authorization server", async () => {
    issuer = await issuerOf(found, request);
    check(issuer);
    const assumed = issuer.isAssumed ? " (assumed: it publishes no metadata)" : "";
    const { pinned } = request;
    return {
      detail: `${cleanText(issuer.issuer, 200)}${assumed}${scopesText(issuer.scopes)}`,
      warnings:
        pinned === undefined || isSameIssuer(pinned, issuer.issuer)
          ? []
          : [`the last sign-in was at ${cleanText(pinned, 200)}`],
    };
  });
  return issuer;
}

function scopesText(scopes: readonly string[] | undefined): string {
  if (scopes === undefined || scopes.length === 0) return "";
  return `, scopes ${cleanText(scopes.join(" "), 200)}`;
}
