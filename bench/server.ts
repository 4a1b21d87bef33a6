// The MCP server of every measure: as fast as Bun.serve, so that the measures show the bridges.
// Prints one JSON line with its ports, then serves until stdin ends.
//   /ENDPOINT/SYSTEM answers with JSON, /sse/SYSTEM with an event stream; /tally returns the counts of each path.
// It speaks Streamable HTTP of MCP 2025-06-18, with a session id, so that a client can send DELETE.
import type { Tally } from "./context.ts";
import { type Endpoint, endpoints } from "./endpoints.ts";
import { repeatedText } from "./text.ts";

/** Larger bodies are not parsed: id and tool are read from their first or last bytes. */
const parsedBytes = 64 * 1024;
const endBytes = 512;
const slowMs = 20;

interface Asked {
  id: number | string | undefined;
  method: string;
  tool: string;
  amount: number;
  token: unknown;
}

/** Requests to one path. */
class Seen {
  requests = 0;
  ended = 0;
  sessions = 0;
  readonly ports = new Set<number>();
  readonly #open = new Set<string>();

  open(): string {
    const id = crypto.randomUUID();
    this.sessions++;
    this.#open.add(id);
    return id;
  }

  close(id: string | null): void {
    if (this.#open.delete(id ?? "")) this.ended++;
  }

  get tally(): Tally {
    const { requests, ended, sessions, ports } = this;
    return { requests, ended, sessions, sockets: ports.size };
  }
}

const seen = new Map<string, Seen>();

function seenAt(path: string): Seen {
  const known = seen.get(path);
  if (known !== undefined) return known;
  const made = new Seen();
  seen.set(path, made);
  return made;
}

const encoder = new TextEncoder();
const mark = "@@TEXT@@";

function read(body: Uint8Array): Asked {
  if (body.length > parsedBytes) {
    const decoder = new TextDecoder();
    const ends =
      decoder.decode(body.subarray(0, endBytes)) + decoder.decode(body.subarray(-endBytes));
    const id = /"id":(\d+)/.exec(ends)?.[1];
    return {
      id: id === undefined ? undefined : Number(id),
      method: /"method":"([^"]+)"/.exec(ends)?.[1] ?? "",
      tool: /"name":"([^"]+)"/.exec(ends)?.[1] ?? "",
      amount: body.length,
      token: undefined,
    };
  }
  const message = JSON.parse(new TextDecoder().decode(body));
  const tool = message.params?.name ?? "";
  return {
    id: message.id,
    method: message.method ?? "",
    tool,
    amount: tool === "swallow" ? body.length : (message.params?.arguments?.amount ?? 0),
    token: message.params?._meta?.progressToken,
  };
}

const schema = { type: "object", properties: { amount: { type: "number" } } };
const tools = ["echo", "wait", "progress", "text", "swallow"].map((name) => ({
  name,
  description: `The benchmark's ${name}`,
  inputSchema: schema,
  annotations: { readOnlyHint: true },
}));

const unknownMethod = { code: -32601, message: "Method not found" };

function resultOf({ method, tool, amount }: Asked): unknown {
  if (method === "initialize")
    return {
      protocolVersion: "2025-06-18",
      capabilities: { tools: {} },
      serverInfo: { name: "bench", version: "1.0.0" },
    };
  if (method === "tools/list") return { tools };
  if (method !== "tools/call") return undefined;
  const text = tool === "text" ? mark : tool === "swallow" ? `${amount} bytes` : "pong";
  return { content: [{ type: "text", text }] };
}

/** The bytes of an answer, with a long text between `before` and `after` that never becomes a string. */
function answerBytes(asked: Asked, before: string, after: string): Uint8Array {
  const result = resultOf(asked);
  const answer = result === undefined ? { error: unknownMethod } : { result };
  const json = JSON.stringify({ jsonrpc: "2.0", id: asked.id, ...answer });
  if (asked.tool !== "text") return encoder.encode(before + json + after);
  const at = json.indexOf(mark);
  const head = encoder.encode(before + json.slice(0, at));
  const tail = encoder.encode(json.slice(at + mark.length) + after);
  const whole = Buffer.allocUnsafe(head.length + asked.amount + tail.length);
  whole.set(head, 0);
  repeatedText(whole.subarray(head.length, head.length + asked.amount));
  whole.set(tail, head.length + asked.amount);
  return whole;
}

/** `amount` progress notifications in pieces of about 64 KB, then the answer. */
function progressStream(asked: Asked): ReadableStream<Uint8Array> {
  const token = JSON.stringify(asked.token);
  let sent = 0;
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      let piece = "";
      for (; sent < asked.amount && piece.length < 65_536; sent++)
        piece += `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},"progress":${sent + 1},"total":${asked.amount}}}\n\n`;
      if (piece !== "") controller.enqueue(encoder.encode(piece));
      if (sent < asked.amount) return;
      controller.enqueue(answerBytes(asked, "event: message\ndata: ", "\n\n"));
      controller.close();
    },
  });
}

const streamHeaders = { "content-type": "text/event-stream", "cache-control": "no-cache" };

async function answer(request: Request, endpoint: string, own: Seen): Promise<Response> {
  if (request.method === "DELETE") {
    own.close(request.headers.get("mcp-session-id"));
    return new Response(null, { status: 204 });
  }
  if (request.method !== "POST") return new Response(null, { status: 405 });
  const asked = read(await request.bytes());
  if (asked.id === undefined || asked.method === "") return new Response(null, { status: 202 });
  const session = asked.method === "initialize" && { "mcp-session-id": own.open() };
  if (asked.tool === "wait") await Bun.sleep(slowMs);
  if (asked.tool === "progress")
    return new Response(progressStream(asked), { headers: streamHeaders });
  if (endpoint === "sse")
    return new Response(answerBytes(asked, "event: message\ndata: ", "\n\n"), {
      headers: { ...streamHeaders, ...session },
    });
  return new Response(answerBytes(asked, "", ""), {
    headers: { "content-type": "application/json", ...session },
  });
}

function tallies(): Response {
  return Response.json(Object.fromEntries([...seen].map(([path, { tally }]) => [path, tally])));
}

const options = {
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  maxRequestBodySize: 1024 * 1024 * 1024,
  development: false,
  async fetch(request: Request, server: Bun.Server<undefined>): Promise<Response> {
    const path = request.url.slice(request.url.indexOf("/", 9));
    if (path === "/tally") return tallies();
    const endpoint = path.slice(1, path.indexOf("/", 1));
    if (!endpoints.includes(endpoint as Endpoint))
      return new Response("not found", { status: 404 });
    const own = seenAt(path);
    own.requests++;
    const port = endpoint === "sockets" ? server.requestIP(request)?.port : undefined;
    if (port !== undefined) own.ports.add(port);
    return answer(request, endpoint, own);
  },
};

const [certFile, keyFile] = process.argv.slice(2);
const plain = Bun.serve(options);
const secure =
  certFile === undefined || keyFile === undefined
    ? undefined
    : Bun.serve({ ...options, tls: { cert: Bun.file(certFile), key: Bun.file(keyFile) } });
console.log(JSON.stringify({ port: plain.port, tlsPort: secure?.port }));
for await (const _ of Bun.stdin.stream());
process.exit(0);
