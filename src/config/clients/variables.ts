// How clients write variables into their configuration, and what stands for them in config.json.

/** A variable of the environment, with the text that stands for it where it is unset. */
export interface Reference {
  readonly variable: string;
  readonly fallback?: string;
  /** What it stands for where no environment holds it: a question of the client, an entry of a password manager. */
  readonly asksFor?: string;
}

/** A text as literal pieces and references, in order. */
export type Template = readonly (string | Reference)[];

const name = "[A-Za-z_][A-Za-z0-9_]*";
/** Continue's `${{ secrets.X }}`; `${X}`, `${X:-default}`, `${env:X}`, `${input:x}`, `${op://vault/item}`. */
const patterns = [
  `\\$\\{\\{\\s*(?:secrets|env|inputs)\\.(?<continued>${name})\\s*\\}\\}`,
  `\\$\\{(?:env:)?(?<braced>${name})(?::-(?<fallback>[^{}]*))?\\}`,
  `\\$\\{(?<other>[^{}]+)\\}`,
  `\\{env:(?<opencode>${name})\\}`,
  `(?<file>\\{file:[^{}]+\\})`,
  `\\$env:(?<mcporter>${name})`,
  // A secret may hold a dollar sign: a bare `$X` counts only where it ends its text and a word begins with it.
  `(?<![^\\s:=])\\$(?<bare>${name})$`,
  "(?<=^|\\s|:)(?<manager>op://\\S+)",
];
const reference = new RegExp(patterns.join("|"), "g");

/** The name of a variable for something that has another kind of name: `github-token` gives `GITHUB_TOKEN`. */
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
  const variable = braced ?? continued ?? opencode ?? mcporter ?? bare;
  if (variable !== undefined) {
    return { variable, ...(fallback !== undefined && { fallback }) };
  }
  const label = other ?? file?.slice(1, -1) ?? manager ?? "";
  return { variable: variableFor(label), asksFor: label };
}

/** A text with its references, in any client's form. */
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

/** A variable that names itself, or a circle of variables, ends here. */
const maxDepth = 4;

/** The text with each variable that the entry's own `env` holds replaced by its value; `used` learns their names. */
export function resolveTemplate(
  text: string,
  env: Readonly<Record<string, string>>,
  used: Set<string>,
  depth = 0,
): Template {
  const resolved = templateOf(text).flatMap((part): Template => {
    if (typeof part === "string") return [part];
    const value = Object.hasOwn(env, part.variable) ? env[part.variable] : undefined;
    if (value === undefined || depth === maxDepth || isItself(value, part.variable)) return [part];
    used.add(part.variable);
    return resolveTemplate(value, env, used, depth + 1);
  });
  return joined(resolved);
}

/** `"TOKEN": "${TOKEN}"` passes the client's own variable on. */
function isItself(value: string, variable: string): boolean {
  const [only, ...more] = templateOf(value);
  return more.length === 0 && typeof only === "object" && only.variable === variable;
}

function joined(parts: Template): Template {
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

/** The template as config.json writes it, whose variables have no default. */
export function configText(template: Template): string {
  return template
    .map((part) => (typeof part === "string" ? part : `\${${part.variable}}`))
    .join("");
}
