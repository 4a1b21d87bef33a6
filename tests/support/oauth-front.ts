import type { AuthorizationServer } from "./oauth-provider.ts";

export interface StatelessClientOptions {
  /** Path of the claimed issuer; "" by default. */
  readonly issuerPath?: string;
  /** The only path that serves the issuer's metadata; undefined: none. */
  readonly metadataAt?: string;
  /** Whether it publishes protected resource metadata. */
  readonly hasResource: boolean;
  readonly tls?: { readonly cert: Bun.BunFile; readonly key: Bun.BunFile };
}

/** An MCP server and its authorization server at one origin: the real provider at other URLs. */
export interface Front {
  readonly origin: string;
  readonly url: string;
  /** Requested paths below /.well-known/, in order. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

const legacyPaths: Readonly<Record<string, string>> = {
  "/register": "/reg",
  "/authorize": "/auth",
};

export function startFront(provider: AuthorizationServer, options: StatelessClientOptions): Front {
  const { issuerPath = "", metadataAt, hasResource, tls } = options;
  const asked: string[] = [];
  let origin = "";

  async function metadata(): Promise<Response> {
    const answer = await fetch(`${provider.issuer}/.well-known/openid-configuration`);
    const text = (await answer.text()).replaceAll(provider.issuer, origin);
    // The real provider adds its own `iss`.
    const { authorization_response_iss_parameter_supported: _, ...document } = JSON.parse(text);
    return Response.json({ ...document, issuer: `${origin}${issuerPath}` });
  }

  async function answer(request: Request): Promise<Response> {
    const token = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1];
    const found = token === undefined ? undefined : await provider.find(token);
    if (found === undefined || found.aud !== `${origin}/mcp`)
      return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } });
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method } = (await request.json()) as { id?: unknown; method: string };
    if (id === undefined) return new Response(null, { status: 202 });
    const known: Readonly<Record<string, object>> = {
      initialize: {
        protocolVersion: "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "front", version: "1" },
      },
      "tools/list": { tools: [] },
    };
    const result = known[method] ?? { content: [{ type: "text", text: "done" }] };
    return Response.json({ jsonrpc: "2.0", id, result });
  }

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    ...(tls && { tls }),
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      if (pathname.includes("/.well-known/")) {
        asked.push(pathname);
        if (pathname === metadataAt) return metadata();
        const isResource = pathname === "/.well-known/oauth-protected-resource/mcp";
        if (!isResource || !hasResource) return new Response(null, { status: 404 });
        const issuers = [`${origin}${issuerPath}`];
        return Response.json({ resource: `${origin}/mcp`, authorization_servers: issuers });
      }
      if (pathname === "/mcp") return answer(request);
      const headers = new Headers(request.headers);
      headers.delete("host");
      const { method } = request;
      const path = legacyPaths[pathname] ?? pathname;
      return fetch(`${provider.issuer}${path}${search}`, {
        method,
        headers,
        redirect: "manual",
        ...(method === "POST" && { body: await request.text() }),
      });
    },
  });
  origin = `${tls === undefined ? "http://127.0.0.1" : "https://localhost"}:${server.port}`;
  return { origin, url: `${origin}/mcp`, asked, close: () => server.stop(true) };
}
