import { program, protocolRevisions } from "../wire/program-facts.ts";

/** What `--version` and `version` print, with a line end. */
export function versionText(isJson: boolean): string {
  const { name, version, commit, build } = program;
  if (!isJson) return `${name} ${version}\n`;
  const target = program.target ?? "source";
  const facts = { version, bun: Bun.version, target, commit, build, protocolRevisions };
  return `${JSON.stringify(facts)}\n`;
}
