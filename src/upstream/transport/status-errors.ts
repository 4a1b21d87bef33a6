// The errors for HTTP statuses other than 2xx, with the server's reason.
import { firewallHint } from "../../oauth/authorizer/refusal-error.ts";
import type { Log } from "../../platform/log.ts";
import type { Redactor } from "../../platform/redact.ts";
import { BridgeError, type Hint, settingHint } from "../../wire/errors.ts";
import { reasonIn } from "../../wire/server-reason.ts";
import { cleanText, shellWord } from "../../wire/text.ts";
import { locationOf } from "./redirects.ts";
import { errorIn, messageIn } from "./response-body.ts";

/** Milliseconds of a Retry-After header in either form (RFC 9110 10.2.3); undefined where there is none. */
function retryAfterMs(response: Response, now: number): number | undefined {
  const value = response.headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** Whether the server put the request off without executing it; its JSON-RPC error is then reported after the last attempt. */
export function isPutOff({ status, headers }: Response): boolean {
  return status === 429 || (status === 503 && headers.has("retry-after"));
}

/** The server and the URL that a request went to. */
interface Requested {
  readonly name: string;
  readonly url: URL;
  readonly log: Log;
}

/** The error for a status of 300 or more; `text` is the body. */
export function failedStatusError(
  response: Response,
  text: string,
  requested: Requested,
  redactor: Redactor,
): BridgeError {
  return response.status < 400
    ? redirectError(response, requested)
    : statusError(response, text, requested.name, redactor);
}

/** The error for a status of 400 or more. It carries the server's JSON-RPC error, except for a refused credential. */
export function statusError(
  response: Response,
  text: string,
  name: string,
  redactor: Redactor,
): BridgeError {
  const { status } = response;
  const words = redactor.shown(reasonIn(text), 300);
  const reason = words === "" ? "" : ` and said: ${words}`;
  const retryAfter = retryAfterMs(response, Date.now());
  if (status === 401)
    return new BridgeError(
      "unauthorized",
      `Authentication failed: server "${name}" answered 401${reason}`,
      { status, hint: (command) => `check its credential: ${command(`doctor ${name}`)}` },
    );
  const details = {
    status,
    serverError: errorIn(messageIn(text)),
    ...(retryAfter !== undefined && { retryAfterMs: retryAfter }),
  };
  if (status === 511)
    return new BridgeError(
      "server-error",
      `Server error: a captive portal answered 511 in place of "${name}"${reason}`,
      { ...details, hint: "this network wants a sign-in: open any web page in a browser" },
    );
  // The header with which a content delivery network marks a challenge of its own.
  if (response.headers.has("cf-mitigated"))
    return new BridgeError(
      status === 429 ? "rate-limited" : "server-error",
      `Server error: a firewall in front of "${name}" answered ${status}${reason}`,
      { ...details, hint: firewallHint },
    );
  if (status === 404 || status === 410)
    return new BridgeError(
      "server-not-found",
      `Server not found: "${name}" answered ${status}${reason}`,
      {
        ...details,
        hint: (command) => `check the URL's path: ${command(`doctor ${name}`)} tries others`,
      },
    );
  if (status === 429)
    return new BridgeError("rate-limited", `"${name}" answered 429, too many requests${reason}`, {
      ...details,
      hint: "wait a while, then try again",
    });
  if (status >= 500)
    return new BridgeError("server-error", `Server error: "${name}" answered ${status}${reason}`, {
      ...details,
      hint: "try again later; if the error persists, tell the server's operator",
    });
  if (status === 405)
    return new BridgeError("server-error", `Server error: "${name}" answered 405${reason}`, {
      ...details,
      hint: settingHint(
        'a server of the old transport HTTP+SSE answers so: set "transport" of its entry to "auto" or "sse"',
      ),
    });
  return new BridgeError("server-error", `Server error: "${name}" answered ${status}${reason}`, {
    ...details,
    hint: (command) => `check that the URL is that of an MCP server: ${command(`doctor ${name}`)}`,
  });
}

/** Paths of pages on which people sign in. */
const signInPath = /\b(?:log|sign)[-_]?in\b|\bsso\b|\bsaml2?\b|\boauth2?\b|\bauthorize\b/i;

/** The error for a redirect that is not followed. Models read hints, so a URL on another origin never stands there: only a terminal shows it. */
export function redirectError(
  response: Response,
  { name, url: from, log }: Requested,
): BridgeError {
  const { status } = response;
  const to = locationOf(response, from);
  const refused = (where: string, hint: Hint) =>
    new BridgeError(
      "refused",
      `"${name}" answered with a redirect (${status})${where}, which is not followed`,
      { status, hint },
    );
  if (to === null) return refused("", "ask its operator for the URL of the MCP endpoint");
  const target = new URL(`${to.protocol}//${to.host}${to.pathname}`);
  // A server behind a proxy that ends TLS may redirect to its own host by plain http.
  if (target.protocol === "http:" && target.host === from.host) target.protocol = from.protocol;
  const isSignInPage = status < 307 && signInPath.test(target.pathname);
  if (target.origin === from.origin && target.href.length <= 300 && !isSignInPage)
    return refused("", (command) =>
      command.adHoc === undefined
        ? `if it has moved there: ${command(`setup --server ${name} --url ${shellWord(target.href)}`)}`
        : `if it has moved there, write ${target.href} in the client's entry`,
    );
  log.toTerminal("redirect", { server: name, to: to.href });
  const host = cleanText(to.host, 100);
  return refused(
    host === "" ? "" : ` to "${host}"`,
    // A redirect that keeps the method (307, 308) leads to no page, unless its path says so.
    status < 307 || signInPath.test(to.pathname)
      ? "a sign-in page may stand in front of the server, or it has moved: ask its operator for the URL of the MCP endpoint"
      : "ask its operator for the URL of the MCP endpoint",
  );
}
