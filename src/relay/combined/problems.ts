// The tool that stands for a server which is not there: `SERVER__problem`.

import type { Redactor } from "../../platform/redact.ts";
import { errorMeta } from "../../platform/run-id.ts";
import { revisionOf } from "../../upstream/core/stateless-protocol.ts";
import { type ClientFacts, isCodex } from "../../upstream/core/types.ts";
import type { BridgeError, CommandLine } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";

/** The tool and the results of its calls, as JSON text. */
export interface Problems {
  tool(name: string, server: string, error: BridgeError): string;
  stillAway(call: Message, error: BridgeError): string;
  available(call: Message, server: string): string;
}

export function problemsFor(
  client: ClientFacts,
  redactor: Redactor,
  commandLine: CommandLine,
): Problems {
  const textOf = (error: BridgeError) => redactor.shown(error.toJsonRpc(commandLine).message);
  const whenSeen = () =>
    isCodex(client) ? "they appear in the next session of Codex" : "they appear by themselves";
  const result = (call: Message, text: string, error?: BridgeError) =>
    JSON.stringify({
      ...(revisionOf(call) !== undefined && { resultType: "complete" }),
      content: [{ type: "text", text }],
      ...(error !== undefined && { isError: true, _meta: errorMeta(error.kind) }),
    });
  return {
    tool: (name, server, error) =>
      JSON.stringify({
        name,
        title: `What is wrong with ${server}`,
        description:
          `Server "${server}" has tools, but they are not available: ${textOf(error)}. Tell the user. Calling this ` +
          `tool tries again; when the tools are there, ${whenSeen()}.`,
        inputSchema: { type: "object", properties: {}, additionalProperties: false },
        annotations: { readOnlyHint: true, openWorldHint: true },
      }),
    stillAway: (call, error) => result(call, textOf(error), error),
    available: (call, server) =>
      result(call, `Server "${server}" is available now; its tools: ${whenSeen()}.`),
  };
}
