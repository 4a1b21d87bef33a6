// Rules of the configuration beyond types. A rule returns the error message, which never contains the value, or undefined
// for a valid value. `setup` also applies the rules to input of the user.

import type { Environment } from "../platform/paths.ts";
import { isVisible, isWord } from "../wire/text.ts";

/** Matches a server's name in the configuration, which is also the name of its state files. */
export const serverName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** RFC 9110 5.6.2. */
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
/** `${VAR}` or `${VAR:-default}`. */
const reference = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}/g;
// Headers that the bridge sets itself, and headers that determine the framing of a request.
const reservedHeader =
  /^(host|connection|content-.*|accept.*|mcp-.*|transfer-encoding|keep-alive|upgrade|te|trailer|expect|proxy-connection)$/i;
const secretName = /auth|key|token|secret|cookie|passw|credential|session|bearer|jwt|pat\b/i;

/** Whether the host of a URL is one of the three hosts for which plain http is allowed. */
export function isLoopback(url: URL): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
}

/** Why `text` cannot be a server's URL. */
export function urlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  // Check the parsed URL, not the text: `127.1` is 127.0.0.1, and `localhost.evil.example` is not localhost.
  if (url === null || !["https:", "http:"].includes(url.protocol) || /[\s\\]/.test(text)) {
    return "expected a URL such as https://host/path";
  }
  const hasUser = text.includes("@") && /^[a-z]+:\/\/[^/?#]*@/i.test(text);
  if (hasUser || url.username !== "" || url.password !== "") {
    return "expected a URL without user name and password (use token or headers)";
  }
  if (url.href.includes("#")) return "expected a URL without a fragment (#...)";
  if (url.protocol === "http:" && !isLoopback(url)) {
    return 'expected https (http only on localhost, 127.0.0.1 and [::1]; reach another host by a tunnel: ssh -L 8080:localhost:PORT HOST, then http://localhost:8080/PATH; or, in a private network, set "allowHttp": true)';
  }
  return undefined;
}

/** Why `text` cannot be an origin in a policy: `https://host`, `https://*.host` or `https://*`, with a port where it is not the scheme's. */
export function originProblem(text: string): string | undefined {
  // A rule that matches no URL would be no rule: one wildcard at most, and no dot at the end of the host.
  const place = text.replace(/^(https?:\/\/)\*(?=$|:|\.[^*])/, "$1host");
  const isOrigin = /^https?:/.test(place) && URL.parse(place)?.origin === place;
  return isOrigin && !/\*|\.(?=$|:\d)/.test(place)
    ? undefined
    : "expected an origin such as https://host or https://*.host, in lower case, without a path";
}

/** Why `text` cannot be a proxy's URL. Bun would silently ignore a SOCKS proxy (docs/hazards.md). */
export function proxyProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url !== null && ["http:", "https:"].includes(url.protocol)) return undefined;
  return "expected an http:// or https:// URL of a proxy (SOCKS is not supported)";
}

/** Why `text` cannot be a server's name. */
export function nameProblem(text: string): string | undefined {
  // Equal to `serverName`, but without a regular expression, which would slow every start.
  const isName = text !== "" && text.length <= 64 && isWord(text) && !text.includes(".");
  if (isName && !"_-".includes(text[0]!)) return undefined;
  return "expected a name of letters, digits, _ and -, beginning with a letter or digit, at most 64 characters";
}

/** Why `text`, already trimmed, cannot be a token. */
export function tokenProblem(text: string): string | undefined {
  if (text === "") return "expected a token that is not empty";
  if (isVisible(text)) return undefined;
  if (/^bearer\s/i.test(text)) return 'expected the token alone, without the word "Bearer"';
  return "expected a token of visible ASCII characters, no spaces";
}

/** Why `text` cannot be the name of a variable. */
export function variableProblem(text: string): string | undefined {
  return variableName.test(text) ? undefined : "expected the name of an environment variable";
}

/** Whether a header may have this name (RFC 9110, 5.1). */
export function isHeaderName(name: string): boolean {
  return fieldName.test(name);
}

/** Why `name` cannot be a configured header. */
export function headerNameProblem(name: string): string | undefined {
  if (!isHeaderName(name)) return "expected the name of a header";
  return reservedHeader.test(name)
    ? "expected another header: the bridge sets this one"
    : undefined;
}

/** Why `value` cannot be a configured header's value; it may contain `${VAR}`. */
export function headerValueProblem(value: string): string | undefined {
  if (!fieldValue.test(value)) {
    return "expected visible ASCII characters, without white space at the ends";
  }
  if (literalOf(value).includes("${")) {
    return `expected a variable's name between "\${" and "}"`;
  }
  return undefined;
}

/** Why `argv` cannot be a command. Commands run without a shell, and never from the current directory. */
export function argvProblem(argv: readonly string[]): string | undefined {
  const program = argv[0];
  if (program === undefined || program === "") return 'expected ["program", "argument", ...]';
  if (argv.some((word) => word.includes("\0"))) return "expected words without NUL";
  if (/[/\\]/.test(program) && !/^(\/|[A-Za-z]:[/\\])/.test(program)) {
    return "expected a program by absolute path, or by bare name to be found in PATH";
  }
  return undefined;
}

/** Replaces each reference in `value`: by the variable's value, else (unset or empty) by its default, else by the result of `missing`, which is not encoded. */
export function expand(
  value: string,
  env: Environment,
  missing: (variable: string) => string,
  encode: (text: string) => string = (text) => text,
): string {
  return value.replace(reference, (_, variable: string, fallback?: string) => {
    const text = env[variable] || fallback;
    return text === undefined ? missing(variable) : encode(text);
  });
}

/** The names of the variables that `value` refers to. */
export function variablesIn(value: string): string[] {
  return [...value.matchAll(reference)].map((match) => match[1]!);
}

/** The names of the variables that `value` refers to without a default. */
export function requiredVariablesIn(value: string): string[] {
  const required = [...value.matchAll(reference)].filter((match) => match[2] === undefined);
  return required.map((match) => match[1]!);
}

/** Whether the name of a header or query parameter suggests a secret. */
export function namesSecret(name: string): boolean {
  return secretName.test(name);
}

/** A value without its references to variables. */
export function literalOf(value: string): string {
  return value.replace(reference, "");
}

/** Whether a value may be a key: at least 16 characters, with letters and digits. */
export function looksSecret(value: string): boolean {
  return value.length >= 16 && /[0-9]/.test(value) && /[A-Za-z]/.test(value);
}

/** Whether a header or query parameter may contain a secret: its name suggests one, and its literal part has at least 8 characters. */
export function mayBeSecret(name: string, value: string): boolean {
  return namesSecret(name) && literalOf(value).length >= 8;
}

/** The first invalid or repeated header name, with the error message; undefined if all names are valid. */
export function headerProblem(
  names: readonly string[],
): { name: string; problem: string } | undefined {
  const seen = new Set<string>();
  for (const name of names) {
    const problem = headerNameProblem(name);
    if (problem !== undefined) return { name, problem };
    if (seen.has(name.toLowerCase())) return { name, problem: "expected each header once" };
    seen.add(name.toLowerCase());
  }
  return undefined;
}
