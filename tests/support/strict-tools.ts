// Tools as faulty servers list them. tests/codex/tools.test.ts shows each to the real Codex.

const inputSchema = { type: "object" };
export const goodTool = { name: "good", inputSchema };

/** Entries for which Codex drops the whole list, each with its fault as toolProblems() words it. */
export const fatalEntries: readonly [string, unknown][] = [
  ["is null", null],
  ["is not an object", "t"],
  ["has no name", { inputSchema }],
  ["has no name", { name: null, inputSchema }],
  ["has a name that is no string", { name: 5, inputSchema }],
  ["has no inputSchema", { name: "t" }],
  ["has no inputSchema", { name: "t", inputSchema: null }],
  ["has an inputSchema that is no object", { name: "t", inputSchema: [] }],
  ["has an inputSchema that is no object", { name: "t", inputSchema: true }],
  ["has title that is not a string", { name: "t", inputSchema, title: 5 }],
  ["has description that is not a string", { name: "t", inputSchema, description: 5 }],
  ["has outputSchema that is not an object", { name: "t", inputSchema, outputSchema: [] }],
  ["has _meta that is not an object", { name: "t", inputSchema, _meta: "x" }],
  ["has annotations that is not an object", { name: "t", inputSchema, annotations: "x" }],
  [
    "has annotations.readOnlyHint that is not a boolean",
    { name: "t", inputSchema, annotations: { readOnlyHint: "true" } },
  ],
  ["has icons that are not a list", { name: "t", inputSchema, icons: "x" }],
  ["has an icon without src", { name: "t", inputSchema, icons: [{}] }],
  [
    "has an icon whose sizes are not a list",
    { name: "t", inputSchema, icons: [{ src: "https://x/y.png", sizes: "48x48" }] },
  ],
];

/** Entries that Codex shows beside a good tool. */
export const acceptedEntries: readonly unknown[] = [
  { name: "t", inputSchema: {} },
  { name: "t", inputSchema: { type: "string" } },
  { name: "t", inputSchema, description: null, outputSchema: null, title: null, annotations: null },
  { name: "t", inputSchema, execution: { taskSupport: "sometimes" } },
  { name: "get-sum.of", inputSchema },
  { name: "n".repeat(64), inputSchema },
];

export const goodInitialize = {
  protocolVersion: "2025-06-18",
  capabilities: { tools: {} },
  serverInfo: { name: "s", version: "1" },
};

/** Answers to initialize for which Codex refuses the server, each with its fault as \`test\` words it. */
export const fatalInitializes: readonly [string, object][] = [
  ["no protocolVersion", { ...goodInitialize, protocolVersion: undefined }],
  ["protocolVersion that is not a string", { ...goodInitialize, protocolVersion: 5 }],
  ["instructions that is not a string", { ...goodInitialize, instructions: 5 }],
  ["no serverInfo", { ...goodInitialize, serverInfo: undefined }],
  ["serverInfo that is not an object", { ...goodInitialize, serverInfo: "s" }],
  ["no serverInfo.name", { ...goodInitialize, serverInfo: { version: "1" } }],
  ["no serverInfo.version", { ...goodInitialize, serverInfo: { name: "s" } }],
  [
    "serverInfo.version that is not a string",
    { ...goodInitialize, serverInfo: { name: "s", version: 1 } },
  ],
  [
    "serverInfo.title that is not a string",
    { ...goodInitialize, serverInfo: { name: "s", version: "1", title: 5 } },
  ],
  ["no capabilities", { ...goodInitialize, capabilities: null }],
  [
    "capabilities.tools that is not an object",
    { ...goodInitialize, capabilities: { tools: true } },
  ],
  [
    "capabilities.tools.listChanged that is not a boolean",
    { ...goodInitialize, capabilities: { tools: { listChanged: "yes" } } },
  ],
  [
    "capabilities.prompts that is not an object",
    { ...goodInitialize, capabilities: { tools: {}, prompts: true } },
  ],
  [
    "capabilities.resources that is not an object",
    { ...goodInitialize, capabilities: { tools: {}, resources: [] } },
  ],
  [
    "capabilities.resources.subscribe that is not a boolean",
    { ...goodInitialize, capabilities: { tools: {}, resources: { subscribe: 1 } } },
  ],
  [
    "capabilities.logging that is not an object",
    { ...goodInitialize, capabilities: { tools: {}, logging: true } },
  ],
  [
    "capabilities.completions that is not an object",
    { ...goodInitialize, capabilities: { tools: {}, completions: true } },
  ],
  [
    "capabilities.experimental that is not an object",
    { ...goodInitialize, capabilities: { tools: {}, experimental: true } },
  ],
];

/** Answers to initialize that Codex accepts. */
export const acceptedInitializes: readonly object[] = [
  { ...goodInitialize, protocolVersion: "1999-01-01" },
  { ...goodInitialize, instructions: null },
  { ...goodInitialize, capabilities: {} },
  { ...goodInitialize, capabilities: { tools: null, prompts: null, logging: {}, x: 5 } },
  { ...goodInitialize, capabilities: { tools: { listChanged: null } } },
  { ...goodInitialize, serverInfo: { name: "s", version: "1", title: null, x: 5 } },
];

/** Pages of a list for which Codex drops the whole list, each with its fault. */
export const fatalPages: readonly [string, object][] = [
  ["its nextCursor is not a string", { tools: [goodTool], nextCursor: 5 }],
  ["its _meta is not an object", { tools: [goodTool], _meta: 5 }],
];
