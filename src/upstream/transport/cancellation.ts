import { type Message, notificationOf } from "../../wire/message.ts";
import type { Stop } from "../core/types.ts";

/** The notifications that cancel `message` at the server (MCP basic/utilities/cancellation): a dropped connection is no cancellation. */
export function noticesOf(message: Message, reason: Stop): Message[] {
  if (message.head.method === "initialize") return [];
  if (reason.by === "client") return [reason.message];
  const why = reason.by === "closing" ? "the client is closing" : "timed out";
  return message
    .requestIds()
    .map((id) =>
      notificationOf("notifications/cancelled", `{"requestId":${id},"reason":"${why}"}`),
    );
}
