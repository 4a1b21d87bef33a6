// The file of the machine's policy. It is read by valibot's schema, and only where it exists.
import { readChecked } from "../platform/files.ts";
import { BridgeError } from "../wire/errors.ts";
import { check, parseFile } from "./check.ts";
import { policyTable } from "./policy-schema.ts";
import { toolRulesOf } from "./rules.ts";
import type { AuditEntry } from "./schema.ts";
import type { ToolRules } from "./settings.ts";

/** What the administrator rules for every server of this machine. */
export interface MachinePolicy {
  readonly file: string;
  /** The only origins that may be reached; undefined: all. */
  readonly origins: readonly string[] | undefined;
  readonly rules: readonly {
    readonly origin: string;
    readonly tools: ToolRules | undefined;
    readonly audit: AuditEntry | undefined;
  }[];
  /** Whether config.json may allow plain http. */
  readonly allowHttp: boolean;
}

const maxBytes = 4 * 1024 * 1024;

/** Reads the policy. Throws `configuration` if others than root may write it, or if it is invalid. */
export async function readPolicy(file: string): Promise<MachinePolicy> {
  const found = readChecked(file, maxBytes, "machine");
  // A link that leads nowhere.
  if (found === undefined) throw new BridgeError("configuration", `${file} cannot be read`);
  return parsePolicy(found.text, file);
}

/** Reads the text of a policy. Throws `configuration` with file, line and key path. */
export function parsePolicy(text: string, file: string): Promise<MachinePolicy> {
  return parseFile(text, { file, isSaved: true, schema: "policy" }, (value) => {
    const {
      origins,
      rules = [],
      allowHttp = true,
    } = check(policyTable, value, {
      required: ["version"],
    });
    return {
      file,
      origins,
      rules: rules.map(({ origin, tools = {}, audit }) => ({
        origin,
        tools: toolRulesOf(tools),
        audit,
      })),
      allowHttp,
    };
  });
}
