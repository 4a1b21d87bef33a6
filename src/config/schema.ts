// The schema of config.json.
import * as v from "valibot";
import { foldText, globProblem } from "../wire/glob.ts";
import { serverUrlProblem } from "./server-url.ts";
import { headerValueProblem, proxyProblem, serverName } from "./validators.ts";
import {
  argv,
  file,
  flag,
  list,
  object,
  oneOf,
  opt,
  type Rule,
  range,
  ruled,
  text,
  token,
  url,
  variable,
  whole,
  words,
} from "./value-schemas.ts";

export const network = () =>
  object(
    {
      proxy: opt(ruled("a proxy's URL", proxyProblem, "URL of an HTTP proxy")),
      caFile: opt(file("PEM certificates to trust as well")),
      clientCertFile: opt(file("PEM client certificate")),
      clientKeyFile: opt(file("PEM key of the client certificate")),
      ipFamily: opt(v.picklist([4, 6], "expected 4 or 6")),
    },
    "network settings",
  );
const limits = () =>
  object(
    { messageMB: opt(whole("largest message in MiB", 1, 1024)) },
    "size limits; messageMB 64 by default",
  );
const retry = () =>
  object(
    { attempts: opt(whole("number of attempts, including the first", 1, 10)) },
    "retries; attempts 3 by default",
  );
const shared = {
  timeoutSec: () => opt(range("timeout of a call in seconds", 1, 86_400)),
  connectTimeoutSec: () => opt(range("connect timeout in seconds", 0.1, 600)),
  keepAliveSec: () => opt(range("seconds between pings, 0 for none", 0, 86_400)),
  retry: () => opt(retry()),
  network: () => opt(network()),
  limits: () => opt(limits()),
};

const idp = () =>
  object(
    {
      issuer: url("issuer of the enterprise's identity provider"),
      tokenEndpoint: url("token endpoint of the identity provider"),
      clientId: text("client id at the identity provider"),
      idTokenFile: opt(file("id token")),
      idTokenEnv: opt(variable("variable that holds the id token")),
      idTokenCommand: opt(argv("prints the id token")),
    },
    "enterprise-managed authorization (id_jag)",
  );
export const oauth = () =>
  object(
    {
      type: v.literal("oauth", 'expected "oauth" or "none"'),
      grant: opt(
        oneOf(
          ["authorization_code", "device_code", "client_credentials", "jwt_bearer", "id_jag"],
          "OAuth grant type",
        ),
      ),
      clientId: opt(text("client id")),
      clientSecret: opt(text("client secret")),
      clientSecretEnv: opt(variable("variable that holds the client secret")),
      clientSecretFile: opt(file("client secret")),
      clientAuth: opt(
        oneOf(
          ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
          "client authentication method; chosen from the server's metadata by default",
        ),
      ),
      privateKeyFile: opt(file("PEM private key")),
      keyId: opt(text("key id")),
      algorithm: opt(text("signature algorithm")),
      scopes: opt(list(text("a scope"), "scopes to ask for")),
      clientMetadataUrl: opt(url("URL of the client's metadata document")),
      clientName: opt(text("name shown when signing in")),
      initialAccessToken: opt(
        text('token for registering a client; "${VAR}" comes from the environment'),
      ),
      issuer: opt(url("the only authorization server to accept")),
      trustedHosts: opt(list(text("a host name"), "further hosts that metadata may name")),
      resource: opt(
        v.pipe(
          v.union(
            [v.string(), v.literal(false)],
            "expected a resource identifier, or false to omit it",
          ),
          v.description("resource indicator (RFC 8707)"),
        ),
      ),
      authorizeParams: opt(words("further parameters of the authorization request")),
      tokenParams: opt(words("further parameters of the token request")),
      tokenEndpoint: opt(url("token endpoint (client_credentials); no metadata are read")),
      useIdToken: opt(flag("send the ID token in place of the access token")),
      pkce: opt(v.literal("S256", 'expected "S256"')),
      dpop: opt(flag("always or never use DPoP; default: when the server asks")),
      callbackPort: opt(whole("a port", 1, 65_535)),
      redirectUri: opt(text("redirect URI, used unchanged")),
      store: opt(oneOf(["file", "keyring", "auto"], "where the credentials are stored")),
      assertionFile: opt(file("assertion (jwt_bearer)")),
      assertionEnv: opt(variable("variable that holds the assertion")),
      assertionCommand: opt(argv("prints the assertion")),
      idp: opt(idp()),
    },
    "OAuth 2.1",
  );
export const noAuth = () =>
  object(
    { type: v.literal("none", 'expected "oauth" or "none"') },
    "no sign-in: a 401 is an error",
  );

const headers = () =>
  v.pipe(
    v.record(
      v.string(),
      ruled("a string", headerValueProblem, `value; "\${VAR}" comes from the environment`),
      "expected an object of headers",
    ),
    v.description("headers of every request to the server"),
  );

