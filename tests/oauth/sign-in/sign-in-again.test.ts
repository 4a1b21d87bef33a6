// What a sign-in tries when the authorization server refuses its client or its method after the user was asked.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { Grant } from "../../../src/oauth/core/grant.ts";
import { prepare } from "../../../src/oauth/sign-in/prepare.ts";
import { type SignInMethodOptions, signIn } from "../../../src/oauth/sign-in/sign-in.ts";
import { ownFolder } from "../../support/folder.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approve } from "../../support/oauth-user.ts";

const deviceType = "urn:ietf:params:oauth:grant-type:device_code";
let provider: AuthorizationServer;
let resource: ProtectedServer;
/** Errors of the token endpoint, in place of the provider's answers. */
let refusals: string[] = [];

beforeAll(async () => {
  provider = await startProvider({
    deviceIntervalSec: 0.05,
    intercept({ path }, response) {
      const error = path === "/token" ? refusals.shift() : undefined;
      if (error === undefined) return false;
      response.writeHead(400, { "content-type": "application/json" });
      response.end(JSON.stringify({ error }));
      return true;
    },
  });
  resource = startProtectedServer(provider);
});

beforeEach(() => {
  refusals = [];
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const signal = new AbortController().signal;
const registrations = () => provider.requests.filter(({ path }) => path === "/reg");
/** The scope that each registration of `since` names. */
const scopesSince = (since: number) =>
  registrations()
    .slice(since)
    .map(({ body }) => JSON.parse(body).scope);

/** A user with a browser: opens a page, and follows the bridge's redirects to further pages. */
async function visit(page: URL): Promise<Response> {
  const response = await fetch(await approve(page), { redirect: "manual" });
  const next = response.headers.get("location");
  return next === null ? response : visit(new URL(next));
}

async function begin(
  folder: string,
  methods: Partial<SignInMethodOptions>,
  auth: object = {},
): Promise<Grant> {
  const oauth = oauthInside(folder, { url: resource.url, auth: { type: "oauth", ...auth } });
  const prepared = await prepare(oauth, { challenge: undefined, signal });
  const quick = { ...prepared, context: { ...prepared.context, sleep: async () => {} } };
  const page = (url: URL) => {
    void visit(url);
    return true;
  };
  const showDevice = () => {};
  return signIn(quick, { device: "never", showUrl: page, showDevice, ...methods }, signal);
}

test.each([
  ["invalid_client", ["mcp offline_access", "mcp offline_access"]],
  ["invalid_scope", ["mcp offline_access", undefined]],
])(
  "after %s at the code exchange the client is registered anew, and the browser is sent on",
  async (error, scopes) => {
    using folder = ownFolder();
    refusals = [error];
    const before = registrations().length;
    const grant = await begin(folder.path, {});
    expect(await provider.find(grant.accessToken)).toBeDefined();
    expect(scopesSince(before)).toEqual(scopes);
  },
);

test("a server that refuses every client and every scope is asked three times", async () => {
  using folder = ownFolder();
  refusals = ["invalid_client", "invalid_scope", "invalid_client"];
  const before = registrations().length;
  const error = await begin(folder.path, {}).catch((reason) => reason);
  expect(error.message).toContain("failed: invalid_client");
  expect(scopesSince(before)).toHaveLength(3);
});

test("a configured client that the server does not know is never registered", async () => {
  using folder = ownFolder();
  refusals = ["invalid_client"];
  const before = registrations().length;
  const registered = await fetch(`${provider.issuer}/reg`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      redirect_uris: ["http://127.0.0.1/callback"],
      application_type: "native",
      token_endpoint_auth_method: "none",
    }),
  });
  const { client_id: clientId } = (await registered.json()) as { client_id: string };
  const error = await begin(folder.path, {}, { clientId }).catch((reason) => reason);
  expect(error.message).toContain("failed: invalid_client");
  expect(registrations().length - before).toBe(1);
});

test("a pasted answer for a client that the server lost shows a new page, and the next paste counts", async () => {
  using folder = ownFolder();
  refusals = ["invalid_client"];
  const pages: URL[] = [];
  let shown = Promise.withResolvers<URL>();
  async function* pasted() {
    for (;;) {
      const page = await shown.promise;
      shown = Promise.withResolvers();
      yield (await approve(page)).href;
    }
  }
  const showUrl = (url: URL) => {
    pages.push(url);
    shown.resolve(url);
    return false;
  };
  const grant = await begin(folder.path, { showUrl, pasted: pasted() });
  expect(await provider.find(grant.accessToken)).toBeDefined();
  const clients = pages.map((page) => page.searchParams.get("client_id"));
  expect(new Set(clients).size).toBe(2);
});

test.each(["unauthorized_client", "invalid_client"])(
  "a device grant that is refused with %s only while it is polled gives way to the page",
  async (error) => {
    using folder = ownFolder();
    refusals = ["authorization_pending", error];
    const failures: string[] = [];
    const onFailure = ({ message }: Error) => void failures.push(message);
    const grant = await begin(folder.path, { device: "first", onFailure });
    expect(await provider.find(grant.accessToken)).toBeDefined();
    expect(failures).toEqual([expect.stringContaining(`failed: ${error}`)]);
    expect(provider.tokenRequests(deviceType).length).toBeGreaterThan(1);
  },
);

test("a person who refuses the code is not asked by the page, too", async () => {
  using folder = ownFolder();
  refusals = ["access_denied"];
  const pages: URL[] = [];
  const showUrl = (url: URL) => {
    pages.push(url);
    return true;
  };
  const denied = begin(folder.path, { device: "first", showUrl });
  expect(denied).rejects.toThrow("access_denied");
  await denied.catch(() => {});
  expect(pages).toEqual([]);
});
