// @cloudflare/workers-oauth-provider outside of a Worker: its key-value store is a map, and consent is given at once.
// Prints the URL of the guarded MCP server.
import { plugin } from "bun";
import { answerMcp } from "./guarded.mjs";

plugin({
  name: "workers",
  setup: (build) =>
    build.module("cloudflare:workers", () => ({
      loader: "object",
      exports: { WorkerEntrypoint: class {} },
    })),
});
const { OAuthProvider } = await import("@cloudflare/workers-oauth-provider");

const entries = new Map();
const store = {
  async get(key, options) {
    const entry = entries.get(key);
    if (entry === undefined) return null;
    return options === "json" || options?.type === "json" ? JSON.parse(entry) : entry;
  },
  async put(key, value) {
    entries.set(key, value);
  },
  async delete(key) {
    entries.delete(key);
  },
  async list({ prefix = "" } = {}) {
    const keys = [...entries.keys()].filter((key) => key.startsWith(prefix));
    return { keys: keys.map((name) => ({ name })), list_complete: true };
  },
};

let provider;
const context = () => ({
  waitUntil: () => undefined,
  passThroughOnException: () => undefined,
  props: {},
});
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request) => provider.fetch(request, { OAUTH_KV: store }, context()),
});
const origin = `http://127.0.0.1:${server.port}`;
provider = new OAuthProvider({
  apiRoute: "/mcp",
  apiHandler: { fetch: answerMcp },
  defaultHandler: {
    async fetch(request, env) {
      if (new URL(request.url).pathname !== "/authorize")
        return new Response(null, { status: 404 });
      const asked = await env.OAUTH_PROVIDER.parseAuthRequest(request);
      const { redirectTo } = await env.OAUTH_PROVIDER.completeAuthorization({
        request: asked,
        userId: "ada",
        metadata: {},
        scope: asked.scope,
        props: {},
      });
      return Response.redirect(redirectTo, 302);
    },
  },
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/token",
  clientRegistrationEndpoint: "/register",
  scopesSupported: ["read", "offline_access"],
  requiredScopes: ["read"],
  resourceMetadata: { resource: `${origin}/mcp`, authorization_servers: [origin] },
});
console.log(`${origin}/mcp`);
