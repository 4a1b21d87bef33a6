import {
  configText,
  type Reference,
  referencesIn,
  resolveTemplate,
  type Template,
} from "../../config/clients/variables.ts";
import type { ServerEntry } from "../../config/schema.ts";
import type { OAuthSettings } from "../../config/settings.ts";
import { headerNameProblem, tokenProblem, urlProblem } from "../../config/validators.ts";
import type { Environment } from "../../platform/paths.ts";

/** Something that only the person knows, or another environment: a question of the client, an unset variable. */
export interface Missing {
  /** The variable that config.json names for it. */
  readonly variable: string;
  /** The client's own name for it. */
  readonly label: string;
}

type OAuthEntry = Extract<NonNullable<ServerEntry["auth"]>, { type: "oauth" }>;

/** A server on its way into config.json. */
export class Draft {
  readonly entry: ServerEntry = { url: "" };
  /** What will not carry over, and what is other than it was: one sentence each, without a secret. */
  readonly notes: string[] = [];
  readonly missing: Missing[] = [];
  /** Secrets of the entry, for the redaction. */
  readonly secrets: string[] = [];
  /** Variables of the entry's own `env` whose values were taken over. */
  readonly used = new Set<string>();
  readonly #env: Readonly<Record<string, string>>;
  /** Why the server cannot be imported. */
  refused: string | undefined;

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  note(line: string): void {
    if (!this.notes.includes(line)) this.notes.push(line);
  }

  refuse(reason: string): void {
    this.refused ??= reason;
  }

