import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { ownFolder } from "../../support/folder.ts";
import {
  bridgeHome,
  callTool,
  failedInitialize,
  signIn,
  startRun,
} from "../../support/oauth-bridge.ts";
import { checkProof } from "../../support/oauth-dpop.ts";
import {
  type AuthorizationServer,
  type Recorded,
  startProvider,
} from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";

const exchangeType = "urn:ietf:params:oauth:grant-type:token-exchange";
const jwtType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

test.each([
  ["without a nonce", false],
  ["with nonces on both servers", true],
])(
  "requirement 33: tokens are bound by DPoP %s, every request with a proof of its own",
  async (_, nonces) => {
    using folder = ownFolder();
    const provider = await startProvider({ dpopNonce: nonces });
    const jtis = new Set<string>();
    let isBound = true;
    const server = startProtectedServer(provider, {
      async intercept(request, url) {
        const token = /^DPoP (.+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
        if (url.pathname !== "/mcp" || request.headers.get("authorization") === null)
          return undefined;
        const found = await provider.find(token ?? "");
        if (found === undefined) return undefined;
        const proof = checkProof(request.headers.get("dpop"), {
          method: request.method,
          url: url.href,
          accessToken: token ?? "",
        });
        if (proof === undefined || proof.jkt !== found.jkt || jtis.has(proof.jti)) isBound = false;
        else jtis.add(proof.jti);
        if (!nonces || proof?.nonce === "resource-nonce") return undefined;
        return new Response("{}", {
          status: 401,
          headers: {
            "www-authenticate": 'DPoP error="use_dpop_nonce"',
            "dpop-nonce": "resource-nonce",
          },
        });
      },
    });
    const home = await bridgeHome(folder.path, {
      url: server.url,
      auth: { type: "oauth", dpop: true },
    });
    await signIn(home);
    expect((await home.stored()).grant.tokenType).toBe("DPoP");
    const child = await startRun(home);
    for (let call = 0; call < 3; call++) expect(await callTool(child)).toBe("done");
    const stored = await home.stored();
    await provider.revoke(stored.grant.accessToken);
    expect(await callTool(child)).toBe("done");
    await child.end();
    expect(isBound).toBe(true);
    expect(jtis.size).toBeGreaterThan(4);
    await server.close();
    await provider.close();
  },
);

/** An authorization server and an identity provider that take assertions, before the real provider's other endpoints. */
let provider: AuthorizationServer;
let resource: ProtectedServer;
const seen: Recorded[] = [];
let refusal: string | undefined;

beforeAll(async () => {
  provider = await startProvider({
    intercept(request, response) {
      const type = request.form.get("grant_type");
      const answer = (status: number, body: object) => {
        seen.push(request);
        response.writeHead(status, { "content-type": "application/json" });
        response.end(JSON.stringify(body));
        return true;
      };
      if (type === exchangeType) {
        const issued_token_type = "urn:ietf:params:oauth:token-type:id-jag";
        return answer(200, { access_token: "the-id-jag", issued_token_type, token_type: "N_A" });
      }
      if (type !== jwtType) return false;
      if (refusal !== undefined) return answer(400, { error: refusal });
      return answer(200, {
        access_token: "machine-token-1",
        token_type: "Bearer",
        expires_in: 3600,
      });
    },
  });
  resource = startProtectedServer(provider, {
    async intercept(request, url) {
      if (url.pathname !== "/mcp") return undefined;
      if (request.headers.get("authorization") !== "Bearer machine-token-1") return undefined;
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const message = (await request.json()) as { id?: number; method: string };
      if (message.id === undefined) return new Response(null, { status: 202 });
      const result =
        message.method === "initialize"
          ? {
              protocolVersion: "2025-06-18",
              capabilities: { tools: {} },
              serverInfo: { name: "x", version: "1" },
            }
          : { content: [] };
      return Response.json({ jsonrpc: "2.0", id: message.id, result });
    },
  });
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

test("requirement 33: workload identity: the platform's token is the assertion, read anew each time (RFC 7523, SEP-1933)", async () => {
  using folder = ownFolder();
  seen.length = 0;
  const auth = {
    type: "oauth",
    grant: "jwt_bearer",
    clientId: "workload",
    assertionFile: "token.jwt",
  };
  const home = await bridgeHome(folder.path, { url: resource.url, auth });
  writeFileSync(`${folder.path}/.codex-mcp-bridge/token.jwt`, "head.body.sign\n", { mode: 0o600 });
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  await child.end();
  expect(seen).toHaveLength(1);
  expect(Object.fromEntries(seen[0]!.form)).toEqual({
    grant_type: jwtType,
    assertion: "head.body.sign",
    client_id: "workload",
    resource: resource.url,
    scope: "mcp",
  });
});

test("workload identity: a refused assertion is an error, asked once and by no other grant", async () => {
  using folder = ownFolder();
  seen.length = 0;
  refusal = "invalid_grant";
  const auth = { type: "oauth", grant: "jwt_bearer", clientId: "workload", assertionEnv: "JWT" };
  const home = await bridgeHome(folder.path, { url: resource.url, auth });
  Object.assign(home.env, { JWT: "head.body.sign" });
  expect(await failedInitialize(home)).toContain("invalid_grant");
  refusal = undefined;
  expect(seen.every(({ form }) => form.get("grant_type") === jwtType)).toBe(true);
  expect(seen).toHaveLength(1);
});

test("requirement 33: enterprise-managed: the ID token is traded at the identity provider, its assertion at the server's (ID-JAG)", async () => {
  using folder = ownFolder();
  seen.length = 0;
  const auth = {
    type: "oauth",
    grant: "id_jag",
    clientId: "at-the-server",
    clientSecret: "a-client-secret",
    idp: {
      issuer: provider.issuer,
      tokenEndpoint: `${provider.issuer}/token`,
      clientId: "at-the-idp",
      idTokenEnv: "ID_TOKEN",
    },
  };
  const home = await bridgeHome(folder.path, { url: resource.url, auth });
  Object.assign(home.env, { ID_TOKEN: "id.token.sign" });
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  await child.end();
  expect(Object.fromEntries(seen[0]!.form)).toEqual({
    grant_type: exchangeType,
    requested_token_type: "urn:ietf:params:oauth:token-type:id-jag",
    subject_token: "id.token.sign",
    subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
    audience: provider.issuer,
    client_id: "at-the-idp",
    resource: resource.url,
    scope: "mcp",
  });
  expect(seen[1]!.form.get("assertion")).toBe("the-id-jag");
  const { authorization } = seen[1]!.headers;
  expect(authorization).toStartWith("Basic ");
  expect(JSON.stringify(seen[0])).not.toContain("a-client-secret");
});
