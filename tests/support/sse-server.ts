import { serveHttp } from "./serve-http.ts";

export interface SseBody {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

interface SseAnswers {
  /** The messages sent over the stream for a posted message. */
  readonly respond: (body: SseBody, server: SseServer) => object | undefined;
  /** Endpoint for messages of the n-th stream. */
  readonly place?: (n: number) => string;
  readonly protocolVersion?: string;
  /** Status of the response to a POST to the stream's URL. */
  readonly postStatus?: number;
}

/** A server of 2024-11-05 on loopback. */
export class SseServer {
  readonly posts: SseBody[] = [];
  readonly url: URL;
  streams = 0;
  /** Headers of the last POST. */
  headers = new Headers();
  /** If set, the response to a POST in place of 202. */
  refuse: (() => Response) | undefined;
  readonly #place: (n: number) => string;
  #controller: ReadableStreamDefaultController | undefined;

  constructor({ respond, place, protocolVersion = "2024-11-05", postStatus = 404 }: SseAnswers) {
    this.#place = place ?? ((n) => `/message?s=${n}`);
    this.url = serveHttp(async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/mcp" && request.method === "GET") return this.#open();
      if (pathname !== "/message") return new Response("no", { status: postStatus });
      if (Number(searchParams.get("s")) !== this.streams)
        return new Response("no such session", { status: 404 });
      if (this.refuse !== undefined) return this.refuse();
      this.headers = request.headers;
      const body = (await request.json()) as SseBody;
      this.posts.push(body);
      const answer =
        body.method === "initialize"
          ? { id: body.id, result: { protocolVersion, capabilities: {} } }
          : respond(body, this);
      if (answer !== undefined) this.say(answer);
      return new Response("Accepted", { status: 202 });
    });
  }

  /** Sends messages in one chunk. */
  say(...messages: object[]): void {
    const event = (message: object) => {
      const said = Array.isArray(message) ? message : { jsonrpc: "2.0", ...message };
      return `event: message\r\ndata: ${JSON.stringify(said)}\r\n\r\n`;
    };
    this.#controller?.enqueue(messages.map(event).join(""));
  }

  comment(): void {
    this.#controller?.enqueue(":\n\n");
  }

  drop(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  #open(): Response {
    const n = ++this.streams;
    this.refuse = undefined;
    const start = (controller: ReadableStreamDefaultController) => {
      this.#controller = controller;
      controller.enqueue(`event: endpoint\ndata: ${this.#place(n)}\n\n`);
    };
    const headers = { "content-type": "text/event-stream; charset=utf-8" };
    return new Response(new ReadableStream({ start }), { headers });
  }
}
