import { afterEach, beforeEach, expect, test } from "bun:test";
import { revoke } from "../../../src/oauth/client/revoke.ts";
import { redeemCode, startCode } from "../../../src/oauth/sign-in/authorization-code.ts";
import { prepare } from "../../../src/oauth/sign-in/prepare.ts";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, signIn } from "../../support/oauth-bridge.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import {
  type AuthorizationServer,
  type Changing,
  type Recorded,
  startProvider,
} from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";

/** How the authorization server answers a request in place of the provider: status and JSON; undefined: the provider does. */
let judge: (request: Recorded) => readonly [status: number, body: object] | undefined;
let metadata: (document: Changing) => void;
let provider: AuthorizationServer;
let resource: ProtectedServer;
let folder: ReturnType<typeof ownFolder>;
const secret = "a-configured-secret";
const redirect = "http://127.0.0.1:45454/callback";
const signal = new AbortController().signal;

beforeEach(async () => {
  judge = () => undefined;
  metadata = () => {};
  folder = ownFolder();
  provider = await startProvider({
    clients: [
      {
        client_id: "machine",
        client_secret: secret,
        token_endpoint_auth_method: "client_secret_basic",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        scope: "mcp",
      },
    ],
    metadata: (document) => metadata(document),
    intercept(request, response) {
      const answer = judge(request);
      if (answer === undefined) return false;
      response.writeHead(answer[0], { "content-type": "application/json" });
      response.end(JSON.stringify(answer[1]));
      return true;
    },
  });
  resource = startProtectedServer(provider);
});

afterEach(async () => {
  folder[Symbol.dispose]();
  await resource.close();
  await provider.close();
});

/** The client of a sign-in that begins now. */
async function clientOf(auth: object = {}, env: Record<string, string> = {}) {
  const entry = { url: resource.url, auth: { type: "oauth", ...auth } };
  const oauth = oauthInside(folder.path, entry, env);
  const prepared = await prepare(oauth, { challenge: undefined, signal });
  return (await startCode(prepared, redirect, signal)).client;
}

/** Method and scope of each registration so far. */
const registrations = () =>
  provider.requests
    .filter(({ path }) => path === "/reg")
    .map(({ body }) => JSON.parse(body))
    .map((body) => [body.token_endpoint_auth_method, body.scope]);

const scope = "mcp offline_access";
const refusesMethod = (...methods: string[]) => {
  judge = ({ path, body }) =>
    path === "/reg" && methods.includes(JSON.parse(body).token_endpoint_auth_method)
      ? [400, { error: "invalid_client_metadata" }]
      : undefined;
};
const advertises = (...methods: string[]) => {
  metadata = (document) => {
    document.token_endpoint_auth_methods_supported = methods;
  };
};

test("a public client is registered although the metadata do not list none", async () => {
  advertises("client_secret_post", "client_secret_basic");
  expect(await clientOf()).toMatchObject({ method: "none", source: "registered" });
  expect(registrations()).toEqual([["none", scope]]);
});

test("where a public client is refused, each method that the metadata list is tried once, with the scope and without", async () => {
  advertises("client_secret_post", "client_secret_basic");
  refusesMethod("none", "client_secret_basic");
  expect(await clientOf()).toMatchObject({ method: "client_secret_post" });
  expect(registrations()).toEqual([
    ["none", scope],
    ["none", undefined],
    ["client_secret_basic", scope],
    ["client_secret_basic", undefined],
    ["client_secret_post", scope],
  ]);
});

test.each<[number, number]>([
  [401, 3],
  [404, 1],
  [200, 1],
])(
  "a %p of the registration endpoint is met %p times, and its reason is shown",
  async (status, times) => {
    judge = ({ path }) =>
      path === "/reg"
        ? [status, { error: "invalid_token", error_description: "no token" }]
        : undefined;
    const error = await clientOf().catch((reason) => reason);
    expect(error).toMatchObject({ kind: "registration-refused" });
    expect(error.message).toContain("no token");
    expect(registrations()).toEqual(
      [
        ["none", scope],
        ["client_secret_basic", scope],
        ["client_secret_post", scope],
      ].slice(0, times),
    );
  },
);

