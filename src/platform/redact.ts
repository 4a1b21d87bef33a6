import { cleanText, isWord } from "../wire/text.ts";

/** Shorter texts are not treated as secrets: replacing them would remove ordinary words. */
const minSecretLength = 8;

const secretHeaders = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "mcp-session-id",
];
const parameters =
  /\b(code|state|access_token|refresh_token|client_secret|id_token|code_verifier|assertion|device_code|session_?id)=[^&\s"']+/gi;
const userinfo = /(:\/\/)[^\s/@]+@/g;
const bearer = /\b(bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{8,}/gi;
/** Userinfo or a token whose end is missing, at the end of a text. */
const cutValue = /(:\/\/|\b(?:bearer|basic|dpop)\s+)[^\s/@]+$/i;

/** Matches one of the headers with its value, as plain text, as JSON, or as JSON inside a JSON string. */
function headerPattern(names: readonly string[]): RegExp {
  const name = names.map((each) => RegExp.escape(each)).join("|");
  const between = `\\\\*["']?\\s*[:=]\\s*\\\\*["']?`;
  const scheme = "(?:(?:bearer|basic|dpop)\\s+)?";
  return new RegExp(`(?<!\\w)(${name})(${between})${scheme}[^\\s"',;&]+`, "gi");
}

/** Removes secrets from logs and messages: known secrets in all encodings, unknown ones by header or parameter name. */
export class Redactor {
  /** Known secrets, longest first, because one secret may be a prefix of another. */
  #known: readonly string[] = [];
  /** The known secrets in lower case: servers write %2f for %2F, and names of media types are compared in lower case. */
  #lower: readonly string[] = [];
  /** Texts that are never redacted. */
  #exempt: readonly string[] = [];
  #headers: readonly string[] = secretHeaders;
  #headerPattern: RegExp | undefined;

  /** Adds a secret in every encoding in which it may appear. */
  add(secret: string | undefined): void {
    if (secret === undefined || secret.length < minSecretLength) return;
    const utf8 = new TextEncoder().encode(secret);
    const forms = [
      secret,
      JSON.stringify(secret).slice(1, -1),
      // As PHP writes JSON.
      JSON.stringify(secret).slice(1, -1).replaceAll("/", "\\/"),
      encodeURIComponent(secret),
      utf8.toBase64(),
      utf8.toBase64({ omitPadding: true }),
      utf8.toBase64({ alphabet: "base64url", omitPadding: true }),
    ];
    this.#known = [...new Set([...this.#known, ...forms])].sort((a, b) => b.length - a.length);
    this.#lower = this.#known.map(inLowerCase);
  }

  /** Adds a configured header: its value with and without the auth scheme, and its name, which also covers short values. */
  addHeader(name: string, value: string): void {
    this.add(value);
    this.add(/^\S+\s+(\S.*)$/.exec(value)?.[1]);
    const lower = name.toLowerCase();
    if (this.#headers.includes(lower)) return;
    this.#headers = [...this.#headers, lower];
    this.#headerPattern = undefined;
  }

  /** Exempts a text from redaction: a sign-in URL that the user must open does not work without its `state`. */
  exempt(text: string): void {
    this.#exempt = [...this.#exempt, text];
  }

  /** `text` with every secret replaced by `...`. */
  redact(text: string): string {
    // A short word is no secret, and a word cannot hold a name with a value.
    if (text.length < minSecretLength && isWord(text)) return text;
    const exempt = this.#exempt.find((each) => text.includes(each));
    if (exempt !== undefined)
      return text
        .split(exempt)
        .map((part) => this.redact(part))
        .join(exempt);
    const out = this.redactKnown(text);
    // A single word cannot hold a name with a value.
    if (isWord(out)) return out;
    this.#headerPattern ??= headerPattern(this.#headers);
    return out
      .replace(this.#headerPattern, "$1$2...")
      .replace(parameters, "$1=...")
      .replace(userinfo, "$1...@")
      .replace(bearer, "$1 ...");
  }

  /** `text` with every known secret replaced by `...`. For text that a person judges: a server could hide words behind `code=`. */
  redactKnown(text: string): string {
    let out = text;
    let lower = inLowerCase(out);
    this.#known.forEach((secret, at) => {
      if (!lower.includes(this.#lower[at]!)) return;
      out = out.replace(new RegExp(RegExp.escape(secret), "gi"), "...");
      lower = inLowerCase(out);
    });
    if (!out.includes("…")) return out;
    // The text was shortened before it was redacted.
    return out
      .split("…")
      .map((part, at, { length }) => (at === length - 1 ? part : this.#withoutBeginning(part, 4)))
      .join("…");
  }

  /** `redact` for a text whose end is missing: a secret of which only the beginning is there is replaced, too. */
  redactCut(text: string): string {
    return this.redact(this.#withoutBeginning(text, 1)).replace(cutValue, "$1...");
  }

  /** Replaces the beginning of a known secret, at least `min` characters of it, at the end of a text. */
  #withoutBeginning(text: string, min: number): string {
    const lower = inLowerCase(text);
    const tail = lower.slice(-min);
    if (tail.length < min) return text;
    let start = text.length;
    for (const secret of this.#lower)
      for (let at = secret.lastIndexOf(tail); at >= 0; at = lastIndexBefore(secret, tail, at))
        if (lower.endsWith(secret.slice(0, at + min)))
          start = Math.min(start, text.length - at - min);
    if (start === text.length) return text;
    // A whole secret may overlap that beginning, and would no longer be found.
    for (const secret of this.#lower) {
      const at = lower.lastIndexOf(secret, start);
      if (at >= 0 && at + secret.length > start) start = Math.min(start, at);
    }
    return `${text.slice(0, start)}...`;
  }

  /**
   * JSON text of one line with its secrets replaced. Text that is no JSON, or is none any more, becomes a JSON string.
   * `isCut`: the end of the text is missing.
   */
  json(text: string, isCut = false): string {
    const redacted = isCut ? this.redactCut(text) : this.redact(text);
    return isJson(redacted) && !redacted.includes("\n") ? redacted : JSON.stringify(redacted);
  }

  /**
   * Cleans, redacts and shortens text from a server for display. Redacts before shortening, because half a secret would
   * not match, and again after cleaning, which may have removed characters between a name and its value.
   */
  shown(text: string, max?: number): string {
    return this.redact(cleanText(this.redact(text), max));
  }
}

/** `text` in lower case, with its length kept ("İ" becomes two characters otherwise), and each character whatever is beside it ("Σ" becomes "ς" at the end of a word otherwise). */
const inLowerCase = (text: string) =>
  text.replace(/[İΣ]/g, (letter) => (letter === "İ" ? "i" : "σ")).toLowerCase();

const lastIndexBefore = (text: string, part: string, before: number) =>
  before === 0 ? -1 : text.lastIndexOf(part, before - 1);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A URL for display: query values become `...`, because some providers put a secret into the query; userinfo is left out. */
export function shownUrl(url: URL): string {
  const names = [...new Set(url.searchParams.keys())];
  const query = names.length === 0 ? "" : `?${names.map((name) => `${name}=...`).join("&")}`;
  return `${url.protocol}//${url.host}${url.pathname}${query}`;
}
