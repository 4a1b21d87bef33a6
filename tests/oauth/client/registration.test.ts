import { afterAll, beforeAll, expect, test } from "bun:test";
import { scopeForUser, scopeToAsk } from "../../../src/oauth/discovery/scope.ts";
import { startCode } from "../../../src/oauth/sign-in/authorization-code.ts";
import { prepare } from "../../../src/oauth/sign-in/prepare.ts";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, signIn } from "../../support/oauth-bridge.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import {
  type AuthorizationServer,
  type Changing,
  startProvider,
} from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { serveHttp } from "../../support/serve-http.ts";

let provider: AuthorizationServer;
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider({
    clients: [
      {
        client_id: "known",
        redirect_uris: ["http://127.0.0.1/callback"],
        application_type: "native",
      },
    ],
  });
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const signal = new AbortController().signal;
const redirect = "http://127.0.0.1:45454/callback";

async function codeUrl(folder: string, auth: object, server = resource) {
  const oauth = oauthInside(folder, { url: server.url, auth: { type: "oauth", ...auth } });
  return startCode(await prepare(oauth, { challenge: undefined, signal }), redirect, signal);
}

const registrations = () => provider.requests.filter(({ path }) => path === "/reg");

test("requirement 9: a configured client id is used and nothing is registered", async () => {
  using folder = ownFolder();
  const before = registrations().length;
  const { client } = await codeUrl(folder.path, { clientId: "known" });
  expect(client).toMatchObject({ id: "known", method: "none", source: "configured" });
  expect(registrations().length).toBe(before);
});

test("requirement 9: a client metadata document is used where the server takes one, else a client is registered", async () => {
  using folder = ownFolder();
  const cimd = "https://example.com/client.json";
  expect((await codeUrl(folder.path, { clientMetadataUrl: cimd })).client.source).toBe(
    "registered",
  );
  const taking = await startProvider({
    metadata: (document) => {
      document.client_id_metadata_document_supported = true;
    },
  });
  const server = startProtectedServer(taking);
  const { client } = await codeUrl(folder.path, { clientMetadataUrl: cimd }, server);
  expect(client).toMatchObject({ id: cimd, method: "none", source: "metadata" });
  await server.close();
  await taking.close();
});

test("requirement 10: a registration names a native public client with our redirect URI and the scope of the sign-in", async () => {
  using folder = ownFolder();
  await codeUrl(folder.path, {});
  const body = JSON.parse(registrations().at(-1)!.body);
  expect(body).toEqual({
    client_name: "codex-mcp-http-bridge",
    application_type: "native",
    redirect_uris: [redirect],
    grant_types: [
      "authorization_code",
      "refresh_token",
      "urn:ietf:params:oauth:grant-type:device_code",
    ],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    scope: "mcp offline_access",
  });
});

test("requirement 9: without registration and client id, the error says what to ask the provider for", async () => {
  using folder = ownFolder();
  const closed = await startProvider({ registration: false });
  const server = startProtectedServer(closed);
  const error = await codeUrl(folder.path, {}, server).catch((reason) => reason);
  expect(error.kind).toBe("registration-refused");
  expect(error.hintText((words: string) => words)).toContain(redirect);
  expect(error.hintText((words: string) => words)).toContain("auth.clientId");
  await server.close();
  await closed.close();
});

test("requirement 11: another issuer gets a client of its own, and no token", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  const { clients, grant } = await home.stored();
  expect(Object.keys(clients)).toEqual([provider.issuer]);
  const other = await startProvider();
  await home.configure({
    kb: { url: resource.url, auth: { type: "oauth", issuer: other.issuer } },
  });
  const oauth = oauthInside(folder.path, {
    url: resource.url,
    auth: { type: "oauth", issuer: other.issuer },
  });
  expect((await oauth.store.read()).grant).toBeUndefined();
  const { client } = await startCode(
    await prepare(oauth, { challenge: undefined, signal }),
    redirect,
    signal,
  );
  expect(client.id).not.toBe(grant.client.id);
  for (const request of other.requests) {
    expect(`${request.body}${JSON.stringify(request.headers)}`).not.toContain(grant.refreshToken);
    expect(request.body).not.toContain(grant.client.id);
  }
  await other.close();
});