  /** A text of the entry with its own variables filled in. */
  resolve(text: string): Template {
    const template = resolveTemplate(text, this.#env, this.used);
    for (const { variable, asksFor, fallback } of referencesIn(template)) {
      if (asksFor !== undefined) this.#miss({ variable, label: asksFor });
      if (fallback) this.note(`the default of ${variable} is dropped: set the variable itself`);
    }
    return template;
  }

  /** Names every variable in some texts of the entry as something to ask for. */
  ask(...values: readonly unknown[]): void {
    const text = values.map((value) => JSON.stringify(value) ?? "").join(" ");
    for (const [, variable = ""] of text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)) {
      if (!Object.hasOwn(this.#env, variable)) this.#miss({ variable, label: variable });
    }
  }

  #miss(missing: Missing): void {
    if (!this.missing.some(({ variable }) => variable === missing.variable)) {
      this.missing.push(missing);
    }
  }

  /** Takes the server's URL. */
  url(text: string): void {
    const template = this.resolve(text.trim());
    const [open] = referencesIn(template);
    const url = configText(template);
    this.entry.url = url;
    if (open !== undefined) {
      this.refuse(
        `its URL names the variable ${open.variable}, and config.json takes none in a URL: add it by setup --url with the value in its place`,
      );
      return;
    }
    const parsed = URL.parse(url);
    // Some providers put a secret into the query.
    this.secrets.push(...(parsed?.searchParams.values() ?? []));
    const problem = urlProblem(url);
    if (problem === undefined) return;
    this.refuse(
      parsed?.protocol === "http:"
        ? "plain http leaves this machine unprotected and is refused, at private addresses too: serve it by https, or reach it by a tunnel (ssh -L)"
        : `its URL does not fit: ${problem}`,
    );
  }

  /** Takes one header; `Authorization: Bearer X` becomes the token. */
  header(name: string, text: string): void {
    const template = this.resolve(text.trim());
    if (name.toLowerCase() === "authorization") {
      const token = withoutScheme(template);
      if (token !== undefined) {
        this.token(token);
        return;
      }
    }
    if (headerNameProblem(name) !== undefined) {
      this.note(`the header ${name} is dropped: the bridge sets it`);
      return;
    }
    this.#keep(template);
    // The last one of a name stays, as in the clients.
    const others = Object.entries(this.entry.headers ?? {}).filter(
      ([other]) => other.toLowerCase() !== name.toLowerCase(),
    );
    this.entry.headers = { ...Object.fromEntries(others), [name]: configText(template) };
    // A key in a header is a static credential: a 401 must not turn into a sign-in.
    const { auth, token, tokenEnv } = this.entry;
    if (isCredential(name) && [auth, token, tokenEnv].every((each) => each === undefined)) {
      this.entry.auth = { type: "none" };
    }
  }

  /** Takes a bearer token, written out or as a variable. */
  token(template: Template): void {
    delete this.entry.token;
    delete this.entry.tokenEnv;
    delete this.entry.auth;
    const [only, ...more] = template;
    if (typeof only === "object" && more.length === 0) {
      this.entry.tokenEnv = only.variable;
      return;
    }
    if (referencesIn(template).length > 0) {
      this.entry.headers = {
        ...this.entry.headers,
        Authorization: `Bearer ${configText(template)}`,
      };
      this.#keep(template);
      return;
    }
    const token = configText(template).trim();
    this.secrets.push(token);
    const problem = tokenProblem(token);
    if (problem !== undefined) this.refuse(`its token does not fit: ${problem}`);
    this.entry.token = token;
  }

  /** Adds to the entry's OAuth settings. */
  oauth(settings: Partial<Omit<OAuthSettings, "store">>): void {
    if (this.entry.token !== undefined || this.entry.tokenEnv !== undefined) {
      this.note("its OAuth settings are dropped: it has a token");
      return;
    }
    const before: OAuthEntry =
      this.entry.auth?.type === "oauth" ? this.entry.auth : { type: "oauth" };
    this.entry.auth = { ...before, ...(settings as Partial<OAuthEntry>) };
  }

  /** Takes an OAuth client: its secret as text, or as a variable. */
  client(id: string, secret: string | undefined): void {
    this.oauth({ clientId: configText(this.resolve(id)) });
    if (secret === undefined || secret === "") return;
    const template = this.resolve(secret);
    const [only, ...more] = template;
    if (typeof only === "object" && more.length === 0) {
      this.oauth({ clientSecretEnv: only.variable });
      return;
    }
    this.#keep(template);
    this.oauth({ clientSecret: configText(template) });
  }

  /** What a variable of the entry's own environment means to the bridge as well. */
  environment(): void {
    const env: Environment = this.#env;
    const ca = env.NODE_EXTRA_CA_CERTS ?? env.SSL_CERT_FILE;
    if (ca !== undefined) this.#certificates(ca);
    const isHttps = this.entry.url.startsWith("https:");
    const keys = isHttps ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
    const proxy = [...keys, "ALL_PROXY", "all_proxy"].map((key) => env[key]).find(Boolean);
    if (proxy !== undefined) this.#proxy(proxy);
    if (env.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
      this.note(
        "certificates are checked here, whatever NODE_TLS_REJECT_UNAUTHORIZED says: name the server's authority by network.caFile",
      );
    }
  }

  #certificates(path: string): void {
    if (!/^([A-Za-z]:)?[/\\]/.test(path)) {
      this.note(
        "the relative certificate file will not carry over (each client resolves it elsewhere): name it by network.caFile",
      );
      return;
    }
    this.entry.network = { ...this.entry.network, caFile: path };
  }

  #proxy(proxy: string): void {
    const url = URL.parse(proxy);
    if (url === null || !["http:", "https:"].includes(url.protocol)) {
      this.note("its proxy will not carry over: only http and https proxies are supported");
      return;
    }
    if (url.password !== "") this.secrets.push(decodeURIComponent(url.password));
    this.entry.network = { ...this.entry.network, proxy };
  }

  /** Variables of the entry's `env` that nothing of it uses. */
  unused(): string[] {
    return Object.keys(this.#env).filter((name) => !this.used.has(name));
  }

  #keep(template: Template): void {
    this.secrets.push(...template.filter((part) => typeof part === "string").map((p) => p.trim()));
  }
}

function isCredential(name: string): boolean {
  return /auth|key|token|secret|cookie|session|pat\b/i.test(name);
}

/** The token behind `Bearer`; undefined for another scheme, and for a variable that may bring one along. */
function withoutScheme(template: Template): Template | undefined {
  const [first, ...more] = template;
  if (typeof first !== "string") return undefined;
  const match = /^bearer\s+/i.exec(first);
  if (match === null) return undefined;
  const rest: (string | Reference)[] = [first.slice(match[0].length), ...more];
  return rest.filter((part) => part !== "");
}
