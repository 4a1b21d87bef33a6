// HTTP, challenge, sign-in metadata, registration and token. The server's answers are judged by the functions that `run` has.
import type { ServerSettings } from "../../config/settings.ts";
import type { Http } from "../../http/client.ts";
import { refusalError } from "../../oauth/authorizer/refusal-error.ts";
import type { ChosenAuthorizer } from "../../oauth/authorizer/select.ts";
import { isMachineGrant } from "../../oauth/client/machine-grants.ts";
import { configuredClient, requireOpenRegistration } from "../../oauth/client/registration.ts";
import { sendsConfiguredSecret } from "../../oauth/client/token-request-plan.ts";
import { isSameIssuer, type StoredGrant } from "../../oauth/core/grant.ts";
import { signInRequired } from "../../oauth/core/sign-in-required.ts";
import { bearerChallenge, schemesOf } from "../../oauth/discovery/challenge.ts";
import { fetchResource, issuerOf, type ResourceMetadata } from "../../oauth/discovery/discovery.ts";
import type { Issuer } from "../../oauth/discovery/issuer.ts";
import { noSignIn } from "../../oauth/sign-in/availability.ts";
import type { Log } from "../../platform/log.ts";
import type { Redactor } from "../../platform/redact.ts";
import { locationOf, redirectTarget } from "../../upstream/transport/redirects.ts";
import { wrongTypeError } from "../../upstream/transport/response-body.ts";
import { redirectError } from "../../upstream/transport/status-errors.ts";
import { BridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import type { FirstAnswer, FirstRequest } from "./first-request.ts";
import { expiryText, tokenFacts } from "./token-facts.ts";
import { amended, type Finding, skipped, type Walk } from "./walk.ts";

export interface HttpFacts {
  readonly settings: ServerSettings;
  readonly http: Http;
  readonly authorizer: ChosenAuthorizer;
  readonly first: FirstRequest;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Initializes by the child `run`; rejects with its error. */
  readonly initialized: () => Promise<unknown>;
}

/** Longest discovery of a sign-in. */
const discoveryMs = 30_000;
/** Other places that are tried when the path of the URL answers 404. */
const triedPaths = ["/mcp", "/sse", "/"];
const pathMs = 3000;

/** Walks from HTTP to the token. */
export async function walkHttp(walk: Walk, facts: HttpFacts): Promise<void> {
  const outcome = await facts.first.outcome();
  await walk.step("HTTP", () => {
    if (outcome instanceof BridgeError) throw outcome;
    return httpFinding(outcome, facts);
  });
  const answer = outcome as FirstAnswer;
  const { type } = facts.settings.credential;
  const isOAuth = type === "unset" || type === "oauth";
  if (answer.response.status !== 401) return walkAccepted(walk, answer, isOAuth, facts);
  const header = answer.response.headers.get("www-authenticate");
  if (!isOAuth) return walkStatic(walk, answer, header, facts);
  await walkOAuth(walk, answer, header, facts);
}

/** One line about a response: status, type, server. */
function responseText({ status, headers }: Response): string {
  const type = headers.get("content-type");
  const server = headers.get("server");
  return cleanText(
    `${status}, ${type ?? "no content type"}${server === null ? "" : `, server ${server}`}`,
    200,
  );
}

async function httpFinding(answer: FirstAnswer, facts: HttpFacts): Promise<Finding> {
  const { response, text, sent } = answer;
  const { settings, log, redactor } = facts;
  const { name, url } = settings;
  const { status, headers } = response;
  const detail = responseText(response);
  if (status >= 300 && status < 400 && redirectTarget(response, url) === undefined)
    throw redirectError({ name, status, from: url, to: locationOf(response, url), log });
  const isPage = (headers.get("content-type") ?? "").startsWith("text/html");
  if (status < 300 && isPage) throw wrongTypeError(name, response, text);
  const { ms } = answer;
  if (status === 401 || status < 300) return { detail, ms };
  if (status === 403 && bearerChallenge(headers.get("www-authenticate")) === undefined) {
    const refusal = { status, body: text, wwwAuthenticate: null, sent };
    const hint = "the account may not do this: ask the server's operator for the permission";
    throw refusalError(refusal, name, hint, redactor);
  }
  if (status === 403) return { detail, ms };
  // A server of another transport may answer so: the bridge itself finds out.
  try {
    await facts.initialized();
  } catch (error) {
    // A 404 to another request than this one does not mean the path.
    if (status === 404 && error instanceof BridgeError && error.kind === "server-not-found")
      throw await withOtherPaths(error, facts);
    // The hint of another 4xx names the command that runs here.
    const isOther = status < 500 && status !== 405;
    if (isOther && error instanceof BridgeError && error.kind === "server-error")
      throw amended(error, { newHint: "check that the URL is that of an MCP server" });
    throw error;
  }
  return { detail: `${detail}; the bridge gets on with it` };
}

/** The error for a path that is not there, with the places that did answer. */
async function withOtherPaths(error: BridgeError, { settings, http, first }: HttpFacts) {
  const { url, name } = settings;
  const outcome = await first.outcome();
  const sent = outcome instanceof BridgeError ? {} : outcome.sent;
  const places = triedPaths
    .filter((path) => path !== url.pathname)
    .map((path) => new URL(path, url.origin));
  const found = await Promise.all(
    places.map(async (place) => {
      const isSse = place.pathname === "/sse";
      const accept = isSse ? "text/event-stream" : "application/json, text/event-stream";
      const body = isSse ? {} : { body: '{"jsonrpc":"2.0","id":0,"method":"ping"}' };
      const response = await http({
        method: isSse ? "GET" : "POST",
        url: place,
        headers: { ...sent, accept, ...(!isSse && { "content-type": "application/json" }) },
        ...body,
        signal: AbortSignal.timeout(pathMs),
      }).catch(() => undefined);
      const { status = 404, headers } = response ?? {};
      await response?.body?.cancel().catch(() => undefined);
      const isWebPage = (headers?.get("content-type") ?? "").startsWith("text/html");
      return status === 404 || status === 405 || isWebPage
        ? undefined
        : `${place.pathname} (${status})`;
    }),
  );
  const tried = places.map(({ pathname }) => pathname).join(", ");
  const good = found.filter((place) => place !== undefined);
  if (good.length === 0)
    return amended(error, {
      more: `; ${tried} were tried and answer no better`,
      newHint: (command) =>
        settings.adHoc === undefined
          ? `check the URL's path: ${command(`setup --server ${name} --url URL`)}`
          : "check the URL's path in the client's entry",
    });
  const [path] = good[0]!.split(" ");
  return amended(error, {
    more: `; of ${tried}, which were tried, ${good.join(" and ")} answered`,
    newHint: (command) =>
      settings.adHoc === undefined
        ? `try that path: ${command(`setup --server ${name} --url ${url.origin}${path}`)}`
        : `try that path in the client's entry: ${url.origin}${path}`,
  });
}

/** The remaining steps where the server accepted the first request. */
async function walkAccepted(
  walk: Walk,
  answer: FirstAnswer,
  isOAuth: boolean,
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
    const stored = isOAuth ? await storedOf(facts) : undefined;
    if (challenge !== undefined) throw missingScope(challenge.scope, stored, answer, facts);
    return token === undefined ? skipped("none is needed") : tokenFinding(token, stored);
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

const bearerIn = ({ Authorization }: Readonly<Record<string, string>>): string | undefined =>
  /^(?:Bearer|DPoP) (.*)$/i.exec(Authorization ?? "")?.[1];

async function storedOf({ authorizer }: HttpFacts): Promise<StoredGrant> {
  return (await authorizer.oauth()).store.read();
}

function tokenText(token: string, stored: StoredGrant | undefined): string {
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

const tokenFinding = (token: string, stored: StoredGrant | undefined): Finding => ({
  detail: tokenText(token, stored),
});

/** The remaining steps where a configured credential was refused. */
async function walkStatic(
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
    throw await refusedToken(answer, header, facts);
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

/** What is wrong with a token by its own claims: words for the end of an error message, and the remedy where the error's own does not fit. */
function flawOf(
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

/** The remaining steps where the server asks for a sign-in, or refused one. */
async function walkOAuth(
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
    const assumed = issuer.isAssumed ? " (assumed: it publishes no metadata)" : "";
    const pinned = stored.pinned?.issuer;
    return {
      detail: `${cleanText(issuer.issuer, 200)}${assumed}${scopesText(issuer.scopes)}`,
      warnings:
        pinned === undefined || isSameIssuer(pinned, issuer.issuer)
          ? []
          : [`the last sign-in was at ${cleanText(pinned, 200)}`],
    };
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
    if (answer.credentialError !== undefined) throw answer.credentialError;
    if (sent === undefined && !isMachineGrant(context)) throw signInRequired(context);
    // The bridge renews a refused token, and obtains one where no person is needed.
    await facts.initialized().catch((error) => {
      throw error instanceof BridgeError ? amended(error, flawOf(sent, settings.url)) : error;
    });
    return { detail: "obtained without you" };
  });
}

function scopesText(scopes: readonly string[] | undefined): string {
  if (scopes === undefined || scopes.length === 0) return "";
  return `, scopes ${cleanText(scopes.join(" "), 200)}`;
}
