import {
  configText,
  type Reference,
  referencesIn,
  resolveTemplate,
  type Template,
  templateOf,
} from "../../config/clients/variables.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { expandedUrl, needsAllowHttp, serverUrlProblem } from "../../config/server-url.ts";
import type { OAuthSettings } from "../../config/settings.ts";
import {
  expand,
  headerNameProblem,
  headerValueProblem,
  isHeaderName,
  literalOf,
  namesSecret,
  requiredVariablesIn,
  tokenProblem,
} from "../../config/validators.ts";
import { isPrivateNetwork, reachOf } from "../../http/ip-address.ts";
import type { Environment } from "../../platform/paths.ts";

/** A value that no file holds: an input that the client asks its user for, or an environment variable. */
export interface MissingValue {
  /** The environment variable that config.json refers to in place of the value. */
  readonly variable: string;
  /** The client's name for the value, such as an input's id. */
  readonly label: string;
}

/** A tool as a team file approves it. */
export interface ApprovedHash {
  readonly name: string;
  readonly hash: string;
}

type OAuthEntry = Extract<NonNullable<ServerEntry["auth"]>, { type: "oauth" }>;

/** A server entry for config.json, being built from a client's entry. */
export class Draft {
  readonly entry: ServerEntry = { url: "" };
  /** One sentence for each setting that is dropped or changed by the import; without secrets. */
  readonly notes: string[] = [];
  readonly missing: MissingValue[] = [];
  /** The tools whose approval a team file brings. */
  approved: readonly ApprovedHash[] = [];
  /** Secrets of the entry, to be redacted in the output. */
  readonly secrets: string[] = [];
  /** Names of the variables in `env` whose values the draft now holds. */
  readonly used = new Set<string>();
  /** The variables of the client's entry and of its command line, and the user's answers. */
  readonly env: Readonly<Record<string, string>>;
  /** The environment of this process. */
  readonly #outer: Environment;
  /** mcp-remote's key for the files of its sign-in; undefined for another entry. */
  mcpRemoteKey: string | undefined;
  /** Why the server cannot be imported; undefined if it can. */
  refused: string | undefined;

  constructor(env: Readonly<Record<string, string>>, outer: Environment = {}) {
    this.env = env;
    this.#outer = outer;
  }

  note(line: string): void {
    if (!this.notes.includes(line)) this.notes.push(line);
  }

  refuse(reason: string): void {
    this.refused ??= reason;
  }

  /** Substitutes the variables of the entry's `env` in a text; records the variables that remain to be asked for. */
  resolve(text: string): Template {
    const template = resolveTemplate(text, this.env, this.used);
    for (const { variable, asksFor } of referencesIn(template))
      if (asksFor !== undefined) this.#miss({ variable, label: asksFor });
    return template;
  }

  /** Adds every `${VARIABLE}` in the values, except those of the entry's `env`, to `missing`. */
  ask(...values: readonly unknown[]): void {
    const text = values.map((value) => JSON.stringify(value) ?? "").join(" ");
    for (const variable of requiredVariablesIn(text)) {
      if (!Object.hasOwn(this.env, variable)) this.#miss({ variable, label: variable });
    }
  }

