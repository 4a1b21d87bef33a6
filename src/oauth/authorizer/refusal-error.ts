import type { Redactor } from "../../platform/redact.ts";
import { BridgeError, type Hint } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";
import { reasonIn } from "../../wire/server-reason.ts";
import type { Refusal } from "./types.ts";

const description = /error_description="((?:[^"\\]|\\.)*)"/i;

/** The server's reason, cleaned and redacted; "" if it gave none. */
function wordsOf({ body, wwwAuthenticate }: Refusal, redactor: Redactor): string {
  const challenge = description.exec(wwwAuthenticate ?? "")?.[1]?.replace(/\\(.)/g, "$1");
  return redactor.shown(challenge || reasonIn(body), 300);
}

/** What to do where a firewall in front of the server refuses the bridge. */
export const firewallHint = `ask the server's operator to let this client pass: its address, or the User-Agent ${program.name}/${program.version}`;

/** MCP servers refuse with JSON or with a challenge; firewalls and bot protection refuse with a page. */
const isWebPage = ({ body, wwwAuthenticate }: Refusal) =>
  wwwAuthenticate === null && /^\s*<(?:!doctype|html)\b/i.test(body);

/** The error for a 401 or 403: a fixed phrase for the status, then the server's reason. */
export function refusalError(
  refusal: Refusal,
  server: string,
  hint: Hint,
  redactor: Redactor,
): BridgeError {
  const { status } = refusal;
  const words = wordsOf(refusal, redactor);
  const said = words === "" ? "" : ` and said: ${words}`;
  const isForbidden = status === 403;
  if (isForbidden && isWebPage(refusal))
    return new BridgeError(
      "forbidden",
      `Access forbidden: a firewall in front of server "${server}" answered 403 with a web page${words === "" ? "" : `, and said: ${words}`}`,
      { hint: firewallHint, status },
    );
  const head = isForbidden ? "Access forbidden" : "Authentication failed";
  return new BridgeError(
    isForbidden ? "forbidden" : "unauthorized",
    `${head}: server "${server}" answered ${status}${said}`,
    { hint, status },
  );
}
