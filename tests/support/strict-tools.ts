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
