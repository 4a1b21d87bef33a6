/** One challenge of a WWW-Authenticate header (RFC 9110 11.6.1). */
interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Names in lower case, values unquoted; of two equal names the first counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** The parameters of a Bearer or DPoP challenge (RFC 6750 3, RFC 9728 5.1, RFC 9449 7.1). */
export interface BearerChallenge {
  readonly scheme: "bearer" | "dpop";
  readonly resourceMetadata?: string;
  readonly scope?: string;
  readonly error?: string;
}

/** Characters of the header that are read; the rest is ignored. */
const maxLength = 32 * 1024;

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
// Looser than RFC 9110: some servers separate parameters by semicolons or spaces.
const separators = /[ \t,;]*/y;
const schemeForm = new RegExp(`(${token})(?=[ \\t,]|$)`, "y");
const token68Form = /[ \t]+([A-Za-z0-9._~+/-]+=*)[ \t]*(?=,|$)/y;
// Looser than RFC 9110: some servers send a URL without quotes.
const parameterForm = new RegExp(
  `[ \\t]*(${token})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s",;]+))(?=[ \\t,;]|$)`,
  "ys",
);

/** Matches a sticky expression at a position; undefined where it does not match. */
function take(form: RegExp, text: string, at: number): RegExpExecArray | undefined {
  form.lastIndex = at;
  return form.exec(text) ?? undefined;
}

/** Parses every challenge of the header, in order; several header lines are joined by commas. Text that breaks the grammar is skipped. */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, maxLength);
  const challenges: Challenge[] = [];
  let parameters: Map<string, string> | undefined;
  let at = 0;
  const skip = () => {
    at += take(separators, text, at)?.[0].length ?? 0;
  };
  for (skip(); at < text.length; skip()) {
    const parameter = take(parameterForm, text, at);
    if (parameter !== undefined) {
      const [whole, name = "", quoted, plain = ""] = parameter;
      const key = name.toLowerCase();
      const value = quoted === undefined ? plain : quoted.replace(/\\(.)/gs, "$1");
      if (parameters?.has(key) === false) parameters.set(key, value);
      at += whole.length;
      continue;
    }
    const scheme = take(schemeForm, text, at);
    if (scheme === undefined) {
      const comma = text.indexOf(",", at);
      at = comma < 0 ? text.length : comma;
      continue;
    }
    parameters = new Map();
    challenges.push({ scheme: scheme[0].toLowerCase(), parameters });
    at += scheme[0].length;
    at += take(token68Form, text, at)?.[0].length ?? 0;
  }
  return challenges;
}

/** The schemes of all challenges in the header, in lower case. */
export function schemesOf(header: string | null): string[] {
  return header === null ? [] : parseChallenges(header).map(({ scheme }) => scheme);
}

/** The Bearer challenge of the header, else the DPoP one; of several, the one with `resource_metadata`, else the first. */
export function bearerChallenge(header: string | null): BearerChallenge | undefined {
  if (header === null) return undefined;
  const challenges = parseChallenges(header);
  for (const scheme of ["bearer", "dpop"] as const) {
    const all = challenges.filter((challenge) => challenge.scheme === scheme);
    const found = all.find(({ parameters }) => parameters.has("resource_metadata")) ?? all[0];
    if (found === undefined) continue;
    const get = (name: string) => found.parameters.get(name);
    const resourceMetadata = get("resource_metadata");
    const scope = get("scope");
    const error = get("error");
    return {
      scheme,
      ...(resourceMetadata !== undefined && { resourceMetadata }),
      ...(scope !== undefined && scope.trim() !== "" && { scope: scope.trim() }),
      ...(error !== undefined && { error }),
    };
  }
  return undefined;
}
