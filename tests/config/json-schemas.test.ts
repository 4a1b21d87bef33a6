import { expect, test } from "bun:test";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import { jsonSchemaText, kinds } from "../../scripts/make-schema.ts";
import { command as exportCommand } from "../../src/commands/export.ts";
import { command as importCommand } from "../../src/commands/import/import.ts";
import { parseConfig } from "../../src/config/load.ts";
import { parsePolicy } from "../../src/config/policy-file.ts";
import { schemaText } from "../../src/config/save.ts";
import { homeOf } from "../../src/platform/paths.ts";
import { user } from "../commands/import/import-user.ts";

type Kind = (typeof kinds)[number];

test.each([...kinds])(
  "%s.schema.json equals the JSON Schema generated from the program's schema",
  async (kind) => {
    expect(JSON.parse(await schemaText(kind))).toEqual(JSON.parse(jsonSchemaText(kind)));
  },
);

/** Whether the JSON Schema accepts a value. */
function schemaAccepts(kind: Kind, value: object): boolean {
  const { $schema: _, ...schema } = JSON.parse(jsonSchemaText(kind));
  return new AjvJsonSchemaValidator().getValidator(schema)(value).valid;
}

/** Whether the program accepts a value. */
async function programAccepts(kind: Kind, value: object): Promise<boolean> {
  const text = JSON.stringify(value);
  if (kind === "team") {
    const { put, run } = user();
    const { out } = await run(
      importCommand,
      put("team.json", text),
      "--all",
      "--dry-run",
      "--json",
    );
    const { found } = JSON.parse(out) as { found: { status: string }[] };
    return found.length > 0 && found.every(({ status }) => status === "new");
  }
  const paths = homeOf({}, "/nonexistent/config.json");
  const parsed = kind === "config" ? parseConfig(text, paths) : parsePolicy(text, "policy.json");
  return parsed.then(
    () => true,
    () => false,
  );
}

const url = "https://kb.example/mcp";
const origin = "https://kb.example";
const kb = (entry: object) => ({ version: 1, servers: { kb: { url, ...entry } } });
const team = (entry: object) => ({ format: "codex-mcp-http-bridge/team", ...kb(entry) });
const rules = { allow: ["a*"], deny: ["b"], readOnly: true, pin: "terminal", repair: false };

const files: [Kind, isValid: boolean, value: object][] = [
  ["config", true, kb({ token: "t", tools: rules, audit: { file: "a", arguments: "hash" } })],
  ["config", true, kb({ tools: {}, headers: { A: "b" }, auth: { type: "oauth", scopes: ["a"] } })],
  ["config", true, { servers: {} }],
  ["config", false, kb({ tools: { allow: "a*" } })],
  ["config", false, kb({ tools: { pin: "always" } })],
  ["config", false, kb({ tools: { readonly: true } })],
  ["config", false, kb({ audit: {} })],
  ["config", false, { servers: { "a b": { url } } }],
  ["config", false, { version: 2, servers: {} }],
  ["policy", true, { version: 1 }],
  [
    "policy",
    true,
    {
      version: 1,
      origins: ["https://*.example.com"],
      rules: [{ origin, tools: rules, audit: { file: "/a" } }],
      allowHttp: false,
    },
  ],
  ["policy", false, {}],
  ["policy", false, { version: 1, rules: [{ tools: {} }] }],
  ["policy", false, { version: 1, rules: [{ origin, tool: {} }] }],
  ["policy", false, { version: 1, origins: "https://a.example" }],
  ["team", true, team({ tools: rules, tokenEnv: "T" })],
  ["team", true, team({ auth: { type: "oauth", clientId: "c" }, codex: { required: true } })],
  ["team", false, team({ token: "t" })],
  ["team", false, team({ audit: { file: "/home/user/.bashrc" } })],
  ["team", false, team({ auth: { type: "oauth", trustedHosts: ["a"] } })],
  ["team", false, team({ network: { proxy: "http://p" } })],
  ["team", false, team({ codex: { approval: "approve" } })],
  ["team", false, team({ tools: { pin: "always" } })],
  ["team", false, team({ surprise: 1 })],
];

test.each(files)("%s: schema and program agree (%p) on %j", async (kind, isValid, value) => {
  expect(schemaAccepts(kind, value)).toBe(isValid);
  expect(await programAccepts(kind, value)).toBe(isValid);
});

test("the schema accepts what export prints", async () => {
  const auth = { type: "oauth", clientSecret: "canary-secret-1", store: "keyring" };
  const servers = { kb: { url, tools: rules, audit: { file: "a" }, auth }, b: { url, token: "t" } };
  const { out } = await user(servers).run(exportCommand);
  expect(out).not.toContain("audit");
  expect(schemaAccepts("team", JSON.parse(out))).toBe(true);
});
