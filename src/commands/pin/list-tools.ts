import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { RequestIds } from "../../upstream/core/request-ids.ts";
import { Approvals } from "../../upstream/tools/approvals.ts";
import { ToolJudge } from "../../upstream/tools/judge.ts";
import { listPages } from "../../upstream/tools/list-pages.ts";
import { factsOf, hashOf, listedTools, type ToolFacts } from "../../upstream/tools/listed-tools.ts";
import { BridgeError } from "../../wire/errors.ts";
import { notificationOf, requestOf } from "../../wire/message.ts";
import { program } from "../../wire/program-facts.ts";
import { nameWithCodePoints } from "../../wire/text.ts";
import { initializeParams } from "../test/mcp-child.ts";
import { openDirectly } from "../test/open-directly.ts";
import type { CurrentTool } from "./difference.ts";

const deleteGraceMs = 300;

/** The tools that a server lists and its other rules admit. Throws the error of the connection. */
export async function currentTools(
  settings: ServerSettings,
  context: Context,
): Promise<ReadonlyMap<string, CurrentTool>> {
  const { name, state, url, timeoutMs, tools: rules } = settings;
  const { tools: _, ...unruled } = settings;
  const { upstream } = openDirectly(unruled, context);
  const { signal } = new AbortController();
  const aside = async () => undefined;
  const ids = new RequestIds();
  const judge = new ToolJudge(name, { ...rules!, pin: false }, new Approvals(state, url.origin));
  const found = new Map<string, CurrentTool>();
  const earlier = new Map<string, ToolFacts>();
  try {
    const params = initializeParams(program.version);
    await upstream.send(requestOf(ids.next("pin"), "initialize", params), aside, signal);
    await upstream.send(notificationOf("notifications/initialized"), aside, signal);
    const pages = listPages({
      next: upstream,
      name,
      ids,
      timeoutMs,
      aside,
      meta: undefined,
      signal,
    });
    for await (const page of pages) {
      const tools = listedTools(page);
      if (tools === undefined)
        throw new BridgeError("bad-answer", `"${name}" sent no list of tools`);
      const facts = factsOf(tools, true, earlier);
      for (const [tool, each] of facts) earlier.set(tool, each);
      for (const { name: tool, approvedText } of tools) {
        if (tool === undefined || judge.verdict(tool, facts.get(tool)) !== undefined) continue;
        const text = approvedText();
        if (text !== undefined && facts.get(tool)?.hash === hashOf(text))
          found.set(tool, { name: tool, hash: hashOf(text), text });
        else {
          found.delete(tool);
          context.warn(
            `tool "${nameWithCodePoints(tool)}" stays withheld: it is listed twice, or nested too deeply`,
          );
        }
      }
    }
    return found;
  } finally {
    await upstream.close(deleteGraceMs);
  }
}
