/** One request of Codex for the model's next words (Responses API). */
interface ModelRequest {
  /** Names of the functions on offer; those of an MCP server as `mcp__SERVER/TOOL`. */
  readonly offered: readonly string[];
  /** What an MCP server's namespace says of itself, by namespace. */
  readonly namespaces: ReadonlyMap<string, string>;
  /** Text of each function's output so far, by call id. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** What the model answers to one request: items of the Responses API. */
export type Turn = readonly object[];

/** A model on loopback that follows a script, one turn for each request; afterwards it says `done`. */
export interface ScriptedModel extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly ModelRequest[];
}

let calls = 0;

/** The model calls a tool of an MCP server. */
export function callsTool(
  server: string,
  tool: string,
  args: object = {},
  callId?: string,
): object {
  return {
    type: "function_call",
    call_id: callId ?? `call-${++calls}`,
    namespace: `mcp__${server}`,
    name: tool,
    arguments: JSON.stringify(args),
  };
}

/** The model says something to the user. */
export function says(text: string): object {
  return {
    type: "message",
    id: "message",
    role: "assistant",
    content: [{ type: "output_text", text }],
  };
}

interface Tool {
  readonly type: string;
  readonly name?: string;
  readonly description?: string;
  readonly tools?: readonly Tool[];
}
interface Item {
  readonly type: string;
  readonly call_id?: string;
  readonly output?: unknown;
}

function readRequest(body: { tools?: readonly Tool[]; input: readonly Item[] }): ModelRequest {
  const tools = body.tools ?? [];
  const offered = tools.flatMap(({ name = "", tools: inner }) =>
    inner === undefined ? [name] : inner.map((tool) => `${name}/${tool.name}`),
  );
  const namespaces = tools
    .filter(({ type }) => type === "namespace")
    .map(({ name = "", description = "" }) => [name, description] as const);
  const outputs = body.input
    .filter(({ type }) => type === "function_call_output")
    .map(({ call_id = "", output }) => [call_id, textOf(output)] as const);
  return { offered, namespaces: new Map(namespaces), outputs: new Map(outputs) };
}

function textOf(output: unknown): string {
  return typeof output === "string" ? output : JSON.stringify(output);
}

function eventStream(turn: Turn): string {
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const events = [
    { type: "response.created", response: { id: "response" } },
    ...turn.map((item) => ({ type: "response.output_item.done", item })),
    { type: "response.completed", response: { id: "response", usage } },
  ];
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

/** Starts a model that answers with these turns. */
export function scriptedModel(turns: readonly Turn[]): ScriptedModel {
  const requests: ModelRequest[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 404 });
      const asked = readRequest((await request.json()) as Parameters<typeof readRequest>[0]);
      // Beside a turn Codex asks for a title, without any tool: that is no part of the script.
      const isOfScript = asked.offered.length > 0;
      if (isOfScript) requests.push(asked);
      const turn = (isOfScript ? turns[requests.length - 1] : undefined) ?? [says("done")];
      return new Response(eventStream(turn), { headers: { "content-type": "text/event-stream" } });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
