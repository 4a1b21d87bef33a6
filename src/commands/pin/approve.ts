import { hostname } from "node:os";
import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { type ApprovedTool, writeApproved } from "../../upstream/tools/approvals.ts";
import type { CurrentTool } from "./difference.ts";

/** Records the tools that a team approved, of which only the hashes are known. */
export function approveHashes(
  { state, url }: ServerSettings,
  tools: readonly Pick<ApprovedTool, "name" | "hash">[],
  context: Pick<Context, "env">,
): void {
  const at = new Date().toISOString();
  const by = `${approver(context)}, from a team file`;
  writeApproved(
    state,
    url.origin,
    tools.map(({ name, hash }) => ({ name, hash, at, by })),
  );
}

/** Records that the user approves the tools that a server lists now; an approval that stands keeps its date. */
export function approve(
  { state, url }: ServerSettings,
  approved: ReadonlyMap<string, ApprovedTool>,
  current: ReadonlyMap<string, CurrentTool>,
  context: Pick<Context, "env">,
): void {
  const at = new Date().toISOString();
  const by = approver(context);
  const tools = [...current.values()].map((tool) => {
    const before = approved.get(tool.name);
    return before?.hash === tool.hash && before.text !== undefined ? before : { ...tool, at, by };
  });
  writeApproved(state, url.origin, tools);
}

function approver({ env }: Pick<Context, "env">): string {
  // Many containers have no name for their user.
  const user = env.USER || env.LOGNAME || `uid ${process.getuid?.()}`;
  return `${user} on ${hostname()}`;
}
