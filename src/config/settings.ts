import type { ServerState } from "../platform/paths.ts";

/** How requests to one server are authorized, as configured. */
export type Credential =
  /** Nothing configured: a 401 leads to OAuth. */
  | { readonly type: "unset" }
  /** `"auth": {"type":"none"}`: a 401 is an error. */
  | { readonly type: "none" }
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "tokenEnv"; readonly variable: string }
  | { readonly type: "tokenFile"; readonly path: string }
  | { readonly type: "tokenCommand"; readonly argv: readonly string[] }
  | { readonly type: "oauth"; readonly auth: OAuthSettings };

/** The value of `auth` in a server's entry, with absolute paths. */
export interface OAuthSettings {
  readonly grant:
    | "authorization_code"
    | "device_code"
    | "client_credentials"
    | "jwt_bearer"
    | "id_jag";
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly clientSecretEnv?: string;
  readonly clientSecretFile?: string;
  readonly clientAuth?: "none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  readonly privateKeyFile?: string;
  readonly keyId?: string;
  readonly algorithm?: string;
  readonly scopes?: readonly string[];
  readonly clientMetadataUrl?: string;
  readonly clientName?: string;
  /** Token for client registration, with `${VAR}` not yet expanded. */
  readonly initialAccessToken?: string;
  readonly issuer?: string;
  readonly trustedHosts?: readonly string[];
  /** Value of the parameter `resource` (RFC 8707); false omits the parameter. */
  readonly resource?: string | false;
  readonly authorizeParams?: Readonly<Record<string, string>>;
  readonly tokenParams?: Readonly<Record<string, string>>;
  /** The token endpoint of the grant client_credentials, in place of the one that the server's metadata lead to. */
  readonly tokenEndpoint?: string;
  /** Whether the ID token is sent to the server in place of the access token. */
  readonly useIdToken?: boolean;
  readonly pkce?: "S256";
  readonly dpop?: boolean;
  readonly callbackPort?: number;
  readonly redirectUri?: string;
  readonly store: "file" | "keyring" | "auto";
  readonly assertionFile?: string;
  readonly assertionEnv?: string;
  readonly assertionCommand?: readonly string[];
  readonly idp?: {
    readonly issuer: string;
    readonly tokenEndpoint: string;
    readonly clientId: string;
    readonly idTokenFile?: string;
    readonly idTokenEnv?: string;
    readonly idTokenCommand?: readonly string[];
  };
}

export interface NetworkSettings {
  readonly proxy?: string;
  readonly caFile?: string;
  readonly clientCertFile?: string;
  readonly clientKeyFile?: string;
  readonly ipFamily?: 4 | 6;
}

/** Which of a server's tools may be listed and called. */
export interface ToolRules {
  /** Lists of globs: an allowed tool matches a glob of each list. */
  readonly allow: readonly (readonly string[])[];
  /** Globs of tools that are never allowed; they ignore case. */
  readonly deny: readonly string[];
  /** Whether only tools with `readOnlyHint: true` are allowed. */
  readonly readOnly: boolean;
  /** Whether only tools that a person approved are allowed; "terminal": approvals are made on a terminal alone. */
  readonly pin: boolean | "terminal";
  /** Whether tools for which strict clients drop the whole list are left out of it. */
  readonly repair: boolean;
}

/** A file that gets a line when a call begins and one when it ends. */
export interface AuditSettings {
  /** Absolute path. */
  readonly file: string;
  /** How a line shows the arguments of the call: not at all, as their SHA-256, or as the client wrote them. */
  readonly arguments: "none" | "hash" | "full";
}

/** How the machine's policy governs a server; the rules are part of the server's settings already. */
export interface MachineRules {
  /** The policy's file. */
  readonly file: string;
  readonly tools: ToolRules | undefined;
  readonly audits: readonly AuditSettings[];
  /** The rules of config.json alone. */
  readonly ownTools: ToolRules | undefined;
  readonly ownAudits: readonly AuditSettings[];
  /** Why the server may not be reached. */
  readonly refusal: string | undefined;
}

/** The validated settings of one server, with defaults and absolute file names. */
export interface ServerSettings {
  readonly name: string;
  /** https, or http on exactly localhost, 127.0.0.1, [::1], or with `allowHttp`; no userinfo, no fragment. Values of variables are filled in. */
  readonly url: URL;
  /** The URL as written, if it refers to variables. */
  readonly urlTemplate?: string;
  /** Whether plain http may go to private addresses. */
  readonly allowHttp?: true;
  /** Whether the server is kept without being used. */
  readonly isDisabled: boolean;
  readonly transport: "auto" | "http" | "sse";
  /** Whether cookies that the MCP endpoint sets are sent back to it. */
  readonly cookies: boolean;
  /** Whether the trace context in a request's `_meta` becomes headers; "baggage": `baggage`, too. */
  readonly trace: boolean | "baggage";
  /** Whether a session is ended with a DELETE. */
  readonly endSession: boolean;
  /** The protocol used with the server; "auto": the client's protocol if the server supports it. */
  readonly protocol: "auto" | "session" | "stateless";
  readonly credential: Credential;
  /** Configured headers, with `${VAR}` not yet expanded. */
  readonly headers: Readonly<Record<string, string>>;
  readonly headersCommand?: readonly string[];
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Interval of pings; 0 for no pings. */
  readonly keepAliveMs: number;
  readonly retry: { readonly attempts: number };
  readonly network: NetworkSettings;
  readonly limits: { readonly messageBytes: number };
  /** Absent if every tool may be listed and called. */
  readonly tools?: ToolRules;
  /** Absent on a machine without a policy. */
  readonly machine?: MachineRules;
  /** Further environment variables that codex-config passes on. */
  readonly env: readonly string[];
  readonly audits: readonly AuditSettings[];
  readonly description?: string;
  readonly codex: {
    readonly approval?: "auto" | "prompt" | "writes" | "approve";
    readonly required?: boolean;
  };
  /** The configuration's folder: configured commands run in it. */
  readonly home: string;
  /** Where the server's sign-in, cache and locks are kept. */
  readonly state: ServerState;
  /** Set for a server that a client names by its URL. `withheld`: headers, and `auth.clientSecret`, that only the client's entry holds. */
  readonly adHoc?: { readonly withheld: readonly string[] };
  /** An access token of a sign-in that another program keeps; used until it expires (ms since 1970) or is refused, where no sign-in is stored here. */
  readonly foreignToken?: { readonly accessToken: string; readonly expiresAt: number } | undefined;
}
