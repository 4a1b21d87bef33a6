import type { AuthorizationServer } from "./oauth-provider.ts";

/** One request to the protected MCP server. */
export interface ResourceRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly headers: Headers;
  /** The JSON-RPC method, if any. */
  readonly rpc: string | undefined;
  readonly status: number;
}

export interface ResourceOptions {
  /** Scopes required for every request; tools may require more. */
  readonly scope?: string;
  /** A tool and the further scope that it requires. */
  readonly toolScopes?: Readonly<Record<string, string>>;
  /** Names of more tools. */
  readonly tools?: readonly string[];
  /** The challenge of a 401; by default it names the metadata. */
  readonly challenge?: (resource: string) => string | undefined;
  /** Answers in place of the server if it returns a response. */
  readonly intercept?: (
    request: Request,
    url: URL,
  ) => Response | undefined | Promise<Response | undefined>;
  /** Changes the metadata document. */
  readonly metadata?: (document: Record<string, unknown>) => unknown;
  readonly path?: string;
}

/** A protected MCP server on loopback (Streamable HTTP, JSON answers) that checks the token's audience. */
export interface ProtectedServer {
  readonly url: string;
  readonly requests: readonly ResourceRequest[];
  calls(): number;
  close(): Promise<void>;
}

const tools = [
  { name: "echo", description: "Says it again", inputSchema: { type: "object" } },
  { name: "write", description: "Needs a wider scope", inputSchema: { type: "object" } },
];

function resultOf(
  method: string,
  params: { name?: string; protocolVersion?: string },
  more: readonly string[] = [],
): unknown {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: params.protocolVersion ?? "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "protected", version: "1.0.0" },
      };
    case "tools/list":
      return { tools: [...tools, ...more.map((name) => ({ ...tools[0], name }))] };
    case "tools/call":
      return { content: [{ type: "text", text: `done: ${params.name}` }] };
    default:
      return {};
  }
}

/** Starts the server; it accepts tokens of `authorizationServer` with its own audience. */
export function startProtectedServer(
  authorizationServer: AuthorizationServer,
  options: ResourceOptions = {},
): ProtectedServer {
  const requests: ResourceRequest[] = [];
  const path = options.path ?? "/mcp";
  let url = "";
  const challengeOf = (extra = "") => {
    const origin = new URL(url).origin;
    const base = `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource${path}"`;
    const made = options.challenge ? options.challenge(url) : base;
    return made === undefined ? undefined : `${made}${extra}`;
  };
  const refuse = (status: number, extra: string, words: string) => {
    const challenge = challengeOf(extra);
    return Response.json(
      { error: words },
      { status, headers: challenge === undefined ? {} : { "www-authenticate": challenge } },
    );
  };

  async function judge(request: Request): Promise<{ scopes: string[] } | Response> {
    const header = request.headers.get("authorization");
    const token = /^(?:Bearer|DPoP) (\S+)$/.exec(header ?? "")?.[1];
    if (token === undefined) return refuse(401, "", "no token");
    const found = await authorizationServer.find(token);
    if (found === undefined || found.isExpired) {
      return refuse(401, ', error="invalid_token"', "the token is not valid");
    }
    if (found.aud !== url) return refuse(401, ', error="invalid_token"', "wrong audience");
    return { scopes: (found.scope ?? "").split(" ") };
  }

  async function answer(request: Request, pathname: string): Promise<[Response, string?]> {
    if (pathname.startsWith("/.well-known/oauth-protected-resource")) {
      if (pathname !== `/.well-known/oauth-protected-resource${path}`) {
        return [new Response(null, { status: 404 })];
      }
      const document = {
        resource: url,
        authorization_servers: [authorizationServer.issuer],
        scopes_supported: (options.scope ?? "mcp").split(" "),
      };
      return [Response.json(options.metadata ? options.metadata(document) : document)];
    }
    if (pathname !== path) return [new Response(null, { status: 404 })];
    const judged = await judge(request);
    if (judged instanceof Response) return [judged];
    if (request.method !== "POST") return [new Response(null, { status: 405 })];
    const message = (await request.json()) as {
      id?: unknown;
      method: string;
      params?: { name?: string; protocolVersion?: string };
    };
    const tool = message.params?.name ?? "";
    const needed = options.toolScopes?.[tool] ?? options.scope ?? "mcp";
    if (!needed.split(" ").every((scope) => judged.scopes.includes(scope))) {
      return [
        refuse(403, `, error="insufficient_scope", scope="${needed}"`, "scope"),
        message.method,
      ];
    }
    if (message.id === undefined) return [new Response(null, { status: 202 }), message.method];
    const result = resultOf(message.method, message.params ?? {}, options.tools);
    return [Response.json({ jsonrpc: "2.0", id: message.id, result }), message.method];
  }

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const made = await options.intercept?.(request.clone() as Request, new URL(request.url));
      const [response, rpc] = made === undefined ? await answer(request, pathname) : [made];
      requests.push({
        method: request.method,
        path: pathname,
        authorization: request.headers.get("authorization"),
        headers: request.headers,
        rpc,
        status: response.status,
      });
      return response;
    },
  });
  url = `http://127.0.0.1:${server.port}${path}`;
  return {
    url,
    requests,
    calls: () =>
      requests.filter(({ rpc, status }) => rpc === "tools/call" && status === 200).length,
    close: () => server.stop(true),
  };
}
