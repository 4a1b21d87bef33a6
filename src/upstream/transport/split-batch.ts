import { Message } from "../../wire/message.ts";

/** Sends the messages of a batch one by one, to where batches are unknown. Rejects when all are through: what rejects ends the whole batch, and the others have their answers. */
export async function sendParts(
  batch: Message,
  send: (part: Message) => Promise<void>,
): Promise<void> {
  const parts = batch.elements().filter((part) => part instanceof Message);
  for (const one of await Promise.allSettled(parts.map(send)))
    if (one.status === "rejected") throw one.reason;
}
