// Words of the modern era (MCP 2026-07-28).
import type { Message } from "../../wire/message.ts";

/** The revision the bridge speaks by itself with a modern server. */
export const statelessRevision = "2026-07-28";

/** Keys of `params._meta` that every modern request carries. */
export const metaKeys = {
  version: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  capabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
} as const;

/** Error codes by which only a modern server answers. */
export const statelessErrors = {
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** The revision a message names in its `_meta`; undefined where it is none of the modern era. */
export function revisionOf(message: Message): string | undefined {
  const version = message.value(["params", "_meta", metaKeys.version]);
  return typeof version === "string" ? version : undefined;
}

/** The code of an error response; undefined for any other message. */
export function errorCodeOf(message: Message): number | undefined {
  if (message.head.isError !== true) return undefined;
  const code = message.value(["error", "code"]);
  return typeof code === "number" ? code : undefined;
}
