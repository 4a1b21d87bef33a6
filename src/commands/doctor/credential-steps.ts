// Challenge and token, where the server accepted the first request or refused a configured credential.

import { refusalError } from "../../oauth/authorizer/refusal-error.ts";
import type { StoredGrant } from "../../oauth/core/grant.ts";
import { bearerChallenge, schemesOf } from "../../oauth/discovery/challenge.ts";
import { mayUseOAuth } from "../../oauth/store/grant-owner.ts";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { withClock } from "./clock.ts";
import type { FirstAnswer } from "./first-request.ts";
import { discoveryMs, type HttpFacts } from "./http-facts.ts";
import { bearerIn, flawOf, tokenText } from "./token-facts.ts";
import { amended, skipped, type Walk } from "./walk.ts";

/** The remaining steps where the server accepted the first request. */
export async function walkAccepted(
  walk: Walk,
  answer: FirstAnswer,
  facts: HttpFacts,
): Promise<void> {
  const token = bearerIn(answer.sent);
  const { status, headers } = answer.response;
  const challenge = status === 403 ? bearerChallenge(headers.get("www-authenticate")) : undefined;
  await walk.step("challenge", () =>
    challenge === undefined
      ? skipped(token === undefined ? "none: the server answers without" : "none: accepted")
      : { detail: `${challenge.scheme}, error ${cleanText(challenge.error ?? "(none)", 50)}` },
  );
  for (const name of ["resource metadata", "authorization server", "registration"] as const)
    await walk.step(name, () => skipped("not needed"));
  await walk.step("token", async () => {
    const stored = mayUseOAuth(facts.settings) ? await storedOf(facts) : undefined;
    if (challenge !== undefined) throw missingScope(challenge.scope, stored, answer, facts);
    return token === undefined ? skipped("none is needed") : { detail: tokenText(token, stored) };
  });
}

/** The error for a token without a scope that the server asks for (RFC 6750 3.1). */
function missingScope(
  scope: string | undefined,
  stored: StoredGrant | undefined,
  { response, text, sent }: FirstAnswer,
  { settings, redactor }: HttpFacts,
): BridgeError {
  const { name } = settings;
  const wanted = scope === undefined ? "" : `; it asks for the scope ${cleanText(scope, 200)}`;
  const has = stored?.grant?.scope;
  const granted = has === undefined ? "" : `, and the sign-in has ${cleanText(has, 200)}`;
  const refusal = {
    status: 403,
    body: text,
    wwwAuthenticate: response.headers.get("www-authenticate"),
    sent,
  };
  return amended(
    refusalError(
      refusal,
      name,
      (command) =>
        stored === undefined
          ? "ask the server's operator for a token with that scope"
          : `run ${command(`login --server ${name}`)} to be granted more`,
      redactor,
    ),
    { more: `${wanted}${granted}` },
  );
}

async function storedOf({ authorizer }: HttpFacts): Promise<StoredGrant> {
  return (await authorizer.oauth()).store.read();
}

/** The remaining steps where a configured credential was refused. */
export async function walkStatic(
  walk: Walk,
  answer: FirstAnswer,
  header: string | null,
  facts: HttpFacts,
): Promise<void> {
  await walk.step("challenge", () => {
    const schemes = schemesOf(header).map((scheme) => cleanText(scheme, 20));
    return { detail: schemes.length === 0 ? "401 without a challenge" : schemes.join(", ") };
  });
  for (const name of ["resource metadata", "authorization server", "registration"] as const)
    await walk.step(name, () => skipped("not used: a credential is configured"));
  await walk.step("token", async () => {
    throw withClock(await refusedToken(answer, header, facts), answer);
  });
}

/** The error for a refused token, with what the token itself tells. */
async function refusedToken(answer: FirstAnswer, header: string | null, facts: HttpFacts) {
  const { authorizer, settings } = facts;
  const { text, sent } = answer;
  const refusal = { status: 401, wwwAuthenticate: header, body: text, sent };
  const error = await authorizer
    .refused(refusal, AbortSignal.timeout(discoveryMs))
    .then(
      () =>
        new BridgeError(
          "unauthorized",
          `Authentication failed: server "${settings.name}" answered 401, and the credential has changed meanwhile`,
          { hint: "run this command again" },
        ),
    )
    .catch((thrown) => {
      if (thrown instanceof BridgeError) return thrown;
      throw thrown;
    });
  return amended(error, flawOf(bearerIn(sent), settings.url));
}
