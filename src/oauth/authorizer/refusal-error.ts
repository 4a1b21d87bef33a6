import type { Redactor } from "../../platform/redact.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Refusal } from "./types.ts";

const description = /error_description="((?:[^"\\]|\\.)*)"/i;

/** What a JSON body says: OAuth's, JSON-RPC's and the common REST forms. */
function fieldOf(body: string): unknown {
  try {
    const json = JSON.parse(body);
    return (
      json?.error_description ??
      json?.error?.message ??
      json?.message ??
      json?.detail ??
      json?.error
    );
  } catch {
    return undefined;
  }
}

/** The server's own words as they may be shown; "" where it had none (a page for people is none). */
function wordsOf(refusal: Refusal, redactor: Redactor): string {
  const field = fieldOf(refusal.body);
  const challenge = description.exec(refusal.wwwAuthenticate ?? "")?.[1]?.replace(/\\(.)/g, "$1");
  const plain = /^\s*[<{[]/.test(refusal.body) ? undefined : refusal.body;
  const said = (typeof field === "string" ? field : undefined) ?? challenge ?? plain ?? "";
  return redactor.shown(said, 300);
}

/** The error for a 401 or 403 that stands: the words of its class first, then the server's own. */
export function refusalError(
  refusal: Refusal,
  server: string,
  hint: string,
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
