// A server with every feature of the suite's server scenarios, built with the official SDK.
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  type PromptMessage,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { image, referenceTools } from "./reference-tools.ts";

type Content = PromptMessage["content"];

const say = (...contents: Content[]) => ({
  messages: contents.map((content) => ({ role: "user" as const, content })),
});
const words = (text: string): Content => ({ type: "text", text });

const prompts = [
  { name: "test_simple_prompt", description: "no arguments" },
  {
    name: "test_prompt_with_arguments",
    description: "two arguments",
    arguments: [
      { name: "arg1", description: "the first", required: true },
      { name: "arg2", description: "the second", required: true },
    ],
  },
  {
    name: "test_prompt_with_embedded_resource",
    description: "a resource",
    arguments: [{ name: "resourceUri", description: "which", required: true }],
  },
  { name: "test_prompt_with_image", description: "an image" },
];

function promptOf(name: string, args: { arg1?: string; arg2?: string; resourceUri?: string }) {
  switch (name) {
    case "test_prompt_with_arguments":
      return say(words(`arg1='${args.arg1}', arg2='${args.arg2}'`));
    case "test_prompt_with_embedded_resource": {
      const uri = args.resourceUri ?? "";
      return say({ type: "resource", resource: { uri, mimeType: "text/plain", text: "here" } });
    }
    case "test_prompt_with_image":
      return say({ type: "image", data: image, mimeType: "image/png" }, words("look"));
    default:
      return say(words("This is a simple prompt for testing."));
  }
}

const resources = [
  { uri: "test://static-text", name: "text", mimeType: "text/plain" },
  { uri: "test://static-binary", name: "binary", mimeType: "image/png" },
  { uri: "test://watched-resource", name: "watched", mimeType: "text/plain" },
];

function contentsOf(uri: string) {
  if (uri === "test://static-binary") return { uri, mimeType: "image/png", blob: image };
  const id = /^test:\/\/template\/(.+)\/data$/.exec(uri)?.[1];
  if (id === undefined) return { uri, mimeType: "text/plain", text: `the content of ${uri}` };
  return { uri, mimeType: "application/json", text: JSON.stringify({ id }) };
}

function makeServer(): Server {
  const capabilities = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    logging: {},
    completions: {},
  };
  const server = new Server({ name: "reference", version: "1" }, { capabilities });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [...referenceTools.values()].map(({ tool }) => tool),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const found = referenceTools.get(params.name);
    if (found === undefined) throw new Error(`no tool "${params.name}"`);
    try {
      return { content: await found.run(params.arguments ?? {}, extra) };
    } catch (error) {
      return { isError: true, content: [{ type: "text", text: String(error) }] };
    }
  });
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) =>
    promptOf(params.name, params.arguments ?? {}),
  );
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: "test://template/{id}/data", name: "template" }],
  }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params }) => ({
    contents: [contentsOf(params.uri)],
  }));
  server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  server.setRequestHandler(SetLevelRequestSchema, () => ({}));
  server.setRequestHandler(CompleteRequestSchema, () => ({
    completion: { values: ["paris", "park", "party"], total: 3, hasMore: false },
  }));
  return server;
}

/** Serves it on a loopback port, with one session for each initialize. */
export function serveReference(): { readonly url: string; stop(): Promise<void> } {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const http = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const known = sessions.get(request.headers.get("mcp-session-id") ?? "");
      if (known !== undefined) return known.handleRequest(request);
      const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (id) => void sessions.set(id, transport),
        onsessionclosed: (id) => void sessions.delete(id),
      });
      await makeServer().connect(transport);
      return transport.handleRequest(request);
    },
  });
  const stop = () => http.stop(true);
  return { url: `http://127.0.0.1:${http.port}/mcp`, stop };
}
