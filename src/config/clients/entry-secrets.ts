import { looksSecret, namesSecret } from "../validators.ts";
import { isObject } from "./document.ts";

/** Variables and keys whose values are no secrets. */
const harmless =
  /^(PATH|HOME|USER|SHELL|TE?MP|TMPDIR|LANG|LC_.*|TERM|NODE_.*|SSL_CERT_.*|(LOCAL)?APPDATA|SYSTEMROOT|USERPROFILE|COMSPEC|LOG_LEVEL|BUN_JSC_.*)$/i;
/** Keys whose values are all taken for secrets. */
const containers =
  /^(env|envs|environment|(env_?)?(http_?)?headers|oauth|auth|request_?(init|options))$/i;
/** Keys whose values are shown. */
const open =
  /^(command|cmd|type|name|path|cwd|transport|enabled|disabled|scopes?|client_?id|.*(url|uri|port|timeout.*|tools|method|mode))$/i;

/** The texts of a client's entry that may be secrets: values of variables, headers and OAuth settings, words behind options that name a secret, queries of URLs. */
export function secretsIn(entry: unknown): string[] {
  const found: string[] = [];
  collect("", entry, false, found);
  return found.filter((text) => text !== "");
}

function collect(key: string, value: unknown, isInside: boolean, found: string[]): void {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries())
      if (typeof item === "string") ofWord(item, String(value[at - 1] ?? ""), found);
      else collect(key, item, isInside, found);
    return;
  }
  if (isObject(value)) {
    for (const [name, item] of Object.entries(value))
      collect(name, item, isInside || containers.test(key), found);
    return;
  }
  if (typeof value !== "string") return;
  const isShown = harmless.test(key) || (open.test(key) && !namesSecret(key));
  const isSecret = containers.test(key) || isInside || namesSecret(key) || looksSecret(value);
  if (isSecret && !isShown) ofValue(value, found);
  else ofUrl(value, found);
  if (/\s/.test(value) && !isSecret) for (const word of value.split(/\s+/)) ofUrl(word, found);
}

/** A value, and what stands behind its scheme: `Bearer x`. */
function ofValue(value: string, found: string[]): void {
  found.push(value, /^\s*\S+\s+(\S.*)$/s.exec(value)?.[1]?.trim() ?? "");
}

function ofUrl(text: string, found: string[]): void {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? URL.parse(text) : null;
  if (url === null) return;
  for (const pair of url.search.slice(1).split("&")) found.push(pair.slice(pair.indexOf("=") + 1));
  found.push(url.password);
}

/** A word of a command line. */
function ofWord(word: string, previous: string, found: string[]): void {
  ofUrl(word, found);
  const [, name = "", value = ""] = /^-*([\w.-]+)\s*[:=]\s*(.*)$/s.exec(word) ?? [];
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(word);
  if (name !== "" && !isUrl) ofValue(value, found);
  const isBehind =
    /^-/.test(previous) && (namesSecret(previous) || /header|info|^-H$/i.test(previous));
  if (isBehind || /^\s*\{/.test(word) || (looksSecret(word) && !isUrl)) ofValue(word, found);
}
