import type { ClientFacts } from "../upstream/core/types.ts";
import type { Message } from "../wire/message.ts";

/** Prefix of the client's members in the `_meta` of a stateless request (MCP 2026-07-28 basic). */
const prefix = "io.modelcontextprotocol/";

/** Reads the client's name, capabilities and revision from initialize, or from the `_meta` of a stateless request. */
export function readClientFacts(client: ClientFacts, message: Message): void {
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

/** Takes JSON text of any value. `capabilities` stay text: deeply nested JSON can be read, but not serialized again. */
function note(client: ClientFacts, info = "null", capabilities = "null", version = "null"): void {
  const name: unknown = JSON.parse(info)?.name;
  const protocolVersion: unknown = JSON.parse(version);
  client.name = typeof name === "string" ? name : "";
  client.capabilities = capabilities === "null" ? "{}" : capabilities;
  client.protocolVersion = typeof protocolVersion === "string" ? protocolVersion : "";
}

/** Takes the revision from the answer to initialize. */
export function readRevision(client: ClientFacts, answer: Message): void {
  const version = answer.head.isError ? undefined : answer.value(["result", "protocolVersion"]);
  if (typeof version === "string") client.protocolVersion = version;
}
