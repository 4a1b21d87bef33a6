/** Shortest text that counts as a secret: shorter ones would blank out ordinary words. */
const minSecretLength = 8;

const named =
  /\b(authorization|cookie|set-cookie|mcp-session-id|proxy-authorization)(["']?\s*[:=]\s*["']?)(?:(?:bearer|basic|dpop)\s+)?[^\s"',;&]+/gi;
const parameters =
  /\b(code|state|access_token|refresh_token|client_secret|id_token|code_verifier|assertion|device_code)=[^&\s"']+/gi;
const userinfo = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
const bearer = /\b(bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{8,}/gi;

/** The one place that keeps secrets out of logs and messages: known texts in every form they travel in, the rest by name. */
export class Redactor {
  readonly #known = new Set<string>();

  /** Remembers a secret; the forms it may appear in are derived here. */
  add(secret: string | undefined): void {
    if (secret === undefined || secret.length < minSecretLength) return;
    this.#known.add(secret);
    this.#known.add(JSON.stringify(secret).slice(1, -1));
    this.#known.add(encodeURIComponent(secret));
    const utf8 = new TextEncoder().encode(secret).toBase64();
    this.#known.add(utf8);
    this.#known.add(utf8.replace(/=+$/, ""));
    this.#known.add(utf8.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""));
  }

  /** `text` with every secret replaced by `...`. */
  redact(text: string): string {
    let out = text;
    for (const secret of this.#known) if (out.includes(secret)) out = out.replaceAll(secret, "...");
    return out
      .replace(named, "$1$2...")
      .replace(parameters, "$1=...")
      .replace(userinfo, "$1...@")
      .replace(bearer, "$1 ...");
  }
}

/** The URL as it may be shown: the values of its query are `...` (some providers put a secret there). */
export function shownUrl(url: URL): string {
  const names = [...new Set(url.searchParams.keys())];
  const query = names.length === 0 ? "" : `?${names.map((name) => `${name}=...`).join("&")}`;
  return `${url.protocol}//${url.host}${url.pathname}${query}`;
}
