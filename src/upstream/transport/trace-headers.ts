import type { Message } from "../../wire/message.ts";
import { traceFields } from "../../wire/trace-context.ts";

/** The header fields that a message's own trace context asks for; undefined for most messages, which have none. */
export type TraceHeaders = (message: Message) => Record<string, string> | undefined;

/** Reads the trace context of messages; undefined if the server's entry switches it off or has such headers itself. */
export function traceHeaders(
  trace: boolean | "baggage",
  configured: Readonly<Record<string, string>>,
): TraceHeaders | undefined {
  const taken = ["traceparent", "tracestate", "baggage"];
  const isTaken = Object.keys(configured).some((name) => taken.includes(name.toLowerCase()));
  if (trace === false || isTaken) return undefined;
  const withBaggage = trace === "baggage";
  return (message) => {
    const { buffer, byteOffset, length } = message.bytes;
    // A search in the bytes: parsing the message would cost each call microseconds.
    const bytes = Buffer.from(buffer, byteOffset, length);
    if (!bytes.includes("traceparent") && !(withBaggage && bytes.includes("baggage")))
      return undefined;
    return traceFields(
      message.head.kind === "batch" ? undefined : message.value(["params", "_meta"]),
      withBaggage,
    );
  };
}
