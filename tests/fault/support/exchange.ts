import type { Connection } from "./connection.ts";
import type { RawRequest } from "./request-reader.ts";
import type { FaultServer } from "./server.ts";

type Json = Record<string, unknown> & {
  id?: unknown;
  method?: string;
  params?: { name?: string; arguments?: { key?: string } };
};

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  307: "Temporary Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

export type Headers = Readonly<Record<string, string>>;

/** One HTTP request to the faulty server, with methods for right and wrong responses. */
export class Exchange {
  readonly message: Json | undefined;

  readonly server: FaultServer;
  readonly connection: Connection;
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;

  constructor(server: FaultServer, connection: Connection, request: RawRequest) {
    this.server = server;
    this.connection = connection;
    this.method = request.method;
    this.path = request.path;
    this.headers = request.headers;
    this.body = request.body;
    const { body } = request;
    try {
      this.message = body === "" ? undefined : (JSON.parse(body) as Json);
    } catch {
      this.message = undefined;
    }
  }

  /** The JSON-RPC method, or "". */
  get rpc(): string {
    return this.message?.method ?? "";
  }

  /** `params.arguments.key`: identifies the call of the scenario. */
  get key(): string {
    return this.message?.params?.arguments?.key ?? "";
  }

  get id(): string {
    return JSON.stringify(this.message?.id ?? null);
  }

  /** Executes the request (a tool call is counted) and returns the response as JSON text. */
  execute(id = this.id): string {
    return `{"jsonrpc":"2.0","id":${id},"result":${this.server.result(this)}}`;
  }

  /** Writes the status line and headers only. */
  head(status: number, headers: Headers = {}): Promise<void> {
    return this.connection.write(this.headText(status, headers));
  }

  headText(status: number, headers: Headers = {}): string {
    const lines = Object.entries({ ...this.server.extraHeaders(this), ...headers });
    const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    return `HTTP/1.1 ${status} ${reasons[status] ?? "Other"}\r\n${text}\r\n`;
  }

  /** Writes a complete response with Content-Length; the connection stays open. */
  answer(status: number, body: string | Uint8Array = "", headers: Headers = {}): Promise<void> {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const type: Headers = bytes.byteLength === 0 ? {} : { "Content-Type": "application/json" };
    const head = this.headText(status, {
      ...type,
      "Content-Length": String(bytes.byteLength),
      ...headers,
    });
    void this.connection.write(head);
    return this.connection.write(bytes);
  }

  json(text = this.execute()): Promise<void> {
    return this.answer(200, text);
  }

  /** Opens an event stream that ends with the connection; without chunking, so that the test writes every byte. */
  events(headers: Headers = {}): Promise<void> {
    return this.head(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-cache",
      Connection: "close",
      ...headers,
    });
  }

  /** Writes one event. */
  event(data: string, fields = ""): Promise<void> {
    return this.connection.write(`${fields}data: ${data}\n\n`);
  }

  /** Writes one event on the stream of HTTP+SSE. */
  say(data: string): Promise<void> {
    return this.server.streams.at(-1)?.event(data) ?? Promise.resolve();
  }

  /** Answers the request with a JSON-RPC error. */
  refusal(code: number, message: string): string {
    return JSON.stringify({
      jsonrpc: "2.0",
      id: this.message?.id ?? null,
      error: { code, message },
    });
  }

  /** Opens a chunked answer; write with `chunk`, finish with `chunk("")`. */
  chunked(status: number, type: string, headers: Headers = {}): Promise<void> {
    return this.head(status, { "Content-Type": type, "Transfer-Encoding": "chunked", ...headers });
  }

  chunk(text: string): Promise<void> {
    const size = new TextEncoder().encode(text).byteLength.toString(16);
    return this.connection.write(`${size}\r\n${text}\r\n`);
  }
}
