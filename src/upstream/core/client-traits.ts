// What each MCP client does with errors and changed lists (docs/clients.md). A client is known by the name in its initialize.
import type { ClientFacts } from "./types.ts";

interface ClientTraits {
  /** Its user does not see the error of a failed initialize. */
  readonly hidesStartErrors?: true;
  /** Its user does not see the words of a JSON-RPC error in answer to tools/call. */
  readonly hidesCallErrors?: true;
  /** What its user restarts to see changed tools, because the client ignores `list_changed`. */
  readonly restart?: string;
}

/** Name of the client that `test` is: it shows every error itself, with the hint apart from the message. */
export const testClientName = "codex-mcp-http-bridge-test";

/** The beginning of a client's name, and its traits; the first match counts. */
const table: readonly (readonly [name: string, traits: ClientTraits])[] = [
  [testClientName, {}],
  ["codex", { hidesStartErrors: true, hidesCallErrors: true, restart: "Codex" }],
  ["claude-code", { hidesStartErrors: true }],
  ["gemini-cli", { hidesStartErrors: true }],
  ["qwen-", { hidesStartErrors: true }],
  ["copilot-cli", { hidesStartErrors: true }],
  ["continue", { restart: "the client" }],
];

/** The traits of a client; none for a client that is not in the table. */
export function traitsOf({ name }: ClientFacts): ClientTraits {
  return table.find(([beginning]) => name.startsWith(beginning))?.[1] ?? {};
}

/** How a client comes to see tools that the server did not have before; the end of a sentence. */
export function toolsArrive(client: ClientFacts): string {
  const { restart } = traitsOf(client);
  return restart === undefined
    ? "the server's tools appear by themselves"
    : `the user must restart ${restart} to see the server's tools`;
}
