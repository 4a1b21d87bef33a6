import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import type { OAuth } from "../../oauth/authorizer/open.ts";
import { bearerChallenge, schemesOf } from "../../oauth/discovery/challenge.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";
import { openServerOAuth } from "../auth/open-oauth.ts";
import { initializeParams } from "../test/mcp-child.ts";

/** Conclusions from a server's answer to an `initialize` without a credential. */
export interface Look {
  /** The credential that the answer asks for; undefined if the answer does not tell. */
  readonly wants?: "oauth" | "token" | "none";
  /** A sentence that the wizard shows. */
  readonly finding: string;
}

/** Timeout of the whole check, in which the wizard waits. */
const lookMs = 5000;
const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":${initializeParams("setup")}}`;

/** Sends `initialize` without a credential and classifies the answer. Registers no client, starts no sign-in, never rejects. */
export async function lookAtServer(
  server: ServerSettings,
  context: Context,
  waitMs = lookMs,
): Promise<Look> {
  const signal = AbortSignal.timeout(waitMs);
  try {
    const { oauth, http } = await openServerOAuth(server, context);
    const response = await http({
      method: "POST",
      url: server.url,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: initialize,
      signal,
      keepalive: false,
    });
    await response.body?.cancel().catch(() => undefined);
    return await classify(response, oauth, signal);
  } catch (error) {
    if (signal.aborted) return { finding: `The server did not answer within ${waitMs / 1000} s.` };
    const failure = asBridgeError(error);
    const isClosed = failure.kind === "outcome-unknown" || failure.kind === "unreachable";
    if (isClosed && server.url.protocol === "http:")
      return {
        finding: "The server closed the connection: perhaps the port speaks TLS. Try https://",
      };
    const hint = failure.hintText(context.commandLine);
    const line = hint === undefined ? failure.message : `${failure.message} (${hint})`;
    return { finding: `The server could not be reached: ${context.redactor.shown(line)}` };
  }
}

async function classify(response: Response, oauth: OAuth, signal: AbortSignal): Promise<Look> {
  const { status, headers } = response;
  const isPage = (headers.get("content-type") ?? "").includes("text/html");
  if (headers.has("cf-mitigated") || (isPage && (status === 403 || status === 503))) {
    return {
      finding: `A firewall answered ${status} and asks for a browser: ask the server's operator to let MCP clients pass.`,
    };
  }
  if (status === 401) return classifyChallenge(headers.get("www-authenticate"), oauth, signal);
  if (status >= 300 && status < 400) {
    const to = URL.parse(headers.get("location") ?? "", oauth.context.server.url.href);
    const host = to === null ? "" : ` to "${cleanText(to.host, 100)}"`;
    return {
      finding: `The server answered with a redirect${host}: check the URL. Perhaps it leads to a sign-in page for people.`,
    };
  }
  if (isPage) {
    return {
      finding: `A web page answered (${status}): check the path. Perhaps a sign-in page or a captive portal answered.`,
    };
  }
  if (status < 300) return { wants: "none", finding: "The server answers without a sign-in." };
  return { finding: `The server answered ${status}: check the path of the URL.` };
}

/** Classifies a 401: `oauth` if the server publishes its authorization server, else `token`. */
async function classifyChallenge(
  header: string | null,
  { context }: OAuth,
  signal: AbortSignal,
): Promise<Look> {
  const schemes = schemesOf(header);
  if (schemes.length > 0 && !schemes.includes("bearer") && !schemes.includes("dpop")) {
    const named = schemes.map((scheme) => cleanText(scheme, 20)).join(", ");
    return {
      finding: `The server offers only the scheme ${named}, which the bridge does not speak. A header may carry a credential.`,
    };
  }
  const { discover } = await import("../../oauth/discovery/discovery.ts");
  const resourceMetadata = bearerChallenge(header)?.resourceMetadata;
  const target = await discover({
    ...context,
    server: context.server.url,
    sendsSecret: false,
    signal,
    ...(resourceMetadata !== undefined && { resourceMetadata }),
  }).catch(() => undefined);
  if (target === undefined || target.issuer.isAssumed) {
    return {
      wants: "token",
      finding: "The server asks for a token and publishes no authorization server.",
    };
  }
  const host = cleanText(new URL(target.issuer.issuer).host, 100);
  return { wants: "oauth", finding: `The server asks for a sign-in with OAuth at ${host}.` };
}
