import type { TCPSocketListener } from "bun";
import { Connection } from "./connection.ts";
import { Exchange, type Headers } from "./exchange.ts";
import { RequestReader } from "./request-reader.ts";

/** Answers a request and returns true; false leaves the request to the healthy server. */
export type Responder = (exchange: Exchange) => boolean | Promise<boolean>;

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** If set, the server requires a client certificate of this CA. */
  readonly clientCa?: string;
}

export interface FaultServerOptions {
  readonly tls?: TlsFiles;
  /** Opens sessions, and answers 404 to unknown session ids. */
  readonly sessions?: boolean;
  /** Keeps an event stream open for GET (405 otherwise). */
  readonly listens?: boolean;
  readonly headers?: Headers;
  /** Host in the URL; absent: 127.0.0.1. */
  readonly name?: string;
  /** Address to listen on; absent: 127.0.0.1. */
  readonly hostname?: string;
  /** Scheme in the URL; absent: that of the listener. */
  readonly scheme?: "https";
  /** HTTP+SSE of 2024-11-05, or the stateless protocol; absent: the session protocol over Streamable HTTP. */
  readonly speaks?: "sse" | "stateless";
}

/** A server on raw sockets: healthy, unless a responder answers instead. */
export class FaultServer {
  readonly requests: Exchange[] = [];
  /** Off in a soak, where it would keep a hundred thousand requests. */
  keepsRequests = true;
  readonly executed = new Map<string, number>();
  readonly connections: Connection[] = [];
  readonly streams: Exchange[] = [];
  readonly sessions = new Set<string>();
  initializes = 0;
  respond: Responder = () => false;
  /** Called for each connection; true: its bytes are not read as requests. */
  opened: (connection: Connection) => boolean = () => false;
  options: FaultServerOptions;
  #listener: TCPSocketListener<unknown> | undefined;
  #port = 0;

  constructor(options: FaultServerOptions = {}) {
    this.options = options;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    const { tls, scheme = tls === undefined ? "http" : "https", name = "127.0.0.1" } = this.options;
    return `${scheme}://${name}:${this.#port}/mcp`;
  }

  /** Listens on a port below the ephemeral range, so that no other socket takes it after `stop`. */
  start(): this {
    for (let tries = 0; ; tries += 1) {
      try {
        return this.#listen(this.#port || 10_240 + Math.floor(Math.random() * 22_000));
      } catch (error) {
        // A stopped listener may live until the next turn of the event loop.
        if (tries > 50) throw error;
        Bun.sleepSync(5);
      }
    }
  }

