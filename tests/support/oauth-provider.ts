import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Silences the provider's warnings about the run time and development settings. */
async function quietly<T>(work: () => T | Promise<T>): Promise<T> {
  const { warn, info } = console;
  console.warn = () => {};
  console.info = () => {};
  try {
    return await work();
  } finally {
    console.warn = warn;
    console.info = info;
  }
}

// It uses a deprecated name of node:crypto, which makes the run time warn.
process.noDeprecation = true;
const { default: Provider } = await quietly(() => import("oidc-provider"));
type Provider = InstanceType<typeof Provider>;

/** One request that reached the authorization server. */
export interface Recorded {
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Parameters of the request body. */
  readonly form: URLSearchParams;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A response document, with the members that tests change. */
export interface Changing {
  authorization_endpoint?: unknown;
  authorization_response_iss_parameter_supported?: unknown;
  client_id_metadata_document_supported?: unknown;
  code_challenge_methods_supported?: unknown;
  device_authorization_endpoint?: unknown;
  interval?: unknown;
  issuer?: unknown;
  token_endpoint_auth_methods_supported?: unknown;
}

export interface ProviderOptions {
  /** Makes it an https server of this certificate, at `localhost`. */
  readonly tls?: { readonly cert: Bun.BunFile; readonly key: Bun.BunFile };
  readonly accessTokenTtlSec?: number;
  readonly scopes?: readonly string[];
  readonly clients?: readonly Record<string, unknown>[];
  /** Scopes of every protected resource. */
  readonly resourceScopes?: string;
  readonly registration?: boolean;
  /** `interval` of device responses; the provider itself leaves it at 5 s. */
  readonly deviceIntervalSec?: number;
  readonly dpopNonce?: boolean;
  /** Answers in place of the provider if it returns true; may also delay. */
  readonly intercept?: (request: Recorded, response: ServerResponse) => Promise<boolean> | boolean;
  /** Called with the status of a response, and awaited, before it is sent. */
  readonly beforeAnswer?: (request: Recorded) => Promise<void> | void;
  /** Changes the metadata document. */
  readonly metadata?: (document: Changing) => void;
}

/** A running authorization server (oidc-provider) on loopback. */
export interface AuthorizationServer {
  readonly issuer: string;
  readonly provider: Provider;
  readonly requests: readonly Recorded[];
  /** Token requests of one grant type, in order. */
  tokenRequests(grantType?: string): Recorded[];
  /** Forgets an access token: the resource refuses it from now on. */
  revoke(accessToken: string): Promise<void>;
  /** Ends a sign-in here alone: its access token and its refresh token are refused from now on. */
  end(grant: { readonly accessToken: string; readonly refreshToken?: string }): Promise<void>;
  /** The stored access token, where it is valid. */
  find(accessToken: string): ReturnType<Provider["AccessToken"]["find"]>;
  close(): Promise<void>;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Applies `change` to the JSON object of the response. */
function changeJson(response: ServerResponse, change: (document: Changing) => void) {
  const end = response.end.bind(response);
  response.end = ((text: unknown) => {
    const document = JSON.parse(String(text)) as Changing;
    change(document);
    response.removeHeader("content-length");
    return end(JSON.stringify(document));
  }) as typeof response.end;
}

function configuration(options: ProviderOptions): Record<string, unknown> {
  const resourceScopes = options.resourceScopes ?? "mcp mcp:write";
  return {
    scopes: ["openid", "offline_access", ...resourceScopes.split(" ")],
    clients: options.clients ?? [],
    clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
    enabledJWA: {
      clientAuthSigningAlgValues: ["ES256", "RS256", "EdDSA", "Ed25519"],
    },
    cookies: { keys: ["for the tests only"] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx: unknown, client: { grantTypeAllowed(type: string): boolean }) =>
      client.grantTypeAllowed("refresh_token"),
    expiresWithSession: () => false,
    clientDefaults: { token_endpoint_auth_method: "none" },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      registration: { enabled: options.registration ?? true },
      dPoP: {
        enabled: true,
        ...(options.dpopNonce && {
          nonceSecret: Buffer.alloc(32),
          requireNonce: () => true,
        }),
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => false,
        getResourceServerInfo: (_ctx: unknown, resource: string) => ({
          scope: resourceScopes,
          audience: resource,
          accessTokenFormat: "opaque",
        }),
      },
    },
    ttl: {
      AccessToken: () => options.accessTokenTtlSec ?? 3600,
      ClientCredentials: () => options.accessTokenTtlSec ?? 3600,
      AuthorizationCode: 60,
      DeviceCode: 600,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 600,
      IdToken: 3600,
    },
  };
}

/** A TLS server on loopback that hands every request to the one behind it. */
function startTls(behind: string, tls: NonNullable<ProviderOptions["tls"]>) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    tls,
    async fetch(request) {
      const { pathname, search, host } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.set("x-forwarded-proto", "https");
      headers.set("x-forwarded-host", host);
      const { method } = request;
      return fetch(`${behind}${pathname}${search}`, {
        method,
        headers,
        redirect: "manual",
        ...(method === "POST" && { body: await request.text() }),
      });
    },
  });
  return { origin: `https://localhost:${server.port}`, close: () => server.stop(true) };
}

/** Starts the provider; rotation, reuse detection, device grant, registration, resource indicators and revocation are on. */
export async function startProvider(options: ProviderOptions = {}): Promise<AuthorizationServer> {
  const requests: Recorded[] = [];
  let handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? "/", "http://provider");
      const body = await readBody(request);
      const recorded: Recorded = {
        method: request.method ?? "",
        path: url.pathname,
        query: url.searchParams,
        form: new URLSearchParams(
          (request.headers["content-type"] ?? "").includes("urlencoded") ? body : "",
        ),
        body,
        headers: request.headers,
      };
      requests.push(recorded);
      if (await options.intercept?.(recorded, response)) return;
      if (options.beforeAnswer !== undefined) await options.beforeAnswer(recorded);
      // The body was read here: koa's parser takes it from the request object (oidc-provider, selective_body).
      if (body !== "") Object.assign(request, { body });
      if (options.metadata !== undefined && url.pathname.includes("/.well-known/")) {
        changeJson(response, options.metadata);
      }
      if (options.deviceIntervalSec !== undefined && url.pathname === "/device/auth") {
        changeJson(response, (document) => {
          document.interval = options.deviceIntervalSec;
        });
      }
      await quietly(() => handle(request, response));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const behind = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const front = options.tls && startTls(behind, options.tls);
  const issuer = front?.origin ?? behind;
  const provider = await quietly(() => new Provider(issuer, configuration(options)));
  provider.proxy = front !== undefined;
  handle = provider.callback();
  return {
    issuer,
    provider,
    requests,
    tokenRequests: (grantType) =>
      requests.filter(
        ({ path, form }) =>
          path === "/token" && (grantType === undefined || form.get("grant_type") === grantType),
      ),
    async revoke(accessToken) {
      await (await provider.AccessToken.find(accessToken))?.destroy();
    },
    async end({ accessToken, refreshToken = "" }) {
      await (await provider.AccessToken.find(accessToken))?.destroy();
      await (await provider.RefreshToken.find(refreshToken))?.destroy();
    },
    find: async (accessToken) =>
      (await provider.AccessToken.find(accessToken)) ??
      (await provider.ClientCredentials.find(accessToken)),
    async close() {
      await front?.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
