import { readChecked, writeAtomically } from "../platform/files.ts";
import { withLock } from "../platform/lock.ts";
import type { Paths } from "../platform/paths.ts";
import { type Config, parseConfig, type RawConfig, readConfig } from "./load.ts";

const maxSchemaBytes = 1024 * 1024;

/**
 * Changes the configuration under a lock: reads the file, lets `edit` change a copy, validates the result, replaces the
 * file. Keeps concurrent changes and entries that `edit` does not touch. Never overwrites an invalid file.
 * Throws `configuration`.
 */
export async function changeConfig(paths: Paths, edit: (raw: RawConfig) => void): Promise<Config> {
  return withLock(paths.home, "config", async () => {
    const before = (await readConfig(paths))?.raw ?? {};
    const after = structuredClone(before);
    edit(after);
    const whole = { $schema: "./config.schema.json", version: 1, ...after };
    const text = `${JSON.stringify(whole, null, 2)}\n`;
    const config = await parseConfig(text, paths, { isSaved: false });
    await writeSchema(paths);
    writeAtomically(paths.configFile, text);
    return config;
  });
}

const schemas = {
  config: () => import("./config.schema.json"),
  team: () => import("./team.schema.json"),
  policy: () => import("./policy.schema.json"),
};

/** The JSON Schema of a configuration file, as text. */
export async function schemaText(kind: keyof typeof schemas): Promise<string> {
  const { default: schema } = await schemas[kind]();
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Writes the JSON Schema beside the configuration if the file is missing or differs. */
async function writeSchema(paths: Paths): Promise<void> {
  const text = await schemaText("config");
  if (readChecked(paths.schemaFile, maxSchemaBytes)?.text !== text) {
    writeAtomically(paths.schemaFile, text);
  }
}