  #miss(missing: MissingValue): void {
    if (!this.missing.some(({ variable }) => variable === missing.variable)) {
      this.missing.push(missing);
    }
  }

  /** Sets the server's URL; refuses the draft if the URL is invalid. `httpRefusal`: why it may not be plain http to another machine. */
  url(text: string, httpRefusal?: string): void {
    const template = this.resolve(text.trim());
    const whole = configText(template);
    // No request carries the fragment of a URL (RFC 9110 7.1).
    const url = this.#fixedHost(template).replace(/#.*$/s, "");
    if (whole.includes("#"))
      this.note("the fragment of its URL is left out: no request carries it");
    this.entry.url = url;
    // Some providers put a secret into the query, or into the path.
    this.secrets.push(...(URL.parse(url)?.searchParams.values() ?? []));
    for (const { variable } of referencesIn(templateOf(text)))
      if (namesSecret(variable)) this.secrets.push(literalOf(this.env[variable] ?? ""));
    const variable = hostVariable(template);
    const problem = serverUrlProblem(url, true);
    if (problem === undefined) this.#judgeHttp(expandedUrl(url, {}), httpRefusal);
    else if (variable !== undefined) {
      this.refuse(
        `the variable ${variable} stands in the scheme or the host of its URL, which config.json does not allow: add the server by setup --url with the variable's value in the URL`,
      );
    } else this.refuse(`its URL is invalid: ${problem}`);
  }

  /**
   * The URL with today's values of the variables in its scheme and host, where config.json allows none. Variables behind the
   * host stay: their values may be secrets. Without a value, or if no URL results, the URL as it is written.
   */
  #fixedHost(template: Template): string {
    const url = configText(template);
    if (hostVariable(template) === undefined) return url;
    const rest = [...template];
    const names: string[] = [];
    let isUnset = false;
    let origin = "";
    while (rest.length > 0 && !hasOrigin(origin)) {
      const part = rest.shift()!;
      if (typeof part === "object") names.push(part.variable);
      origin += expand(configText([part]), this.#outer, () => {
        isUnset = true;
        return "";
      });
    }
    const fixed = origin + configText(rest);
    if (isUnset || serverUrlProblem(fixed, true) !== undefined) return url;
    this.note(
      `the variables of its URL's host are fixed to the values of today: ${names.join(", ")}`,
    );
    return fixed;
  }

  /** Sets `allowHttp` for plain http to another machine; refuses the draft if that cannot work. */
  #judgeHttp(url: URL, httpRefusal: string | undefined): void {
    if (!needsAllowHttp(url)) return;
    const isPublic = reachOf(url.hostname) !== undefined && !isPrivateNetwork(url.hostname);
    const why =
      httpRefusal ??
      (isPublic
        ? "its address is not private: serve it by https, or through a tunnel (ssh -L)"
        : undefined);
    if (why !== undefined) this.refuse(`its http is unencrypted, and ${why}`);
    else {
      this.entry.allowHttp = true;
      this.note("its http is unencrypted: it works at private addresses alone (allowHttp)");
    }
  }

  /** Sets one header; `Authorization: Bearer X` becomes the token. */
  header(name: string, text: string): void {
    const template = this.resolve(text.trim());
    const value = configText(template).trim();
    if (value === "" || /^bearer$/i.test(value)) {
      this.note(`the header ${name} is dropped: it is empty`);
      return;
    }
    if (name.toLowerCase() === "authorization") {
      const token = withoutScheme(template);
      if (token !== undefined) {
        this.token(token);
        return;
      }
    }
    if (headerNameProblem(name) !== undefined) {
      this.note(
        isHeaderName(name)
          ? `the header ${name} is dropped: the bridge sets it`
          : `the header ${JSON.stringify(name)} is dropped: no header may have that name`,
      );
      return;
    }
    const problem = headerValueProblem(value);
    if (problem !== undefined) this.refuse(`its header ${name} has an invalid value (${problem})`);
    this.#addSecrets(template);
    // Header names are case-insensitive; the last of equal names wins, as in the clients.
    const others = Object.entries(this.entry.headers ?? {}).filter(
      ([other]) => other.toLowerCase() !== name.toLowerCase(),
    );
    this.entry.headers = { ...Object.fromEntries(others), [name]: value };
    // A header with an API key is the credential: a 401 must not start a browser sign-in.
    if (isCredential(name)) this.withoutSignIn();
  }

  /** Sets the bearer token, either literal or as a variable; replaces earlier credentials. */
  token(template: Template): void {
    delete this.entry.token;
    delete this.entry.tokenEnv;
    delete this.entry.auth;
    const [only, ...more] = template;
    if (typeof only === "object" && more.length === 0 && only.fallback === undefined) {
      this.entry.tokenEnv = only.variable;
      return;
    }
    if (referencesIn(template).length > 0) {
      this.entry.headers = {
        ...this.entry.headers,
        Authorization: `Bearer ${configText(template)}`,
      };
      this.#addSecrets(template);
      return;
    }
    const token = configText(template).trim();
    this.secrets.push(token);
    const problem = tokenProblem(token);
    if (problem !== undefined) this.refuse(`its token is invalid: ${problem}`);
    this.entry.token = token;
  }

  /** Adds to the entry's OAuth settings. */
  oauth(settings: Partial<Omit<OAuthSettings, "store">>): void {
    if (this.entry.token !== undefined || this.entry.tokenEnv !== undefined) {
      this.note("its OAuth settings are dropped: it has a token");
      return;
    }
    const current: OAuthEntry =
      this.entry.auth?.type === "oauth" ? this.entry.auth : { type: "oauth" };
    this.entry.auth = { ...current, ...(settings as Partial<OAuthEntry>) };
  }

  /** Keeps a server without a credential from starting a sign-in. */
  withoutSignIn(): void {
    const { auth, token, tokenEnv } = this.entry;
    if ([auth, token, tokenEnv].every((each) => each === undefined))
      this.entry.auth = { type: "none" };
  }

  /** Sets the OAuth client; a secret that is a single variable becomes `clientSecretEnv`. */
  client(id: string, secret: string | undefined): void {
    // config.json has no variables in a client id, which is no secret: take today's value.
    const clientId = expand(configText(this.resolve(id)), this.#outer, (variable) => {
      this.refuse(
        `the variable ${variable} of its OAuth client id is unset: set it, then import again`,
      );
      return "";
    });
    this.oauth({ clientId });
    if (secret === undefined || secret === "") return;
    const template = this.resolve(secret);
    const [only, ...more] = template;
    if (typeof only === "object" && more.length === 0) {
      this.oauth({ clientSecretEnv: only.variable });
      return;
    }
    this.#addSecrets(template);
    this.oauth({ clientSecret: configText(template) });
  }

  /** Converts the entry's certificate and proxy variables to the `network` settings. */
  environment(): void {
    const env: Environment = this.env;
    const ca = env.NODE_EXTRA_CA_CERTS ?? env.SSL_CERT_FILE;
    if (ca !== undefined) this.certificates(ca);
    const isHttps = this.entry.url.startsWith("https:");
    const keys = isHttps ? ["HTTPS_PROXY", "https_proxy"] : ["HTTP_PROXY", "http_proxy"];
    const proxy = [...keys, "ALL_PROXY", "all_proxy"].map((key) => env[key]).find(Boolean);
    if (proxy !== undefined) this.#proxy(proxy);
    if (env.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
      this.note(
        "the bridge always verifies certificates and ignores NODE_TLS_REJECT_UNAUTHORIZED: name the server's CA certificate in network.caFile",
      );
    }
  }

  /** Adds a file of CA certificates. */
  certificates(path: string): void {
    if (!/^([A-Za-z]:)?[/\\]/.test(path)) {
      this.note(
        "the relative certificate file will not carry over (each client resolves it from another folder): name it in network.caFile",
      );
      return;
    }
    this.note(`its certificate file is ${path}`);
    this.entry.network = { ...this.entry.network, caFile: path };
  }

  #proxy(proxy: string): void {
    const url = URL.parse(proxy);
    if (url === null || !["http:", "https:"].includes(url.protocol)) {
      this.note("its proxy will not carry over: only http and https proxies are supported");
      return;
    }
    if (url.password !== "") this.secrets.push(decodeURIComponent(url.password));
    this.note(`its proxy is ${url.host}`);
    this.entry.network = { ...this.entry.network, proxy };
  }

  #addSecrets(template: Template): void {
    for (const part of template)
      this.secrets.push((typeof part === "string" ? part : (part.fallback ?? "")).trim());
  }
}

/** Whether a text begins with a whole origin, which a path or a query follows. */
function hasOrigin(text: string): boolean {
  return /^https?:\/\/[^/?#]+[/?]/i.test(text);
}

/** The first variable of a URL if its scheme or host holds variables. */
function hostVariable(template: Template): string | undefined {
  const [first] = template;
  if (typeof first === "string" && hasOrigin(first)) return undefined;
  return referencesIn(template)[0]?.variable;
}

function isCredential(name: string): boolean {
  return /auth|key|token|secret|cookie|session|pat\b/i.test(name);
}

/** The token after `Bearer`; undefined for another scheme, and for a leading variable, whose value may contain the scheme. */
function withoutScheme(template: Template): Template | undefined {
  const [first, ...more] = template;
  if (typeof first !== "string") return undefined;
  const match = /^bearer\s+/i.exec(first);
  if (match === null) return undefined;
  const rest: (string | Reference)[] = [first.slice(match[0].length), ...more];
  return rest.filter((part) => part !== "");
}
