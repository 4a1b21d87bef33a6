import { type Message, notificationOf } from "../../wire/message.ts";
import type { Stop } from "../core/types.ts";

/** What the server is told when nobody waits for `message` any more (MCP basic/utilities/cancellation); a dropped connection says nothing. */
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
