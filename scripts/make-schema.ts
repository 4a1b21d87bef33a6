// Writes src/config/config.schema.json from the schema that the program itself uses:
// bun scripts/make-schema.ts && biome format --write src/config/config.schema.json
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { wholeFile } from "../src/config/schema.ts";

/** The JSON Schema of config.json, without the rules that are code (URLs, header names). */
export function jsonSchemaText(): string {
  const schema = toJsonSchema(wholeFile(), { target: "draft-2020-12", errorMode: "ignore" });
  const { $schema, ...rest } = schema;
  const named = { $schema, title: "Configuration of codex-mcp-http-bridge", ...rest };
  return `${JSON.stringify(named, null, 2)}\n`;
}

if (import.meta.main) {
  await Bun.write(join(import.meta.dir, "../src/config/config.schema.json"), jsonSchemaText());
}
