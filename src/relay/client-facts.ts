import type { ClientFacts } from "../upstream/types.ts";
import type { Message } from "../wire/message.ts";

/** What the bridge looks at in `initialize`; it may hold anything. */
interface InitializeParams {
  readonly clientInfo?: { readonly name?: unknown } | null;
  readonly capabilities?: unknown;
  readonly protocolVersion?: unknown;
}

/** What a modern request says of its client, under the same names (MCP 2026-07-28 basic). */
const prefix = "io.modelcontextprotocol/";

/** Notes who the client is, from its initialize, or from the `_meta` of a modern request; any other tells nothing. */
export function meet(client: ClientFacts, message: Message): void {
  if (message.head.method === "initialize") {
    note(client, (message.value(["params"]) ?? {}) as InitializeParams);
    return;
  }
  const meta = message.value(["params", "_meta"]) as Record<string, unknown> | null | undefined;
  const clientInfo = meta?.[`${prefix}clientInfo`] as InitializeParams["clientInfo"];
  if (clientInfo === undefined) return;
  const capabilities = meta?.[`${prefix}clientCapabilities`];
  note(client, { clientInfo, capabilities, protocolVersion: meta?.[`${prefix}protocolVersion`] });
}

function note(client: ClientFacts, params: InitializeParams): void {
  const { clientInfo, capabilities, protocolVersion } = params;
  client.name = typeof clientInfo?.name === "string" ? clientInfo.name : "";
  client.capabilities = JSON.stringify(capabilities ?? {});
  client.protocolVersion = typeof protocolVersion === "string" ? protocolVersion : "";
}

/** The revision spoken with the client is the one it was answered with. */
export function agree(client: ClientFacts, answer: Message): void {
  const version = answer.head.isError ? undefined : answer.value(["result", "protocolVersion"]);
  if (typeof version === "string") client.protocolVersion = version;
}

/** Whether the client is Codex, whatever its face (TUI, exec, desktop, IDE). */
export function isCodex({ name }: ClientFacts): boolean {
  return name.startsWith("codex");
}
