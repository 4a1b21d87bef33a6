// Keys and error codes of the stateless protocol (MCP 2026-07-28).
import type { Message } from "../../wire/message.ts";

/** The revision that the bridge's own stateless requests name. */
export const statelessRevision = "2026-07-28";

/** Keys of `params._meta`, which every stateless request carries. */
export const metaKeys = {
  version: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  capabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
} as const;

/** Error codes that only servers of the stateless protocol send. */
export const statelessErrors = {
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** The revision in a message's `_meta`; undefined for a message of the session protocol. */
export function revisionOf(message: Message): string | undefined {
  const version = message.value(["params", "_meta", metaKeys.version]);
  return typeof version === "string" ? version : undefined;
}

/** The error code of a response; undefined for any other message. */
export function errorCodeOf(message: Message): number | undefined {
  if (message.head.isError !== true) return undefined;
  const code = message.value(["error", "code"]);
  return typeof code === "number" ? code : undefined;
}

/** Adds the id of its subscription to a notification. */
export function inSubscription(notification: Message, id: string): Message {
  const path = ["params", "_meta", "io.modelcontextprotocol/subscriptionId"];
  const params =
    notification.view(["params"]) === undefined ? [{ path: ["params"], raw: "{}" }] : [];
  const meta = notification.view(["params", "_meta"]) === undefined;
  return notification.with([
    ...params,
    ...(meta ? [{ path: path.slice(0, 2), raw: "{}" }] : []),
    { path, raw: id },
  ]);
}