test.each([
  ["name", { server: "other" }],
  ["origin", { origin: "https://elsewhere.example.com" }],
])("requirement 11: a stored sign-in of another %s is not used", async (_, change) => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  await home.store({ ...(await home.stored()), ...change });
  const oauth = oauthInside(folder.path, { url: resource.url });
  expect(await oauth.refresher.current()).toBeUndefined();
});

test.each([
  ["absent", (document: Changing) => void delete document.code_challenge_methods_supported],
  [
    "without S256",
    (document: Changing) =>
      void Object.assign(document, { code_challenge_methods_supported: ["plain"] }),
  ],
])(
  "requirement 12: PKCE metadata %s are refused, and the hint names auth.pkce",
  async (_, metadata) => {
    using folder = ownFolder();
    const lax = await startProvider({ metadata });
    const server = startProtectedServer(lax);
    const error = await codeUrl(folder.path, {}, server).catch((reason) => reason);
    expect(error).toMatchObject({ kind: "refused" });
    expect(error.hintText((words: string) => words)).toContain('"pkce": "S256"');
    const { url } = await codeUrl(folder.path, { pkce: "S256" }, server);
    expect(url.searchParams.get("code_challenge_method")).toBe("S256");
    await server.close();
    await lax.close();
  },
);

test("requirements 12, 13 and 17: the authorization URL carries resource, S256, state and the listed scope", async () => {
  using folder = ownFolder();
  const { url } = await codeUrl(folder.path, {});
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    response_type: "code",
    resource: resource.url,
    code_challenge_method: "S256",
    scope: "mcp offline_access",
    prompt: "consent",
    redirect_uri: redirect,
  });
  const other = await codeUrl(folder.path, {});
  expect(other.state).not.toBe(url.searchParams.get("state")!);
  const { url: bare } = await codeUrl(folder.path, {
    resource: false,
    authorizeParams: { audience: "x" },
  });
  expect(bare.searchParams.has("resource")).toBe(false);
  expect(bare.searchParams.get("audience")).toBe("x");
});

test.each([
  [{}, ["listed"], "challenged", "challenged"],
  [{}, ["listed", "too"], undefined, "listed too"],
  [{}, undefined, undefined, undefined],
  [{ scopes: ["mine"] }, ["listed"], "challenged", "mine"],
])(
  "requirement 17: of configured %p, listed %p and challenged %p the scope %p is asked for",
  (auth, listed, challenged, expected) => {
    const found = listed === undefined ? {} : { resourceScopes: listed };
    const context = {
      auth: { grant: "authorization_code" as const, store: "file" as const, ...auth },
    };
    const challenge = challenged === undefined ? undefined : { scope: challenged };
    expect(scopeToAsk(context, found, challenge)).toBe(expected as string);
  },
);

test("requirement 17: offline_access is added where the server lists it, and never alone", () => {
  expect(scopeForUser("mcp", ["mcp", "offline_access"])).toBe("mcp offline_access");
  expect(scopeForUser("mcp", ["mcp"])).toBe("mcp");
  expect(scopeForUser(undefined, ["offline_access"])).toBeUndefined();
});

test.each([
  ["0", undefined],
  ['"1e400"', undefined],
  ["1e400", undefined],
  ["-5", undefined],
  ["2000000000", 2_000_000_000_000],
])("a registered secret that expires at %s is kept until then", async (at, expiresAt) => {
  using folder = ownFolder();
  const issuer = serveHttp((request) => {
    if (new URL(request.url).pathname === "/reg")
      return new Response(
        `{"client_id":"c1","client_secret":"canary-secret","client_secret_expires_at":${at}}`,
        { status: 201, headers: { "content-type": "application/json" } },
      );
    return Response.json({
      issuer: issuer.origin,
      authorization_endpoint: `${issuer.origin}/auth`,
      token_endpoint: `${issuer.origin}/token`,
      registration_endpoint: `${issuer.origin}/reg`,
      code_challenge_methods_supported: ["S256"],
      response_types_supported: ["code"],
    });
  });
  const { client } = await codeUrl(folder.path, { issuer: issuer.origin });
  expect(client).toMatchObject({ id: "c1", secret: "canary-secret" });
  expect(client.expiresAt).toBe(expiresAt);
});
