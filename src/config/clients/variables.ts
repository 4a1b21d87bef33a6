// The syntaxes for variables in the clients' configuration files, and their conversion to config.json's `${VARIABLE}`.

/** A reference to an environment variable; `fallback` is its default, for a variable that is unset. */
export interface Reference {
  readonly variable: string;
  readonly fallback?: string;
  /** The client's name for a value that is not an environment variable, such as an input or a password manager's entry. */
  readonly asksFor?: string;
}

/** A text, split into literal parts and references. */
export type Template = readonly (string | Reference)[];

const name = "[A-Za-z_][A-Za-z0-9_]*";
/** One pattern per syntax: LibreChat's `{{X}}`, Crush's `$(command)`, Continue's `${{ secrets.X }}`, then `${X}`, `${X:-default}`, `${env:X}`, `${input:x}`, ... */
const patterns = [
  `\\$\\{\\{\\s*(?:secrets|env|inputs)\\.(?<continued>${name})\\s*\\}\\}`,
  `\\$\\{(?:env:)?(?<braced>${name})(?::?-(?<fallback>[^{}]*)|:?\\?[^{}]*)?\\}`,
  `\\$\\{(?<other>[^{}]+)\\}`,
  `\\{\\{\\s*(?<asked>[^{}]+?)\\s*\\}\\}`,
  `(?<command>\\$\\([^()]+\\))`,
  `\\{env:(?<opencode>${name})\\}`,
  `(?<file>\\{file:[^{}]+\\})`,
  `\\$env:(?<mcporter>${name})`,
  // A secret may contain a dollar sign: `$X` is a reference only if it is a whole word, or a whole part of a URL; in a
  // URL's path only in capitals, because OData's paths have a segment `$metadata`.
  `(?:(?<![^\\s:=/]|[^/]/)|(?<=/)(?=\\$[A-Z0-9_]+(?:$|[&/#])))\\$(?<bare>${name})(?=$|[&/#])`,
  "(?<=^|\\s|:)(?<manager>op://\\S+)",
];
const reference = new RegExp(patterns.join("|"), "g");

/** Makes a variable name from a client's name for a value: `github-token` gives `GITHUB_TOKEN`. */
function variableFor(label: string): string {
  const word = label
    .replace(/^[a-z0-9]+:(?:\/\/)?/i, "")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toUpperCase();
  return /^[A-Z_]/.test(word) ? word : `SECRET${word === "" ? "" : `_${word}`}`;
}

function referenceOf(groups: Record<string, string | undefined>): Reference {
  const { braced, continued, opencode, mcporter, bare, fallback, other, file, manager } = groups;
  const { asked, command } = groups;
  const variable = braced ?? continued ?? opencode ?? mcporter ?? bare;
  if (variable !== undefined) {
    return { variable, ...(fallback !== undefined && { fallback }) };
  }
  const label = other ?? asked ?? command ?? file?.slice(1, -1) ?? manager ?? "";
  return { variable: variableFor(label), asksFor: label };
}

/** Splits a text into literals and references, which may have any client's syntax. */
export function templateOf(text: string): Template {
  const parts: (string | Reference)[] = [];
  let at = 0;
  for (const match of text.matchAll(reference)) {
    if (match.index > at) parts.push(text.slice(at, match.index));
    parts.push(referenceOf(match.groups ?? {}));
    at = match.index + match[0].length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

/** Limit for nested substitution, which ends a circle of variables. */
const maxDepth = 4;

/** Replaces each reference to a variable in `env` by its value, and adds the variable's name to `used`. */
export function resolveTemplate(
  text: string,
  env: Readonly<Record<string, string>>,
  used: Set<string>,
  depth = 0,
): Template {
  const resolved = templateOf(text).flatMap((part): Template => {
    if (typeof part === "string") return [part];
    const value = Object.hasOwn(env, part.variable) ? env[part.variable] : undefined;
    if (value === undefined || depth === maxDepth || refersToItself(value, part.variable))
      return [part];
    used.add(part.variable);
    return resolveTemplate(value, env, used, depth + 1);
  });
  return mergeLiterals(resolved);
}

/** Whether a value only refers to its own variable: `"TOKEN": "${TOKEN}"` passes the client's variable on. */
function refersToItself(value: string, variable: string): boolean {
  const [only, ...more] = templateOf(value);
  const isReference = more.length === 0 && typeof only === "object";
  return isReference && only.variable === variable && only.asksFor === undefined;
}

/** Merges adjacent literals. */
function mergeLiterals(parts: Template): Template {
  const out: (string | Reference)[] = [];
  for (const part of parts) {
    const last = out.at(-1);
    if (typeof part === "string" && typeof last === "string") out[out.length - 1] = last + part;
    else out.push(part);
  }
  return out;
}

/** The references of a template. */
export function referencesIn(template: Template): Reference[] {
  return template.filter((part) => typeof part === "object");
}

/** The template in config.json's syntax. */
export function configText(template: Template): string {
  return template.map((part) => (typeof part === "string" ? part : referenceText(part))).join("");
}

function referenceText({ variable, fallback }: Reference): string {
  return fallback === undefined ? `\${${variable}}` : `\${${variable}:-${fallback}}`;
}
