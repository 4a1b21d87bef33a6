type Params = { readonly protocolVersion?: string; readonly cursor?: string };

/** Behaviour of the server; a test may change it while the server runs. */
export interface Listing {
  /** False: reads every request and never answers. */
  answers: boolean;
  /** Status of every response, in place of an answer. */
  status?: number | undefined;
  /** Seconds of `Retry-After`, sent with that status. */
  retryAfter?: number;
  /** The only method that the two above affect; absent: all. */
  only?: string;
  /** Protocol version of the server; absent: the one asked for. */
  revision?: string;
  /** Pages of tools, or a function of the bearer token that returns them. */
  pages: string[][] | ((token: string) => string[][]);
  /** Accepted tokens; absent: all. */
  tokens?: readonly string[];
  /** Methods received, those of a batch together. */
  readonly seen: (string | string[])[];
  /** Protocol version of the last tools/list. */
  spoken?: string | null;
}

/** A listing that holds one tool. */
export const listing = (): Listing => ({ answers: true, pages: [["look"]], seen: [] });

interface Body {
  readonly id?: number;
  readonly method: string;
  readonly params?: Params;
}

/** A loopback server; its endpoint is `/mcp`. */
export function listingServer(state: Listing) {
  const answerTo = (token: string, { id, method, params }: Body) => {
    const pages = typeof state.pages === "function" ? state.pages(token) : state.pages;
    const at = Number(params?.cursor ?? 0);
    const tools = pages[at]?.map((name) => ({ name, inputSchema: { type: "object" } }));
    const results: Record<string, object> = {
      initialize: {
        protocolVersion: state.revision ?? params?.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: "s", version: "1" },
      },
      "tools/list": { tools, ...(at + 1 < pages.length && { nextCursor: String(at + 1) }) },
      "tools/call": { content: [] },
      ping: {},
    };
    const result = results[method];
    const error = { code: -32601, message: "no such method" };
    return { jsonrpc: "2.0", id, ...(result ? { result } : { error }) };
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const body = (await request.json()) as Body | Body[];
      const methods = Array.isArray(body) ? body.map(({ method }) => method) : body.method;
      state.seen.push(methods);
      if (methods === "tools/list") state.spoken = request.headers.get("mcp-protocol-version");
      const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
      if (state.tokens?.includes(token) === false) return new Response("no", { status: 401 });
      const isMeant = state.only === undefined || state.only === methods;
      if (!state.answers && isMeant) return new Promise<Response>(() => undefined);
      if (state.status !== undefined && isMeant) {
        const headers = state.retryAfter && { "retry-after": String(state.retryAfter) };
        return new Response("no", { status: state.status, headers: { ...headers } });
      }
      if (Array.isArray(body)) return Response.json(body.map((one) => answerTo(token, one)));
      if (body.id === undefined) return new Response(null, { status: 202 });
      return Response.json(answerTo(token, body));
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/mcp`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
