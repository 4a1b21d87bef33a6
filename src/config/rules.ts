// The rules for tools and the audit of an entry, in config.json or in a policy.
import { isAbsolute, join } from "../platform/path.ts";
import type { AuditEntry, ToolsEntry } from "./schema.ts";
import type { AuditSettings, ToolRules } from "./settings.ts";

/** The rules of an entry; undefined if it has none. */
export function toolRulesOf(entry: ToolsEntry): ToolRules | undefined {
  const { allow, deny = [], readOnly = false, pin = false, repair = false } = entry;
  if (allow === undefined && deny.length === 0 && !readOnly && pin === false && !repair)
    return undefined;
  return { allow: allow === undefined ? [] : [allow], deny, readOnly, pin, repair };
}

/** The audit of an entry; a relative file is relative to the home. */
export function auditOf(
  { file, arguments: shown = "none" }: AuditEntry,
  home: string,
): AuditSettings {
  return { file: isAbsolute(file) ? file : join(home, file), arguments: shown };
}
