import type { ServerSettings } from "../../config/settings.ts";
import type { ServerCache } from "../../platform/server-cache.ts";
import { responseTo } from "../../wire/message.ts";
import { newestToolLists } from "../catalog/entry.ts";
import { Approvals } from "./approvals.ts";
import { ToolJudge, type Withheld } from "./judge.ts";
import { factsOf, listedTools } from "./listed-tools.ts";

/** The tools of the remembered list that wait for an approval, and why no approval can be read, if so. */
export interface WaitingTools {
  readonly tools: readonly { readonly name: string; readonly why: Withheld }[];
  readonly problem: string | undefined;
}

/** What waits for an approval; undefined if the server has no rule `pin`. Reads the cache, and asks no server. */
export function waitingTools(
  { name, state, url, tools: rules }: ServerSettings,
  cache: ServerCache,
): WaitingTools | undefined {
  if (rules === undefined || rules.pin === false) return undefined;
  const judge = new ToolJudge(name, rules, new Approvals(state, url.origin));
  judge.refresh();
  const tools = newestToolLists(cache).flatMap((result) => {
    const facts = factsOf(listedTools(responseTo("0", result)) ?? [], true);
    return [...facts].flatMap(([tool, found]) => {
      const why = judge.verdict(tool, found);
      return why === "new" || why === "changed" ? [{ name: tool, why }] : [];
    });
  });
  return { tools, problem: judge.approvals.problem };
}
