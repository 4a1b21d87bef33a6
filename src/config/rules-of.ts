import type { AuditSettings, ServerSettings, ToolRules } from "./settings.ts";

/** One rule of a server, and the file that it comes from. */
export interface Rule {
  /** The rule as text, such as `tools.deny: *_delete`. */
  readonly rule: string;
  /** "config.json", "the client's entry", or the path of the machine's policy. */
  readonly from: string;
}

/** The rules for a server's tools and calls, with their origin. */
export function rulesOf({ tools, audits, machine, adHoc }: ServerSettings): Rule[] {
  const own =
    machine === undefined
      ? { tools, audits }
      : { tools: machine.ownTools, audits: machine.ownAudits };
  const sourced = (file: string, texts: readonly string[]) =>
    texts.map((rule) => ({ rule, from: file }));
  const entry = adHoc === undefined ? "config.json" : "the client's entry";
  return [
    ...sourced(entry, [...toolRules(own.tools), ...own.audits.map(auditRule)]),
    ...(machine === undefined
      ? []
      : sourced(machine.file, [
          ...(machine.refusal === undefined ? [] : [`not to be reached: ${machine.refusal}`]),
          ...toolRules(machine.tools),
          ...machine.audits.map(auditRule),
        ])),
  ];
}

function toolRules(rules: ToolRules | undefined): string[] {
  if (rules === undefined) return [];
  const { allow, deny, readOnly, pin, repair } = rules;
  return [
    ...allow.map((globs) => `tools.allow: ${globs.join(", ") || "nothing"}`),
    ...(deny.length === 0 ? [] : [`tools.deny: ${deny.join(", ")}`]),
    ...(readOnly ? ["tools.readOnly"] : []),
    ...(pin === false ? [] : [pin === true ? "tools.pin" : "tools.pin: terminal"]),
    ...(repair ? ["tools.repair"] : []),
  ];
}

const auditRule = ({ file, arguments: shown }: AuditSettings) =>
  `audit: ${file} (arguments: ${shown})`;

/** Why a client may not talk to the server without the bridge, as the end of a sentence; undefined if it may. */
export function bypassProblem({ tools, audits, machine }: ServerSettings): string | undefined {
  if (machine !== undefined) return `the policy of this machine (${machine.file}) governs it`;
  if (audits.length > 0) return "it has an audit, which only the bridge writes";
  return tools === undefined ? undefined : "it has rules for tools, which only the bridge keeps";
}
