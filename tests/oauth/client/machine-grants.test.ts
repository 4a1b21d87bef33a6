import { afterAll, beforeAll, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, callTool, startRun } from "../../support/oauth-bridge.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { runProgram } from "../../support/program.ts";

/** Has signs that Basic must form-encode first (RFC 6749 2.3.1). */
const secret = "s3cret:with/signs+and=more%20";
const keys = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const machine = {
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  scope: "mcp mcp:write",
};

let provider: AuthorizationServer;
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider({
    clients: [
      {
        ...machine,
        client_id: "basic id",
        client_secret: secret,
        token_endpoint_auth_method: "client_secret_basic",
      },
      {
        ...machine,
        client_id: "post",
        client_secret: secret,
        token_endpoint_auth_method: "client_secret_post",
      },
      {
        ...machine,
        client_id: "key",
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        jwks: { keys: [{ ...keys.publicKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] },
      },
    ],
  });
  resource = startProtectedServer(provider, { toolScopes: { write: "mcp mcp:write" } });
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const auth = { type: "oauth", grant: "client_credentials" };
const tokens = () => provider.tokenRequests("client_credentials").length;

test.each([
  [
    "basic",
    { clientId: "basic id", clientAuth: "client_secret_basic", clientSecretEnv: "KB_SECRET" },
  ],
  ["post", { clientId: "post", clientAuth: "client_secret_post", clientSecretEnv: "KB_SECRET" }],
  ["private_key_jwt", { clientId: "key", privateKeyFile: "key.pem" }],
])(
  "requirement 28: client credentials (%s) need no login, and an expired token is requested again",
  async (_, client) => {
    using folder = ownFolder();
    const home = await bridgeHome(folder.path, { url: resource.url, auth: { ...auth, ...client } });
    const pem = keys.privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(`${folder.path}/.codex-mcp-bridge/key.pem`, pem, { mode: 0o600 });
    Object.assign(home.env, { KB_SECRET: secret });
    const before = tokens();
    const child = await startRun(home);
    expect(await callTool(child)).toBe("done");
    expect(tokens() - before).toBe(1);
    const stored = await home.stored();
    expect(stored.grant.refreshToken).toBeUndefined();
    await provider.provider.ClientCredentials.find(stored.grant.accessToken).then((found) =>
      found?.destroy(),
    );
    expect(await callTool(child)).toBe("done");
    await child.end();
    await home.store({ ...stored, grant: { ...stored.grant, obtainedAt: 0, expiresAt: 1 } });
    const next = await startRun(home);
    expect(await callTool(next)).toBe("done");
    await next.end();
    expect(tokens() - before).toBe(3);
  },
);

test("a machine grant that lacks a scope requests it once, and the call succeeds", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {
    url: resource.url,
    auth: { ...auth, clientId: "post", clientAuth: "client_secret_post", clientSecret: secret },
  });
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  const before = tokens();
  expect(await callTool(child, "write")).toBe("done");
  expect(tokens() - before).toBe(1);
  expect((await home.stored()).grant.scope).toBe("mcp mcp:write");
  await child.end();
});

test("a wrong secret ends in an error after one token request", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {
    url: resource.url,
    auth: {
      ...auth,
      clientId: "post",
      clientAuth: "client_secret_post",
      clientSecret: "another-secret",
    },
  });
  const before = tokens();
  const { code, stderr } = await runProgram(["login", "-s", "kb"], { env: home.env });
  expect(code).toBe(4);
  expect(stderr).toContain("invalid_client");
  expect(stderr).not.toContain("another-secret");
  expect(tokens() - before).toBe(1);
});

test("headers requests a machine's token without login", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {
    url: resource.url,
    auth: { ...auth, clientId: "post", clientAuth: "client_secret_post", clientSecret: secret },
  });
  const { stdout } = await runProgram(["headers", "-s", "kb"], { env: home.env });
  const token = JSON.parse(stdout).Authorization.replace("Bearer ", "");
  expect((await provider.find(token))?.aud).toBe(resource.url);
});