/** A deny rule is tried on folded names, too. */
const denyProblem = (text: string) => globProblem(text) ?? globProblem(foldText(text));
const globs = (rule: Rule, what: string) => opt(list(ruled("a glob", rule), what));
export const tools = () =>
  object(
    {
      allow: globs(globProblem, "globs of the tools that may be listed and called; default: all"),
      deny: globs(denyProblem, "globs of tools that may not be listed or called; ignores case"),
      readOnly: opt(flag("only tools that the server marks readOnlyHint: true")),
      pin: opt(
        v.pipe(
          v.union([v.boolean(), v.literal("terminal")], 'expected true, false or "terminal"'),
          v.description(
            'only tools that a person approved (command pin); "terminal": approvals on a terminal only',
          ),
        ),
      ),
      repair: opt(flag("leave out of lists what makes strict clients drop the whole list")),
    },
    "which of the server's tools may be listed and called",
  );

export const audit = () =>
  object(
    {
      file: file("the audit"),
      arguments: opt(
        oneOf(["none", "hash", "full"], "how the arguments of a call are shown; none by default"),
      ),
    },
    "a file that gets a line when a call begins and one when it ends",
  );
export const codex = () =>
  object(
    {
      approval: opt(
        oneOf(["auto", "prompt", "writes", "approve"], "approval policy of Codex for the tools"),
      ),
      required: opt(flag("Codex does not start without this server")),
    },
    "what codex-config writes",
  );
export type ToolsEntry = v.InferOutput<ReturnType<typeof tools>>;
export type AuditEntry = v.InferOutput<ReturnType<typeof audit>>;

/** Functions that build the schema of each key, so that a start builds only the schemas that its file needs. */
export type Table = Readonly<Record<string, () => v.GenericSchema>>;
export type Whole<T extends Table> = v.StrictObjectSchema<
  { readonly [K in keyof T]: ReturnType<T[K]> },
  string
>;

/** The schema of an object with all keys of the table, or only with `keys`. */
export function schemaOf<T extends Table>(table: T, keys = Object.keys(table)): Whole<T> {
  const entries = keys.flatMap((key) => {
    const make = Object.hasOwn(table, key) ? table[key] : undefined;
    return make === undefined ? [] : [[key, make()]];
  });
  return v.strictObject(Object.fromEntries(entries), "expected an object") as Whole<T>;
}

/** A server's entry in the file. */
export const serverEntry = {
  url: () =>
    ruled(
      "a URL",
      (text) => serverUrlProblem(text, true),
      'URL of the MCP server; "${VAR}" and "${VAR:-default}" may stand in its path and query',
    ),
  allowHttp: () => opt(flag("reach this server by plain http, at private addresses only")),
  description: () =>
    opt(v.pipe(v.string("expected a string"), v.description("description for the user"))),
  disabled: () => opt(flag("true: the server is kept, but not used; enable NAME ends that")),
  transport: () => opt(oneOf(["auto", "http", "sse"], "transport; auto by default")),
  cookies: () => opt(flag("keep the server's cookies during a session; true by default")),
  endSession: () => opt(flag("send a DELETE when the session ends; true by default")),
  trace: () =>
    opt(
      v.pipe(
        v.union([v.boolean(), v.literal("baggage")], 'expected true, false or "baggage"'),
        v.description(
          "send traceparent and tracestate of a request's _meta as headers; true by default",
        ),
      ),
    ),
  protocol: () =>
    opt(
      oneOf(
        ["auto", "session", "stateless"],
        "session: 2024-11-05 to 2025-11-25; stateless: 2026-07-28; auto by default",
      ),
    ),
  token: () => opt(token("a bearer or personal access token")),
  access_token: () => opt(token("a token, as the Python package wrote it")),
  tokenEnv: () => opt(variable("variable that holds the token")),
  tokenFile: () => opt(file("the token")),
  tokenCommand: () => opt(argv("prints the token")),
  auth: () =>
    opt(v.variant("type", [oauth(), noAuth()], 'expected {"type": "oauth"} or {"type": "none"}')),
  headers: () => opt(headers()),
  headersCommand: () => opt(argv("prints a JSON object of headers")),
  tools: () => opt(tools()),
  ...shared,
  env: () =>
    opt(
      list(
        variable("name of an environment variable"),
        "further environment variables that codex-config passes on",
      ),
    ),
  audit: () => opt(audit()),
  codex: () => opt(codex()),
} as const;
export type ServerEntry = v.InferOutput<Whole<typeof serverEntry>>;

/** The top level of the file. load.ts validates each server itself, because valibot would skip a server named `constructor`. */
export const topLevel = {
  $schema: () => opt(v.string("expected a string")),
  version: () =>
    opt(v.literal(1, "expected 1 (another version of the bridge may have written it)")),
  servers: () => opt(v.record(v.string(), v.unknown(), "expected an object of servers by name")),
  ...shared,
} as const;
export type TopLevel = v.InferOutput<Whole<typeof topLevel>>;

/** The schema of the whole file, from which the JSON Schema is generated. */
export const wholeFile = () =>
  v.strictObject({
    ...schemaOf(topLevel).entries,
    servers: opt(
      v.record(
        v.pipe(v.string(), v.regex(serverName)),
        schemaOf(serverEntry),
        "expected an object of servers",
      ),
    ),
  });
