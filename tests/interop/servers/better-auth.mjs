// Better Auth with its OAuth provider: the user signs in and consents at once. Prints the URL of the guarded MCP server.
import { oauthProvider, oauthProviderAuthServerMetadata } from "@better-auth/oauth-provider";
import { oauthProviderResourceClient } from "@better-auth/oauth-provider/resource-client";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { jwt } from "better-auth/plugins";
import { answerMcp } from "./guarded.mjs";

let handle;
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => handle(request) });
const origin = `http://127.0.0.1:${server.port}`;
const resource = `${origin}/mcp`;
const user = { name: "Ada", email: "ada@example.com", password: "correct horse battery" };

const models = [
  ...["user", "session", "account", "verification", "jwks", "oauthClient", "oauthResource"],
  ...["oauthClientResource", "oauthAccessToken", "oauthRefreshToken", "oauthConsent"],
];
const tables = Object.fromEntries(models.map((model) => [model, []]));
const auth = betterAuth({
  baseURL: origin,
  secret: "a secret of this test, 32 characters or more",
  database: memoryAdapter(tables),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  plugins: [
    jwt(),
    oauthProvider({
      loginPage: "/login",
      consentPage: "/consent",
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      resources: [resource],
      clientRegistrationDefaultResources: [resource],
    }),
  ],
});
await auth.api.signUpEmail({ body: user });
const { verifyBearerToken } = oauthProviderResourceClient(auth).getActions();
const metadata = oauthProviderAuthServerMetadata(auth);

/** Posts as the page's script would, and sends the browser where the answer says. */
async function submit(request, path, body) {
  const answer = await auth.handler(
    new Request(`${origin}/api/auth${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        origin,
        cookie: request.headers.get("cookie") ?? "",
      },
      body: JSON.stringify({ ...body, oauth_query: new URL(request.url).search.slice(1) }),
    }),
  );
  const result = await answer.json();
  const location = result.url ?? result.redirect_uri ?? result.redirectURI;
  if (location === undefined) return Response.json(result, { status: 500 });
  const response = new Response(null, { status: 302, headers: { location } });
  for (const cookie of answer.headers.getSetCookie()) response.headers.append("set-cookie", cookie);
  return response;
}

handle = async (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/login")
    return submit(request, "/sign-in/email", { email: user.email, password: user.password });
  if (pathname === "/consent") return submit(request, "/oauth2/consent", { accept: true });
  if (pathname.startsWith("/.well-known/oauth-protected-resource"))
    return Response.json({ resource, authorization_servers: [`${origin}/api/auth`] });
  if (pathname.startsWith("/.well-known/oauth-authorization-server")) return metadata(request);
  if (pathname !== "/mcp") return auth.handler(request);
  const [, token] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  const isValid = await verifyBearerToken(token, {
    verifyOptions: { audience: resource, issuer: `${origin}/api/auth` },
    jwksUrl: `${origin}/api/auth/jwks`,
  }).then(
    () => true,
    () => false,
  );
  if (isValid) return answerMcp(request);
  const challenge = `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
  return new Response(null, { status: 401, headers: { "www-authenticate": challenge } });
};
console.log(resource);
