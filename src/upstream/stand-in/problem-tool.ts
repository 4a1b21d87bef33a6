// The tool that tells the model why a server is not there, and how its user gets it back.
import type { Redactor } from "../../platform/redact.ts";
import type { BridgeError, CommandLine } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import { toolsArrive } from "../core/client-traits.ts";
import type { ClientFacts } from "../core/types.ts";
import { textResult } from "./results.ts";

/** Name of the tool in a server's own run; `isTaken`: whether the server has a tool of that name. */
export function problemToolName(server: string, isTaken: (name: string) => boolean): string {
  // Clients refuse names of more than 64 characters.
  const name = `${server.slice(0, 50)}_problem`;
  return isTaken(name) ? `${name}_here` : name;
}

export interface Problems {
  /** The error with its hint, redacted. */
  text(error: BridgeError): string;
  /** The tool as an entry of tools/list. */
  tool(name: string, server: string, error: BridgeError): object;
  /** The result of its call, as JSON text: the server is still not there. */
  stillAway(call: Message, error: BridgeError): string;
  /** The result of its call, as JSON text: the server is there. */
  available(call: Message, server: string): string;
}

/** The texts of the tool for one client. */
export function problemsFor(
  client: ClientFacts,
  redactor: Redactor,
  commandLine: CommandLine,
): Problems {
  const text = (error: BridgeError) =>
    redactor.shown(error.toJsonRpc(commandLine, client.name).message);
  return {
    text,
    tool: (name, server, error) => ({
      name,
      title: `What is wrong with ${server}`,
      description:
        `Server "${server}" has tools, but they are not available: ${text(error)}. Tell the user. Calling this tool ` +
        `tries again; once that succeeds, ${toolsArrive(client)}.`,
      inputSchema: { type: "object", properties: {}, additionalProperties: false },
      // Codex asks its user before it calls a tool that is not marked read-only, and `codex exec` refuses it.
      annotations: { readOnlyHint: true, openWorldHint: true },
    }),
    stillAway: (call, error) => textResult(call, text(error), error.kind),
    available: (call, server) =>
      textResult(call, `Server "${server}" is available now: ${toolsArrive(client)}.`),
  };
}
