// Token endpoints that answer otherwise than RFC 6749 says.
import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { grantFrom, requestTokens } from "../../../src/oauth/client/token-endpoint.ts";
import type { OAuthClient } from "../../../src/oauth/core/grant.ts";
import { commandLineFor, commandLineTo } from "../../../src/wire/program-facts.ts";
import { ownFolder } from "../../support/folder.ts";
import { oauthInside } from "../../support/oauth-inside.ts";
import { serveHttp } from "../../support/serve-http.ts";

const client: OAuthClient = { id: "app", method: "none", source: "registered" };
const tokens = { access_token: "at", token_type: "bearer" };

interface Asked {
  readonly authorization: string | null;
  readonly form: URLSearchParams;
}

/** Sends a token request of `of` to an endpoint that answers with `answer`. */
async function ask(
  answer: (asked: Asked) => Response,
  of: Partial<OAuthClient> = {},
  auth: object = {},
) {
  using folder = ownFolder();
  const asked: Asked[] = [];
  const url = serveHttp(async (request) => {
    const form = new URLSearchParams(await request.text());
    asked.push({ authorization: request.headers.get("authorization"), form });
    return answer(asked.at(-1)!);
  });
  const { context } = oauthInside(folder.path, { url: url.href, auth: { type: "oauth", ...auth } });
  const issuer = { issuer: url.origin, tokenEndpoint: url.href };
  const call = { context, issuer, client: { ...client, ...of }, grantType: "refresh_token" };
  const signal = AbortSignal.timeout(5000);
  const result = await requestTokens({
    ...call,
    parameters: { refresh_token: "rt" },
    signal,
  }).catch((error) => error);
  return { result, asked };
}

const refused = () =>
  Response.json({ error: "invalid_client", error_description: "who is that?" }, { status: 401 });
const isBasic = ({ authorization }: Asked) => authorization?.startsWith("Basic ") === true;
const isPost = ({ form }: Asked) => form.get("client_secret") === "s";

test.each<[string, OAuthClient["method"], (asked: Asked) => boolean, number]>([
  ["Basic", "client_secret_post", isBasic, 2],
  ["post", "client_secret_basic", isPost, 2],
  ["Basic", "none", isBasic, 2],
  ["post", "none", isPost, 3],
])(
  "a server that wants the secret by %s is found out by a client of %s, and the grant remembers it",
  async (_, method, isAccepted, times) => {
    const { result, asked } = await ask(
      (one) => (isAccepted(one) ? Response.json(tokens) : refused()),
      { method, secret: "s" },
    );
    expect(result).toMatchObject({ accessToken: "at" });
    expect(asked).toHaveLength(times);
    const base = { issuer: "i", client: { ...client, method, secret: "s" }, tokenEndpoint: "t" };
    const wanted = isAccepted === isBasic ? "client_secret_basic" : "client_secret_post";
    expect(grantFrom(result, base, 0).client.method).toBe(wanted);
  },
);

test("a secret that is wrong is tried each way once, and the first refusal is told", async () => {
  const { result, asked } = await ask(refused, { method: "client_secret_basic", secret: "s" });
  expect(result).toEqual({ error: "invalid_client", words: "who is that?" });
  expect(asked).toHaveLength(2);
});

test("a configured way to send the secret is the only one; a client without a secret has none", async () => {
  const auth = { clientId: "app", clientSecret: "s", clientAuth: "client_secret_basic" };
  const configured = { method: "client_secret_basic", secret: "s" } as const;
  expect((await ask(refused, configured, auth)).asked).toHaveLength(1);
  expect((await ask(refused)).asked).toHaveLength(1);
});

test("a secret beside a private key is never sent", async () => {
  const asBasic = { method: "client_secret_basic", secret: "s" } as const;
  expect((await ask(refused, asBasic, { privateKeyFile: "/key.pem" })).asked).toHaveLength(1);
  using folder = ownFolder();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privateKeyFile = `${folder.path}/key.pem`;
  writeFileSync(privateKeyFile, privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
  });
  const auth = { clientId: "app", privateKeyFile, algorithm: "ES256" };
  const { result, asked } = await ask(refused, { method: "private_key_jwt", secret: "s" }, auth);
  expect(result).toMatchObject({ error: "invalid_client" });
  expect(asked).toHaveLength(1);
  expect(asked[0]!.form.has("client_secret")).toBe(false);
});

test.each<[string, () => Response]>([
  ["invalid_request", () => Response.json({ error: "invalid_request" }, { status: 400 })],
  ["unauthorized_client", () => Response.json({ error: "unauthorized_client" }, { status: 400 })],
  ["503", () => new Response("", { status: 503 })],
  ["a page", () => new Response("<html>", { status: 400 })],
])(
  "invalid_client stays the answer where the secret in another way is answered by %s",
  async (_, other) => {
    const { result, asked } = await ask((one) => (isBasic(one) ? refused() : other()), {
      method: "client_secret_basic",
      secret: "s",
    });
    expect(result).toMatchObject({ error: "invalid_client" });
    expect(asked).toHaveLength(2);
  },
);

test.each([
  "invalid_grant",
  "invalid_scope",
  "authorization_pending",
  "slow_down",
  "access_denied",
])(
  "%s to the secret in another way is the answer: the server accepts the client",
  async (error) => {
    const { result } = await ask(
      (one) => (isBasic(one) ? refused() : Response.json({ error }, { status: 400 })),
      { method: "client_secret_basic", secret: "s" },
    );
    expect(result).toMatchObject({ error, clientMethod: "client_secret_post" });
  },
);

test("an answer without JSON is told with the server's words", async () => {
  const page = "<html><title>Gateway closed for today</title></html>";
  const headers = { "content-type": "text/html" };
  const { result } = await ask(() => new Response(page, { status: 400, headers }));
  expect(result.message).toContain("answered 400 without JSON, and said: Gateway closed for today");
});

test("a token type counts in any case and with spaces; a DPoP token that no proof asked for is refused", async () => {
  const of = (token_type: string) => ask(() => Response.json({ ...tokens, token_type }));
  expect((await of(" BEARER ")).result).toMatchObject({ tokenType: "Bearer" });
  const { result } = await of("DPoP");
  expect(result).toMatchObject({ kind: "bad-answer" });
  const command = commandLineTo({ name: "kb", adHoc: undefined }, commandLineFor(undefined));
  expect(result.hintText(command)).toContain('"dpop": true');
});
