// A scripted model on loopback, with the model APIs of the clients: it calls one tool once, then ends the turn. Where a
// server offers `sign_in` in place of that tool, it calls sign_in first, and its user opens the page.

interface Tool {
  readonly name?: string;
  readonly function?: { readonly name: string };
  readonly functionDeclarations?: readonly { readonly name: string }[];
}
interface Body {
  readonly stream?: boolean;
  readonly tools?: readonly Tool[];
}

const sse = (events: readonly (readonly [event: string | undefined, data: unknown])[]) =>
  new Response(
    events
      .map(([event, data]) => {
        const text = typeof data === "string" ? data : JSON.stringify(data);
        return `${event === undefined ? "" : `event: ${event}\n`}data: ${text}\n\n`;
      })
      .join(""),
    { headers: { "content-type": "text/event-stream" } },
  );

/** Response of OpenAI's chat completions API, for opencode and Copilot CLI. */
function completion(tool: string | undefined, isStream: boolean): Response {
  const call = {
    id: `call_${crypto.randomUUID()}`,
    type: "function",
    function: { name: tool, arguments: "{}" },
  };
  const message =
    tool === undefined ? { content: "the end" } : { content: null, tool_calls: [call] };
  const finish_reason = tool === undefined ? "stop" : "tool_calls";
  const base = { id: "c1", created: 1, model: "scripted" };
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  if (!isStream) {
    const choice = { index: 0, message: { role: "assistant", ...message }, finish_reason };
    return Response.json({ ...base, object: "chat.completion", choices: [choice], usage });
  }
  const delta =
    tool === undefined ? message : { content: null, tool_calls: [{ index: 0, ...call }] };
  const chunk = (choice: object) => ({
    ...{ ...base, object: "chat.completion.chunk", usage },
    choices: [{ index: 0, ...choice }],
  });
  return sse([
    [undefined, chunk({ delta: { role: "assistant", ...delta }, finish_reason: null })],
    [undefined, chunk({ delta: {}, finish_reason })],
    [undefined, "[DONE]"],
  ]);
}

/** Response of Anthropic's messages API, for Claude Code. */
function message(tool: string | undefined, isStream: boolean): Response {
  const block =
    tool === undefined
      ? { type: "text", text: "the end" }
      : { type: "tool_use", id: `toolu_${crypto.randomUUID()}`, name: tool, input: {} };
  const stop_reason = tool === undefined ? "end_turn" : "tool_use";
  const base = { id: "msg_1", type: "message", role: "assistant", model: "scripted" };
  const usage = { input_tokens: 1, output_tokens: 1 };
  const whole = { ...base, stop_sequence: null, usage };
  if (!isStream) return Response.json({ ...whole, content: [block], stop_reason });
  const start = tool === undefined ? { type: "text", text: "" } : block;
  const delta =
    tool === undefined
      ? { type: "text_delta", text: "the end" }
      : { type: "input_json_delta", partial_json: "{}" };
  const events: [string, object][] = [
    ["message_start", { message: { ...whole, content: [], stop_reason: null } }],
    ["content_block_start", { index: 0, content_block: start }],
    ["content_block_delta", { index: 0, delta }],
    ["content_block_stop", { index: 0 }],
    ["message_delta", { delta: { stop_reason, stop_sequence: null }, usage }],
    ["message_stop", {}],
  ];
  return sse(events.map(([type, data]) => [type, { type, ...data }]));
}

/** Response of Google's generateContent API, for Gemini CLI. */
function content(tool: string | undefined, isStream: boolean): Response {
  const part =
    tool === undefined ? { text: "the end" } : { functionCall: { name: tool, args: {} } };
  const candidate = { content: { role: "model", parts: [part] }, finishReason: "STOP", index: 0 };
  const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 };
  const answer = { candidates: [candidate], usageMetadata, modelVersion: "scripted" };
  return isStream ? sse([[undefined, answer]]) : Response.json(answer);
}

/** The client's name for the wanted tool, from the tools of its request; clients prepend the server's name. */
function clientToolName({ tools = [] }: Body, wanted: string): string | undefined {
  return tools
    .flatMap((tool) => [
      ...(tool.functionDeclarations ?? []).map(({ name }) => name),
      tool.function?.name ?? tool.name ?? "",
    ])
    .find((name) => name.endsWith(wanted));
}

/** Most calls of sign_in: a client may list the tools anew only after another call. */
const mostSignIns = 20;
const page = /https?:\/\/[^\s"\\]+\/device\?user_code=([A-Z-]+)/;

/** Serves the model, which calls the tool `wanted` once; `state` counts its calls of that tool and of `sign_in`. */
export function scriptedModel(
  wanted: string,
  /** The user: opens the page, enters the code, and waits for the end of the sign-in. */
  user: (page: string, code: string) => Promise<void> = async () => undefined,
) {
  const state = { calls: 0, signIns: 0 };
  const opened = new Set<string>();
  /** Opens the page in the request's last result as the user would, once. */
  const openPage = async (body: Body) => {
    const [url, code] = page.exec(JSON.stringify(body)) ?? [];
    if (url === undefined || opened.has(url)) return;
    opened.add(url);
    await user(url, code!);
  };
  const choose = (body: Body) => {
    if (state.calls > 0) return undefined;
    const name = clientToolName(body, wanted);
    const signIn = state.signIns < mostSignIns ? clientToolName(body, "sign_in") : undefined;
    if (name !== undefined) state.calls++;
    else if (signIn !== undefined) state.signIns++;
    return name ?? signIn;
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (request.method !== "POST") return Response.json({ data: [{ id: "scripted" }] });
      const body = (await request.json().catch(() => ({}))) as Body;
      if (/count_?tokens$/i.test(pathname)) {
        return Response.json({ input_tokens: 1, totalTokens: 1 });
      }
      await openPage(body);
      const name = choose(body);
      if (pathname.endsWith("/chat/completions")) return completion(name, body.stream === true);
      if (pathname.endsWith("/messages")) return message(name, body.stream === true);
      return content(name, pathname.includes("stream"));
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    state,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