test("a server that accepts no address in a redirect URI gets localhost, and the same listener is used", async () => {
  judge = ({ path, body }) =>
    path === "/reg" && JSON.parse(body).redirect_uris[0].includes("127.0.0.1")
      ? [400, { error: "invalid_redirect_uri" }]
      : undefined;
  const oauth = oauthInside(folder.path, { url: resource.url, auth: { type: "oauth" } });
  const prepared = await prepare(oauth, { challenge: undefined, signal });
  const { url, client, redirectUri } = await startCode(prepared, redirect, signal);
  const byName = redirect.replace("127.0.0.1", "localhost");
  expect(client.redirectUri).toBe(byName);
  expect(redirectUri).toBe(byName);
  expect(url.searchParams.get("redirect_uri")).toBe(byName);
  const times = registrations().length;
  expect((await startCode(prepared, redirect, signal)).client).toEqual(client);
  expect(registrations()).toHaveLength(times);
});

test("a client that is registered for the address is not used for a configured redirect URI of localhost", async () => {
  const oauth = oauthInside(folder.path, { url: resource.url, auth: { type: "oauth" } });
  const prepared = await prepare(oauth, { challenge: undefined, signal });
  await startCode(prepared, redirect, signal);
  await prepared.client.putBack();
  const byName = redirect.replace("127.0.0.1", "localhost");
  const auth = { type: "oauth", redirectUri: byName };
  const configured = oauthInside(folder.path, { url: resource.url, auth });
  const again = await prepare(configured, { challenge: undefined, signal });
  const { client, redirectUri } = await startCode(again, byName, signal);
  expect(client.redirectUri).toBe(byName);
  expect(redirectUri).toBe(byName);
  expect(registrations()).toHaveLength(2);
});

test("a configured redirect URI is never changed", async () => {
  judge = ({ path }) => (path === "/reg" ? [400, { error: "invalid_redirect_uri" }] : undefined);
  const error = await clientOf({ redirectUri: redirect }).catch((reason) => reason);
  expect(error).toMatchObject({ kind: "registration-refused" });
  expect(provider.requests.every(({ body }) => !body.includes("localhost"))).toBe(true);
});

test("a client id that is a number is accepted", async () => {
  judge = ({ path }) => (path === "/reg" ? [201, { client_id: 17 }] : undefined);
  expect(await clientOf()).toMatchObject({ id: "17" });
});

test("a registration and a code are sent again while the server is busy", async () => {
  const busy = new Set(["/reg", "/token"]);
  judge = ({ path }) => (busy.delete(path) ? [503, {}] : undefined);
  const oauth = oauthInside(folder.path, { url: resource.url, auth: { type: "oauth" } });
  const prepared = await prepare(oauth, { challenge: undefined, signal });
  const request = await startCode(prepared, redirect, signal);
  expect(registrations()).toHaveLength(2);
  const answer = await redeemCode(prepared, request, "a-code-of-nobody", signal);
  expect(answer).toMatchObject({ error: "invalid_grant" });
  expect(provider.tokenRequests()).toHaveLength(2);
});

test("a scope that the server cannot read back is left out of the renewal", async () => {
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  judge = ({ form }) =>
    form.get("grant_type") === "refresh_token" && form.has("scope")
      ? [400, { error: "invalid_scope" }]
      : undefined;
  const oauth = oauthInside(folder.path, { url: resource.url });
  const sent = (await oauth.store.read()).grant!.accessToken;
  const renewed = await oauth.refresher.refresh({ sent, refused: { challenge: undefined } });
  expect(renewed?.accessToken).toBeString();
  expect(renewed?.accessToken).not.toBe(sent);
  expect(renewed?.scope).toBeString();
});