  #listen(port: number): this {
    const { tls } = this.options;
    const readers = new Map<unknown, RequestReader>();
    const held = new Map<unknown, Connection>();
    this.#listener = Bun.listen<undefined>({
      hostname: this.options.hostname ?? "127.0.0.1",
      port,
      allowHalfOpen: true,
      ...(tls === undefined
        ? {}
        : {
            tls: {
              cert: tls.cert,
              key: tls.key,
              ...(tls.clientCa === undefined
                ? {}
                : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
            },
          }),
      socket: {
        open: (socket) => {
          const connection = new Connection(socket);
          this.connections.push(connection);
          held.set(socket, connection);
          if (!this.opened(connection)) readers.set(socket, new RequestReader());
        },
        data: (socket, bytes) => {
          const connection = held.get(socket)!;
          for (const raw of readers.get(socket)?.feed(bytes) ?? []) {
            connection.requests += 1;
            const exchange = new Exchange(this, connection, raw);
            if (this.keepsRequests) this.requests.push(exchange);
            void this.#serve(exchange);
          }
        },
        drain: (socket) => held.get(socket)?.pump(),
        end: (socket) => {
          held.get(socket)?.end();
        },
        error: () => {},
        close: (socket) => {
          held.get(socket)?.closed();
          held.delete(socket);
          readers.delete(socket);
        },
      },
    });
    this.#port = this.#listener.port;
    return this;
  }

  /** Stops listening and cuts every connection; `start` listens on the same port again. */
  stop(): void {
    this.#listener?.stop(true);
    this.#listener = undefined;
    for (const connection of this.connections) connection.closed();
    this.streams.length = 0;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  executions(key: string): number {
    return this.executed.get(key) ?? 0;
  }

  /** Number of complete requests for the call with this key. */
  received(key: string): number {
    return this.requests.filter((request) => request.key === key).length;
  }

  extraHeaders(exchange: Exchange): Headers {
    if (this.options.sessions !== true || exchange.rpc !== "initialize")
      return this.options.headers ?? {};
    const session = `s-${this.initializes}`;
    this.sessions.add(session);
    return { "Mcp-Session-Id": session, ...this.options.headers };
  }

  result(exchange: Exchange): string {
    if (this.options.speaks !== "stateless") return this.#result(exchange);
    const result =
      exchange.rpc === "server/discover"
        ? JSON.stringify({ supportedVersions: ["2026-07-28"], capabilities: { tools: {} } })
        : this.#result(exchange);
    return `{"resultType":"complete",${result.slice(1)}`.replace(",}", "}");
  }

  #result(exchange: Exchange): string {
    switch (exchange.rpc) {
      case "initialize":
        this.initializes += 1;
        return JSON.stringify({
          protocolVersion: "2025-06-18",
          capabilities: { tools: {} },
          serverInfo: { name: "fault", version: "1" },
        });
      case "tools/list":
        return JSON.stringify({
          tools: [
            tool("write", {}),
            tool("read", { readOnlyHint: true }),
            tool("repeat", { idempotentHint: true }),
          ],
        });
      case "tools/call":
        this.executed.set(exchange.key, this.executions(exchange.key) + 1);
        return JSON.stringify({ content: [{ type: "text", text: exchange.key }] });
      default:
        return "{}";
    }
  }

  async #serve(exchange: Exchange): Promise<void> {
    if (await this.respond(exchange)) return;
    if (this.options.speaks === "sse") return this.#serveSse(exchange);
    if (this.options.speaks === "stateless" && exchange.rpc === "initialize")
      return exchange.answer(404, exchange.refusal(-32601, "Method not found"));
    if (exchange.method === "DELETE") return exchange.answer(200);
    if (exchange.method === "GET") {
      if (this.options.listens !== true) return exchange.answer(405);
      this.streams.push(exchange);
      return exchange.events();
    }
    const session = exchange.headers["mcp-session-id"];
    if (session !== undefined && this.options.sessions && !this.sessions.has(session))
      return exchange.answer(404, "no such session", { "Content-Type": "text/plain" });
    if (exchange.message?.id === undefined || exchange.message.method === undefined)
      return exchange.answer(202);
    return exchange.json();
  }

  /** Serves the one stream for all answers; its endpoint for messages lives as long as the stream. */
  #serveSse(exchange: Exchange): Promise<void> {
    const { method, path, message } = exchange;
    if (method === "GET" && path !== "/mcp") return exchange.answer(404);
    if (method === "GET") {
      this.streams.push(exchange);
      void exchange.events();
      return exchange.connection.write(`event: endpoint\ndata: /post?s=${this.streams.length}\n\n`);
    }
    const stream = this.streams.at(-1);
    if (path === "/mcp") return exchange.answer(405);
    if (path !== `/post?s=${this.streams.length}` || stream === undefined)
      return exchange.answer(404, "no such session", { "Content-Type": "text/plain" });
    void exchange.answer(202);
    const isRequest = message?.id !== undefined && message.method !== undefined;
    return isRequest ? exchange.say(exchange.execute()) : Promise.resolve();
  }
}

function tool(name: string, annotations: Record<string, boolean>): object {
  return { name, inputSchema: { type: "object" }, annotations };
}
