import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Grant } from "../../../src/oauth/core/grant.ts";
import { awaitDevice, startDevice } from "../../../src/oauth/sign-in/device.ts";
import { type Prepared, prepare } from "../../../src/oauth/sign-in/prepare.ts";
import { BridgeError } from "../../../src/wire/errors.ts";
import { ownFolder } from "../../support/folder.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approveDevice } from "../../support/oauth-user.ts";

const deviceType = "urn:ietf:params:oauth:grant-type:device_code";
let provider: AuthorizationServer;
let resource: ProtectedServer;
/** Answers of the token endpoint in place of the provider's. */
let faults: (() => Response | "reset")[] = [];
let verification: string | undefined;
let interval: number | string | undefined;
/** What the device endpoint refuses everything with. */
let deviceError: string | undefined;

beforeAll(async () => {
  provider = await startProvider({
    clients: [
      {
        client_id: "known",
        redirect_uris: ["http://127.0.0.1/callback"],
        application_type: "native",
        grant_types: [deviceType, "refresh_token", "authorization_code"],
      },
    ],
    async intercept({ form, path }, response) {
      if (path === "/device/auth" && deviceError !== undefined) {
        response.writeHead(400, { "content-type": "application/json" });
        response.end(JSON.stringify({ error: deviceError }));
        return true;
      }
      if (path === "/device/auth" && verification !== undefined) {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(
          JSON.stringify({
            device_code: "d",
            user_code: "ABCD-EFGH",
            verification_uri: verification,
            interval,
          }),
        );
        return true;
      }
      const fault = form.get("grant_type") === deviceType ? faults.shift()?.() : undefined;
      if (fault === undefined) return false;
      if (fault === "reset") response.destroy();
      else {
        response.writeHead(fault.status, { "content-type": "application/json" });
        response.end(await fault.text());
      }
      return true;
    },
  });
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const signal = new AbortController().signal;
const redirect = "http://127.0.0.1:45454/callback";

/** A device sign-in whose pauses are noted and not waited for; `during` runs in each. */
async function begin(
  folder: string,
  auth: object,
  during: (round: number) => Promise<void> | void,
) {
  const oauth = oauthInside(folder, { url: resource.url, auth: { type: "oauth", ...auth } });
  const pauses: number[] = [];
  const context = {
    ...oauth.context,
    sleep: async (ms: number) => {
      pauses.push(ms);
      await during(pauses.length);
    },
  };
  const prepared: Prepared = {
    ...(await prepare(oauth, { challenge: undefined, signal })),
    context,
  };
  const request = await startDevice(prepared, redirect, signal);
  return { pauses, request, done: () => awaitDevice(prepared, request, signal) };
}

const refuse = (error: string) => () => Response.json({ error }, { status: 400 });

test.each([
  ["a registered client", {}],
  ["a configured client", { clientId: "known" }],
])(
  "requirement 27: the device grant works with %s: pending, slow_down, reset, then the token",
  async (_, auth) => {
    using folder = ownFolder();
    faults = [refuse("authorization_pending"), refuse("slow_down"), () => "reset"];
    const { request, pauses, done } = await begin(folder.path, auth, async (round) => {
      if (round === 4) await approveDevice(request.url.href, request.userCode);
    });
    const grant = (await done()) as Grant;
    expect((await provider.find(grant.accessToken))?.aud).toBe(resource.url);
    expect(grant.refreshToken).toBeString();
    // 5 s where the server names none; slow_down adds 5 s, no answer doubles.
    expect(pauses).toEqual([5000, 5000, 10_000, 20_000]);
  },
);

test("where the server wants PKCE, the device request carries a challenge and the token request its verifier", async () => {
  using folder = ownFolder();
  const { request, done } = await begin(folder.path, {}, async (round) => {
    if (round === 1) await approveDevice(request.url.href, request.userCode);
  });
  await done();
  const asked = provider.requests.findLast(({ path }) => path === "/device/auth")!.form;
  const token = provider.tokenRequests(deviceType).at(-1)!.form;
  const hash = new Bun.CryptoHasher("sha256").update(token.get("code_verifier")!).digest();
  expect(asked.get("code_challenge_method")).toBe("S256");
  expect(asked.get("code_challenge")).toBe(hash.toString("base64url"));
});

test("a registered client that the device endpoint no longer knows is registered anew at once", async () => {
  using folder = ownFolder();
  const registrations = () => provider.requests.filter(({ path }) => path === "/reg").length;
  const first = await begin(folder.path, {}, () => {});
  await provider.provider.Client.adapter.destroy(first.request.client.id);
  const before = registrations();
  const { request } = await begin(folder.path, {}, () => {});
  expect(request.userCode).toBeString();
  expect(registrations() - before).toBe(1);
});

test.each([
  ["invalid_client", 2],
  ["invalid_scope", 2],
])("a device endpoint that answers %s to everything is asked %p times", async (error, times) => {
  using folder = ownFolder();
  deviceError = error;
  const asked = () => provider.requests.filter(({ path }) => path === "/device/auth").length;
  const before = asked();
  const failed = await begin(folder.path, {}, () => {}).catch((reason) => reason);
  deviceError = undefined;
  expect(failed.message).toContain(`was refused: ${error}`);
  expect(asked() - before).toBe(times);
  const { store } = oauthInside(folder.path, { url: resource.url });
  expect((await store.read()).askedScope).toBe(
    error === "invalid_scope" ? "mcp offline_access" : undefined,
  );
});

test("requirement 27: a refused device sign-in is an error that says so", async () => {
  using folder = ownFolder();
  faults = [];
  const { request, done } = await begin(folder.path, {}, () =>
    approveDevice(request.url.href, request.userCode, { refuse: true }),
  );
  expect(done()).rejects.toThrow("access_denied");
});

test.each(["unauthorized_client", "unsupported_grant_type", "invalid_grant"])(
  "%s while a person is waited for is no decision of that person, so another method may be tried",
  async (error) => {
    using folder = ownFolder();
    faults = [refuse("authorization_pending"), refuse(error)];
    const { done } = await begin(folder.path, {}, () => {});
    const refusal = await done();
    expect(refusal).toBeInstanceOf(BridgeError);
    expect((refusal as BridgeError).message).toContain(error);
  },
);

test("a way to send the secret that the server accepts is kept between the polls", async () => {
  using folder = ownFolder();
  verification = `${provider.issuer}/device`;
  const pending = refuse("authorization_pending");
  const granted = () => Response.json({ access_token: "at", token_type: "bearer" });
  faults = [refuse("invalid_client"), pending, pending, granted];
  const polls = () => provider.tokenRequests(deviceType);
  const before = polls().length;
  try {
    const auth = { clientId: "known", clientSecret: "a-secret" };
    const { done, pauses } = await begin(folder.path, auth, () => {});
    expect(((await done()) as Grant).client.method).toBe("client_secret_post");
    expect(pauses).toHaveLength(3);
  } finally {
    verification = undefined;
  }
  const isPost = polls().map(({ form }) => form.has("client_secret"));
  expect(isPost.slice(before)).toEqual([false, true, true, true]);
});

test("requirement 27: a code that expires is an error that says so", async () => {
  using folder = ownFolder();
  faults = [refuse("expired_token")];
  const { done } = await begin(folder.path, {}, () => {});
  expect(done()).rejects.toThrow("before it expired");
});

test.each([
  [0.0001, 1000],
  ["0.5", 1000],
  [7, 7000],
  [1e300, 60_000],
  [-1, 5000],
])("an interval of %p s is asked in by %p ms: neither a flood nor for ever", async (named, ms) => {
  using folder = ownFolder();
  verification = `${provider.issuer}/device`;
  interval = named;
  try {
    const { request } = await begin(folder.path, {}, () => {});
    expect(request.intervalMs).toBe(ms);
  } finally {
    verification = undefined;
    interval = undefined;
  }
});

test.each([
  ["of a script", "javascript:alert(1)"],
  ["without https", "http://evil.example.com/device"],
  ["with shell characters", "https://evil.example.com/`id`"],
  ["of more than 2 KB", `https://evil.example.com/${"a".repeat(2048)}`],
])("requirement 8: a page %s is never shown", async (_, page) => {
  using folder = ownFolder();
  verification = page;
  try {
    const error = await begin(folder.path, {}, () => {}).catch((reason) => reason);
    expect(error.kind).toBe("refused");
  } finally {
    verification = undefined;
  }
});
