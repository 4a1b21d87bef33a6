// The server's answer to the first request, and the steps that follow from it. The functions of `run` judge the answer.

import { refusalError } from "../../oauth/authorizer/refusal-error.ts";
import { bearerChallenge } from "../../oauth/discovery/challenge.ts";
import { mayUseOAuth } from "../../oauth/store/grant-owner.ts";
import { redirectTarget } from "../../upstream/transport/redirects.ts";
import { wrongTypeError } from "../../upstream/transport/response-body.ts";
import { redirectError } from "../../upstream/transport/status-errors.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { walkAccepted, walkStatic } from "./credential-steps.ts";
import type { FirstAnswer } from "./first-request.ts";
import type { HttpFacts } from "./http-facts.ts";
import { withOtherPaths } from "./other-paths.ts";
import { walkOAuth } from "./sign-in-steps.ts";
import { amended, type Finding, type Walk } from "./walk.ts";

/** Words with which web servers refuse a client without a certificate, and nginx's own statuses for that. */
const namesCertificate = /\b(?:ssl|tls|client) certificate/i;
const certificateStatuses = [495, 496];
const certificateHint = settingHint(
  'the server wants a client certificate: set "network.clientCertFile" and "network.clientKeyFile"',
);

/** Walks from HTTP to the token. */
export async function walkHttp(walk: Walk, facts: HttpFacts): Promise<void> {
  const outcome = await facts.first.outcome();
  await walk.step("HTTP", () => {
    if (outcome instanceof BridgeError) throw outcome;
    return httpFinding(outcome, facts);
  });
  const answer = outcome as FirstAnswer;
  if (answer.response.status !== 401) return walkAccepted(walk, answer, facts);
  const header = answer.response.headers.get("www-authenticate");
  if (!mayUseOAuth(facts.settings)) return walkStatic(walk, answer, header, facts);
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
    throw redirectError(response, { name, url, log });
  const isPage = (headers.get("content-type") ?? "").startsWith("text/html");
  if (status < 300 && isPage) throw wrongTypeError(name, response, text);
  const { ms } = answer;
  if (status === 401 || status < 300) return { detail, ms };
  if (status === 403 && bearerChallenge(headers.get("www-authenticate")) === undefined) {
    const refusal = { status, body: text, wwwAuthenticate: null, sent };
    const hint = namesCertificate.test(text)
      ? certificateHint
      : "the account may not do this: ask the server's operator for the permission";
    throw refusalError(refusal, name, hint, redactor);
  }
  if (status === 403) return { detail, ms };
  // A server of another transport may answer so: the bridge itself finds out.
  try {
    await facts.initialized();
  } catch (error) {
    // A 404 to another request than this one does not mean the path.
    const isPath = status === 404 || status === 410 || (status >= 300 && status < 400);
    if (isPath && error instanceof BridgeError && error.kind === "server-not-found")
      throw await withOtherPaths(error, facts);
    // The hint of another 4xx names the command that runs here.
    const isOther = status < 500 && status !== 405;
    if (isOther && error instanceof BridgeError && error.kind === "server-error") {
      const isCertificate = certificateStatuses.includes(status) || namesCertificate.test(text);
      const newHint = isCertificate
        ? certificateHint
        : "check that the URL is that of an MCP server";
      throw amended(error, { newHint });
    }
    throw error;
  }
  return { detail: `${detail}; the bridge gets on with it` };
}
