// Servers, proxies and ports that fail as those of people do, on loopback.
import { readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

const certificates = join(import.meta.dir, "../../fault/certificates");
export const certificateFile = (name: string) => join(certificates, name);
export const pem = (name: string) => readFileSync(certificateFile(name), "utf8");
export const tlsFiles = (name: string) => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) });

const stops: (() => unknown)[] = [];

/** Ends what the functions below have started. */
export async function stopServers(): Promise<void> {
  for (const stop of stops.splice(0)) await stop();
}

interface Body {
  readonly id?: unknown;
  readonly method?: string;
}
type Handler = (
  request: Request,
  body: Body,
) => Response | undefined | Promise<Response | undefined>;

export const tool = { name: "look", inputSchema: { type: "object" } };
export const results: Readonly<Record<string, object>> & { readonly initialize: object } = {
  initialize: {
    protocolVersion: "2025-06-18",
    capabilities: { tools: {} },
    serverInfo: { name: "s", version: "1" },
  },
  "tools/list": { tools: [tool] },
};

/** What a healthy server answers. */
export function healthy({ id, method = "" }: Body): Response {
  if (id === undefined) return new Response(null, { status: 202 });
  const result = results[method];
  const outcome = result === undefined ? { error: { code: -32601, message: "no" } } : { result };
  return Response.json({ jsonrpc: "2.0", id, ...outcome });
}

/** A server on loopback that is healthy where `handler` answers nothing. */
export function serve(handler: Handler = () => undefined, tls?: Bun.TLSOptions): string {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    ...(tls && { tls }),
    async fetch(request) {
      const json = request.method === "POST" ? request.clone().json() : {};
      const body = (await Promise.resolve(json).catch(() => ({}))) as Body;
      const own = await handler(request, body);
      if (own !== undefined) return own;
      return request.method === "POST" ? healthy(body) : new Response(null, { status: 405 });
    },
  });
  stops.push(() => server.stop(true));
  return `${tls ? "https" : "http"}://localhost:${server.port}`;
}

/** A listener for raw bytes; its port. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  server.on("secureConnection", (socket: Socket) => socket.on("error", () => undefined));
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** A proxy that answers CONNECT with these bytes and closes. */
export async function proxy(answer: string): Promise<string> {
  const port = await listen(
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(answer));
    }),
  );
  return `127.0.0.1:${port}`;
}

export async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A listener whose queue of connections is full: the kernel drops what comes, as a firewall does. Its port. */
export async function fullPort(): Promise<number> {
  const code = `import { createServer } from "node:net";
    const server = createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe" });
  stops.push(() => child.kill("SIGKILL"));
  const { value } = await child.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(value));
  // The run time's queue holds 512 connections whatever is asked for.
  for (let isFull = false; !isFull; ) {
    const socket = connect(port, "127.0.0.1");
    stops.push(() => socket.destroy());
    const isOpen = new Promise((resolve) => socket.once("connect", () => resolve(true)));
    isFull = !(await Promise.race([isOpen, Bun.sleep(200)]));
  }
  return port;
}

/** A port that takes connections and sends this and nothing else. */
export const silentPort = (answer = "") =>
  listen(
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => void socket.write(answer));
    }),
  );

/** A port that closes a connection at its first bytes. */
export const closingPort = () =>
  listen(createServer((socket) => socket.once("data", () => socket.end())));

/** A port that speaks TLS, and answers plain HTTP with 400 as nginx does. */
export function helpfulTlsPort(): Promise<number> {
  const secure = new URL(serve(undefined, tlsFiles("good"))).port;
  return listen(
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (bytes) => {
        // The first byte of a TLS record with a handshake.
        if (bytes[0] !== 0x16) {
          socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
          return;
        }
        const behind = connect(Number(secure), "127.0.0.1", () => behind.write(bytes));
        behind.on("error", () => undefined);
        socket.pipe(behind).pipe(socket);
      });
    }),
  );
}

export const page = (text: string, status = 200, headers = {}) =>
  new Response(`<!doctype html><title>${text}</title>`, {
    status,
    headers: { "content-type": "text/html", ...headers },
  });
export const challenged = (header: string | undefined, status = 401) =>
  Response.json({ error: "no" }, { status, headers: header ? { "www-authenticate": header } : {} });
export const jwt = (claims: object) =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

/** A server that wants a sign-in; `places` answers for its metadata and its authorization server. */
export function signInServer(places: (path: string, origin: string) => unknown): string {
  const origin: string = serve((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/mcp")
      return challenged(
        `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource"`,
      );
    const found = places(pathname, origin);
    if (found instanceof Response) return found;
    return found === undefined ? new Response(null, { status: 404 }) : Response.json(found);
  });
  return `${origin}/mcp`;
}

/** The usual documents of a server that is its own authorization server. */
export function documents(pathname: string, origin: string, more: object = {}): unknown {
  if (pathname.startsWith("/.well-known/oauth-protected-resource"))
    return { resource: `${origin}/mcp`, authorization_servers: [origin] };
  if (!pathname.startsWith("/.well-known/oauth-authorization-server")) return undefined;
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    code_challenge_methods_supported: ["S256"],
    response_types_supported: ["code"],
    ...more,
  };
}

/** A server behind a load balancer: a session is known only to requests with the cookie that began it. */
export function sticky(): string {
  return serve((request, body) => {
    if (request.method === "DELETE") return new Response(null, { status: 200 });
    if (body.method === "initialize") {
      const answer = healthy(body);
      answer.headers.set("set-cookie", "node=7; Path=/");
      answer.headers.set("mcp-session-id", crypto.randomUUID());
      return answer;
    }
    const isHome = request.headers.get("cookie")?.includes("node=7");
    return isHome
      ? undefined
      : Response.json(
          {
            jsonrpc: "2.0",
            id: body.id ?? null,
            error: { code: -32001, message: "Session not found" },
          },
          { status: 404 },
        );
  });
}
