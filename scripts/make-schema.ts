// Writes the JSON Schemas of src/config from the schemas that the program itself uses:
// bun scripts/make-schema.ts && biome format --write src/config
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { wholePolicy } from "../src/config/policy-schema.ts";
import { wholeFile } from "../src/config/schema.ts";
import { wholeTeamFile } from "../src/config/team-schema.ts";

/** The schema and the title of each file, by the word after `setup --schema`. */
const files = {
  config: [wholeFile, "Configuration of codex-mcp-http-bridge"],
  team: [wholeTeamFile, "Team file of codex-mcp-http-bridge"],
  policy: [wholePolicy, "Policy of a machine for codex-mcp-http-bridge"],
} as const;
type Kind = keyof typeof files;

export const kinds = Object.keys(files) as Kind[];

/** The JSON Schema of a file, without the rules that are code (URLs, header names). */
export function jsonSchemaText(kind: Kind): string {
  const [whole, title] = files[kind];
  const schema = toJsonSchema(whole(), { target: "draft-2020-12", errorMode: "ignore" });
  const { $schema, ...rest } = schema;
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}

if (import.meta.main) {
  for (const kind of kinds)
    await Bun.write(
      join(import.meta.dir, `../src/config/${kind}.schema.json`),
      jsonSchemaText(kind),
    );
}
