// The URL of a server's entry: `${VAR}` and `${VAR:-default}` may stand in its path and query.

import type { Environment } from "../platform/paths.ts";
import { shownUrl } from "../platform/redact.ts";
import { BridgeError } from "../wire/errors.ts";
import { requireVariable } from "./environment.ts";
import type { ServerSettings } from "./settings.ts";
import {
  expand,
  isLoopback,
  literalOf,
  requiredVariablesIn,
  urlProblem,
  variablesIn,
} from "./validators.ts";

/** Why `text` cannot be a server's URL; `allowHttp` as in its entry. */
export function serverUrlProblem(text: string, allowHttp: boolean): string | undefined {
  if (text.includes("${")) {
    if (literalOf(text).includes("${")) return `expected a variable's name between "\${" and "}"`;
    if (/^[^/]*\/\/[^/?#]*\$\{|^[^:/]*\$\{/.test(text))
      return "expected variables in the path and the query of the URL alone";
  }
  // A letter in place of each variable: what stands around them must be a URL of its own.
  const plain = withLetters(text);
  return urlProblem(allowHttp ? plain.replace(/^http:/i, "https:") : plain);
}

/** A URL with a letter, or its default, in place of each variable. */
const withLetters = (text: string) => expand(text, {}, () => "x", encodeURIComponent);

/** Whether the scheme of a URL needs `allowHttp`. */
export function needsAllowHttp(url: URL): boolean {
  return url.protocol === "http:" && !isLoopback(url);
}

const named = (variable: string) => `\${${variable}}`;

/**
 * A server's URL with the values of its variables, encoded so that a value is one segment of the path or one value of the
 * query, whatever it holds. Variables that are unset stay as they are written; requireUrlVariables() reports them.
 */
export function expandedUrl(text: string, env: Environment): URL {
  return text.includes("${")
    ? new URL(expand(text, env, named, encodeURIComponent))
    : new URL(text);
}

/** Throws `configuration` if the URL of the server's entry refers to an unset variable, or a value (`.`, `..`) would change the path around it. */
export function requireUrlVariables(
  { name, urlTemplate: text, url }: Pick<ServerSettings, "name" | "urlTemplate" | "url">,
  env: Environment,
): void {
  if (text === undefined) return;
  const what = `url of server "${name}"`;
  for (const variable of requiredVariablesIn(text)) requireVariable(env, variable, what);
  const segments = ({ pathname }: URL) => pathname.split("/").length;
  if (segments(new URL(withLetters(text))) === segments(url)) return;
  throw new BridgeError("configuration", `${what}: a value would change the path around it`, {
    hint: `check ${variablesIn(text).join(", ")}: expected no "." and no ".."`,
  });
}

/** A server's URL for display: variables by name, and values of the query as `...`. */
export function shownServerUrl({
  url,
  urlTemplate,
}: Pick<ServerSettings, "url" | "urlTemplate">): string {
  if (urlTemplate === undefined) return shownUrl(url);
  const [path = "", query = ""] = urlTemplate.split(/\?(.*)/s, 2);
  const names = [...new Set(new URLSearchParams(query).keys())];
  return names.length === 0 ? path : `${path}?${names.map((name) => `${name}=...`).join("&")}`;
}
