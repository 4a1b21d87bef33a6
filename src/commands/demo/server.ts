import { program } from "../../wire/program-facts.ts";

/** One HTTP request to the demo server, and its answer. */
export interface Visit {
  readonly http: string;
  /** The JSON-RPC method, if the body holds one. */
  readonly method?: string;
  /** The body, byte for byte. */
  readonly body: string;
  readonly hadToken: boolean;
  readonly hadSession: boolean;
  readonly status: number;
  readonly answered: "nothing" | "JSON" | "event stream";
}

export interface DemoServer {
  readonly url: URL;
  readonly token: string;
  readonly visits: readonly Visit[];
  stop(): Promise<void>;
}

const readOnly = { annotations: { readOnlyHint: true, openWorldHint: false } };

const tools = [
  {
    name: "echo",
    description: "Gives back the text it is given.",
    inputSchema: {
      type: "object",
      properties: { text: { type: "string" } },
      required: ["text"],
    },
    ...readOnly,
  },
  {
    name: "clock",
    description: "Tells this machine's time, in UTC.",
    inputSchema: { type: "object", properties: {} },
    ...readOnly,
  },
  {
    name: "count",
    description: "Counts to a number from 1 to 100, telling its progress.",
    inputSchema: {
      type: "object",
      properties: { to: { type: "integer", minimum: 1, maximum: 100 } },
      required: ["to"],
    },
    ...readOnly,
  },
];

interface Request {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: {
    readonly name?: string;
    readonly protocolVersion?: string;
    readonly arguments?: { readonly text?: unknown; readonly to?: unknown };
    readonly _meta?: { readonly progressToken?: unknown };
  };
}

interface RpcError {
  readonly code: number;
  readonly message: string;
}

/** Protocol revisions of the demo server, the preferred one first. */
const revisions = ["2025-11-25", "2025-06-18", "2025-03-26"];

function initialize({ params }: Request) {
  const requested = revisions.find((revision) => revision === params?.protocolVersion);
  return {
    protocolVersion: requested ?? revisions[0],
    capabilities: { tools: {} },
    serverInfo: { name: `${program.name} demo`, version: program.version },
    instructions: "A built-in server for a first try: echo, clock and count.",
  };
}

const text = (words: string) => ({ content: [{ type: "text", text: words }] });

function call({ params }: Request): object | RpcError {
  const given = params?.arguments ?? {};
  if (params?.name === "clock") return text(new Date().toISOString());
  if (params?.name === "echo" && typeof given.text === "string") return text(given.text);
  if (params?.name === "count" && isCount(given.to)) return text(`counted to ${given.to}`);
  const known = tools.some(({ name }) => name === params?.name);
  const wrong = known ? `wrong arguments for "${params?.name}"` : `unknown tool "${params?.name}"`;
  return { code: -32602, message: wrong };
}

const isCount = (to: unknown): to is number =>
  Number.isInteger(to) && Number(to) >= 1 && Number(to) <= 100;

/** The messages that answer a request: progress, then the response. */
function messages(request: Request): object[] {
  const { id, method, params } = request;
  const answers: Record<string, () => object> = {
    initialize: () => initialize(request),
    ping: () => ({}),
    "tools/list": () => ({ tools }),
    "tools/call": () => call(request),
  };
  const outcome = answers[method]?.() ?? { code: -32601, message: `unknown method "${method}"` };
  const response = { jsonrpc: "2.0", id, ["code" in outcome ? "error" : "result"]: outcome };
  const progressToken = params?._meta?.progressToken;
  if (params?.name !== "count" || progressToken === undefined || "code" in outcome)
    return [response];
  const total = Number(params.arguments?.to);
  const progress = Array.from({ length: total }, (_, at) => ({
    jsonrpc: "2.0",
    method: "notifications/progress",
    params: { progressToken, progress: at + 1, total },
  }));
  return [...progress, response];
}

/** Starts the built-in MCP server (Streamable HTTP, sessions, a bearer token) on a free loopback port. */
export function startDemoServer(): DemoServer {
  const token = `demo-${crypto.randomUUID()}`;
  const sessions = new Set<string>();
  const visits: Visit[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const body = await request.text();
      const hadToken = request.headers.get("authorization") === `Bearer ${token}`;
      const session = request.headers.get("mcp-session-id");
      const hadSession = session !== null && sessions.has(session);
      const { response, answered, method } = hadToken
        ? serve(request, body, session, sessions)
        : { response: refusal(401, "the token is missing or wrong"), answered: "nothing" as const };
      const status = response.status;
      const http = request.method;
      visits.push({
        http,
        body,
        hadToken,
        hadSession,
        status,
        answered,
        ...(method && { method }),
      });
      return response;
    },
  });
  const url = new URL(`http://127.0.0.1:${server.port}/mcp`);
  return { url, token, visits, stop: () => server.stop(true) };
}

interface Served {
  readonly response: Response;
  readonly answered: Visit["answered"];
  readonly method?: string;
}

function refusal(status: number, why: string): Response {
  const headers: Record<string, string> = status === 401 ? { "www-authenticate": "Bearer" } : {};
  return new Response(why, { status, headers });
}

function serve(
  request: globalThis.Request,
  body: string,
  session: string | null,
  sessions: Set<string>,
): Served {
  const withoutMessage = (response: Response, method?: string): Served => ({
    response,
    answered: "nothing",
    ...(method !== undefined && { method }),
  });
  if (new URL(request.url).pathname !== "/mcp")
    return withoutMessage(refusal(404, "the path is /mcp"));
  if (request.method === "DELETE")
    return withoutMessage(refusal(session !== null && sessions.delete(session) ? 200 : 404, ""));
  if (request.method !== "POST") return withoutMessage(refusal(405, "POST or DELETE"));
  const accept = request.headers.get("accept") ?? "";
  if (!accept.includes("application/json") || !accept.includes("text/event-stream"))
    return withoutMessage(refusal(406, "accept application/json and text/event-stream"));
  let message: Request;
  try {
    message = JSON.parse(body);
  } catch {
    return withoutMessage(refusal(400, "the body is not JSON"));
  }
  const { method } = message;
  const isFirst = method === "initialize";
  if (!isFirst && (session === null || !sessions.has(session)))
    return withoutMessage(refusal(session === null ? 400 : 404, "no such session"), method);
  if (message.id === undefined) return withoutMessage(new Response(null, { status: 202 }), method);
  return respond(messages(message), method, isFirst, sessions);
}

function respond(
  answers: object[],
  method: string,
  isFirst: boolean,
  sessions: Set<string>,
): Served {
  const headers: Record<string, string> = {};
  if (isFirst) {
    const session = crypto.randomUUID();
    sessions.add(session);
    headers["mcp-session-id"] = session;
  }
  if (answers.length === 1)
    return { response: Response.json(answers[0], { headers }), answered: "JSON", method };
  headers["content-type"] = "text/event-stream";
  const events = answers.map((answer) => `event: message\ndata: ${JSON.stringify(answer)}\n\n`);
  return { response: new Response(events.join(""), { headers }), answered: "event stream", method };
}
