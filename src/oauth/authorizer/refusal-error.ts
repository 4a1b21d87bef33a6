import type { Redactor } from "../../platform/redact.ts";
import { BridgeError, type Hint } from "../../wire/errors.ts";
import { reasonIn } from "../../wire/server-reason.ts";
import type { Refusal } from "./types.ts";

const description = /error_description="((?:[^"\\]|\\.)*)"/i;

/** The server's reason, cleaned and redacted; "" if it gave none. */
function wordsOf({ body, wwwAuthenticate }: Refusal, redactor: Redactor): string {
  const challenge = description.exec(wwwAuthenticate ?? "")?.[1]?.replace(/\\(.)/g, "$1");
  return redactor.shown(challenge || reasonIn(body), 300);
}

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
  const head = isForbidden ? "Access forbidden" : "Authentication failed";
  return new BridgeError(
    isForbidden ? "forbidden" : "unauthorized",
    `${head}: server "${server}" answered ${status}${said}`,
    { hint, status },
  );
}