test("auth.clientAuth selects the authentication method of a registered client", async () => {
  expect(await clientOf({ clientAuth: "client_secret_post" })).toMatchObject({
    method: "client_secret_post",
    secret: expect.any(String),
  });
  expect(registrations()).toEqual([["client_secret_post", scope]]);
});

test("auth.clientAuth private_key_jwt without a client id is a configuration error", async () => {
  const error = await clientOf({ clientAuth: "private_key_jwt" }).catch((reason) => reason);
  expect(error).toMatchObject({ kind: "configuration" });
  expect(error.hintText((words: string) => words)).toContain("auth.clientId");
  expect(registrations()).toEqual([]);
});

test.each([400, 403])("a scope that registration refuses by %p is left out", async (status) => {
  judge = ({ path, body }) =>
    path === "/reg" && JSON.parse(body).scope !== undefined
      ? [status, { error: "invalid_client_metadata" }]
      : undefined;
  expect(await clientOf()).toMatchObject({ method: "none" });
  expect(registrations()).toEqual([
    ["none", scope],
    ["none", undefined],
  ]);
});

test("a step-up to more scopes than were registered registers a new client with all scopes", async () => {
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  await home.store({ ...(await home.stored()), wantedScope: "mcp mcp:write" });
  await signIn(home);
  expect(registrations()).toEqual([
    ["none", scope],
    ["none", "mcp mcp:write offline_access"],
  ]);
  expect((await home.stored()).grant.scope.split(" ")).toContain("mcp:write");
});

test("the initial access token is sent with the registration; an unset variable in it is named", async () => {
  const auth = { initialAccessToken: "${REGISTRATION}" };
  const error = await clientOf(auth).catch((reason) => reason);
  expect(error).toMatchObject({ kind: "configuration" });
  expect(error.message).toContain("REGISTRATION");
  expect(registrations()).toEqual([]);
  await clientOf(auth, { REGISTRATION: "the-initial-token" });
  const { headers } = provider.requests.find(({ path }) => path === "/reg")!;
  expect(headers).toMatchObject({ authorization: "Bearer the-initial-token" });
});

test("with Basic authentication, the body holds the client id as well, unless the server refuses that", async () => {
  const auth = {
    type: "oauth",
    grant: "client_credentials",
    clientId: "machine",
    clientSecret: secret,
  };
  const oauth = oauthInside(folder.path, { url: resource.url, auth });
  const challenge = undefined;
  const renew = () => oauth.refresher.refresh({ sent: undefined, refused: { challenge } });
  const ids = () =>
    provider.tokenRequests().map(({ form, headers: { authorization } }) => {
      expect(authorization).toStartWith("Basic ");
      return form.get("client_id");
    });
  const { accessToken } = (await renew())!;
  expect(ids()).toEqual(["machine"]);
  judge = ({ form }) =>
    form.get("grant_type") !== null && form.has("client_id")
      ? [400, { error: "invalid_request" }]
      : undefined;
  const next = await oauth.refresher.refresh({ sent: accessToken, refused: { challenge } });
  expect(ids()).toEqual(["machine", "machine", null]);
  await oauth.refresher.refresh({ sent: next!.accessToken, refused: { challenge } });
  expect(ids()).toEqual(["machine", "machine", null, null]);
});

test("a server that demands client_secret of a public client at revocation gets an empty one at the second attempt", async () => {
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  judge = ({ path, form }) =>
    path === "/token/revocation"
      ? form.get("client_secret") === ""
        ? [200, {}]
        : [401, { error: "invalid_client" }]
      : undefined;
  const oauth = oauthInside(folder.path, { url: resource.url });
  const { grant } = await oauth.store.read();
  expect(await revoke(oauth.context, grant!, signal)).toBe(true);
  const revocations = provider.requests.filter(({ path }) => path === "/token/revocation");
  expect(revocations.map(({ form }) => form.get("client_secret"))).toEqual([null, ""]);
});
