import { Message } from "../../wire/message.ts";

/** Sends the messages of a batch one by one, for protocols without batches. Waits for all of them, then rejects with the first error: the caller answers what is left of the batch. */
export async function sendParts(
  batch: Message,
  send: (part: Message) => Promise<void>,
): Promise<void> {
  const parts = batch.elements().filter((part) => part instanceof Message);
  for (const one of await Promise.allSettled(parts.map(send)))
    if (one.status === "rejected") throw one.reason;
}
