import type { ClientFacts } from "../upstream/core/types.ts";
import type { Message } from "../wire/message.ts";

/** Prefix of what a modern request says of its client (MCP 2026-07-28 basic). */
const prefix = "io.modelcontextprotocol/";

/** Notes who the client is, from its initialize, or from the `_meta` of a modern request; any other tells nothing. */
export function meet(client: ClientFacts, message: Message): void {
  if (message.head.method === "initialize") {
    const text = (name: string) => message.text(["params", name]);
    note(client, text("clientInfo"), text("capabilities"), text("protocolVersion"));
    return;
  }
  const text = (name: string) => message.text(["params", "_meta", `${prefix}${name}`]);
  const clientInfo = text("clientInfo");
  if (clientInfo === undefined) return;
  note(client, clientInfo, text("clientCapabilities"), text("protocolVersion"));
}

/** All as JSON text, which may hold anything: written anew, what is deep would be too much. */
function note(client: ClientFacts, info = "null", capabilities = "null", version = "null"): void {
  const name: unknown = JSON.parse(info)?.name;
  const protocolVersion: unknown = JSON.parse(version);
  client.name = typeof name === "string" ? name : "";
  client.capabilities = capabilities === "null" ? "{}" : capabilities;
  client.protocolVersion = typeof protocolVersion === "string" ? protocolVersion : "";
}

/** The revision spoken with the client is the one it was answered with. */
export function agree(client: ClientFacts, answer: Message): void {
  const version = answer.head.isError ? undefined : answer.value(["result", "protocolVersion"]);
  if (typeof version === "string") client.protocolVersion = version;
}
