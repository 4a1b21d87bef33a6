/** A server that takes one token only, in front of another one. */
export interface Guarded extends AsyncDisposable {
  readonly url: string;
  /** The Authorization of each request, as it came. */
  readonly seen: readonly (string | null)[];
  /** The server behind it. */
  upstream: string;
}

/** Starts it; without an upstream it can only refuse. */
export function guarded(token: string): Guarded {
  const seen: (string | null)[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const authorization = request.headers.get("authorization");
      seen.push(authorization);
      if (authorization !== `Bearer ${token}`) {
        return Response.json({ error: "no" }, { status: 401 });
      }
      const { method, headers, signal } = request;
      const body = method === "POST" ? await request.text() : undefined;
      return fetch(guard.upstream, {
        method,
        headers,
        signal,
        ...(body !== undefined && { body }),
      });
    },
  });
  const guard: Guarded = {
    seen,
    upstream: "",
    url: `http://127.0.0.1:${server.port}/mcp`,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
  return guard;
}
