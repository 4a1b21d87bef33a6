// The tools that the suite's server scenarios expect, with the names and results of the scenarios.
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  type CallToolResult,
  CreateMessageResultSchema,
  ElicitResultSchema,
  type ServerNotification,
  type ServerRequest,
  type Tool,
} from "@modelcontextprotocol/sdk/types.js";

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;
type Content = CallToolResult["content"];
type Arguments = Readonly<Record<string, unknown>>;

interface ReferenceTool {
  readonly tool: Tool;
  readonly run: (args: Arguments, extra: Extra) => Promise<Content>;
}

/** One white pixel. */
export const image =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC";
/** A WAV file without samples. */
const audio = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const text = (words: string): Content => [{ type: "text", text: words }];
const resource = (uri: string, mimeType: string, words: string): Content => [
  { type: "resource", resource: { uri, mimeType, text: words } },
];

function plain(name: string, content: Content): ReferenceTool {
  const tool: Tool = { name, description: name, inputSchema: { type: "object" } };
  return { tool, run: async () => content };
}

/** Elicits the fields of a form from the client. */
async function elicit(extra: Extra, message: string, properties: object, required: string[] = []) {
  const requestedSchema = { type: "object" as const, properties: properties as never, required };
  const params = { message, requestedSchema };
  const request = { method: "elicitation/create" as const, params };
  const { action, content } = await extra.sendRequest(request, ElicitResultSchema);
  return `action=${action}, content=${JSON.stringify(content ?? {})}`;
}

const options = ["option1", "option2", "option3"];
const titled = ["value1", "value2", "value3"].map((value) => ({ const: value, title: value }));

const asking: Readonly<Record<string, ReferenceTool["run"]>> = {
  test_error_handling: () => Promise.reject(new Error("this tool always fails")),
  async test_tool_with_logging(_, extra) {
    for (const data of ["started", "working", "done"])
      await extra.sendNotification({
        method: "notifications/message",
        params: { level: "info", data },
      });
    return text("logged");
  },
  async test_tool_with_progress(_, { _meta, sendNotification }) {
    const progressToken = _meta?.progressToken ?? 0;
    for (const progress of [0, 50, 100])
      await sendNotification({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100 },
      });
    return text("done");
  },
  async test_sampling({ prompt }, extra) {
    const content = { type: "text" as const, text: String(prompt) };
    const params = { messages: [{ role: "user" as const, content }], maxTokens: 100 };
    const request = { method: "sampling/createMessage" as const, params };
    const answer = await extra.sendRequest(request, CreateMessageResultSchema);
    return text(`LLM response: ${JSON.stringify(answer.content)}`);
  },
  async test_elicitation({ message }, extra) {
    const fields = { response: { type: "string", description: "the answer" } };
    return text(`User response: ${await elicit(extra, String(message), fields, ["response"])}`);
  },
  async test_elicitation_sep1034_defaults(_, extra) {
    const fields = {
      name: { type: "string", default: "John Doe" },
      age: { type: "integer", default: 30 },
      score: { type: "number", default: 95.5 },
      status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
      verified: { type: "boolean", default: true },
    };
    return text(`Elicitation completed: ${await elicit(extra, "look at the defaults", fields)}`);
  },
  async test_elicitation_sep1330_enums(_, extra) {
    const many = { type: "array", minItems: 1, maxItems: 3 };
    const enumNames = ["One", "Two", "Three"];
    const fields = {
      untitledSingle: { type: "string", enum: options },
      titledSingle: { type: "string", oneOf: titled },
      legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames },
      untitledMulti: { ...many, items: { type: "string", enum: options } },
      titledMulti: { ...many, items: { anyOf: titled } },
    };
    return text(`Elicitation completed: ${await elicit(extra, "choose", fields)}`);
  },
};

/** Keywords of JSON Schema 2020-12 that a hop must not lose (SEP-1613). */
const schema2020 = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object" as const,
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } },
    },
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" },
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false,
};

const mixed: Content = [
  ...text("several kinds of content"),
  { type: "image", data: image, mimeType: "image/png" },
  ...resource("test://mixed-content-resource", "application/json", '{"test":"data"}'),
];

/** Every tool by name. */
export const referenceTools: ReadonlyMap<string, ReferenceTool> = new Map(
  [
    plain("test_simple_text", text("This is a simple text response for testing.")),
    plain("test_image_content", [{ type: "image", data: image, mimeType: "image/png" }]),
    plain("test_audio_content", [{ type: "audio", data: audio, mimeType: "audio/wav" }]),
    plain("test_embedded_resource", resource("test://embedded-resource", "text/plain", "embedded")),
    plain("test_multiple_content_types", mixed),
    ...Object.entries(asking).map(([name, run]) => ({ ...plain(name, []), run })),
    {
      ...plain("json_schema_2020_12_tool", text("called")),
      tool: { name: "json_schema_2020_12_tool", description: "schema", inputSchema: schema2020 },
    },
  ].map((one) => [one.tool.name, one]),
);
