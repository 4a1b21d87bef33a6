import type { Log } from "../../platform/log.ts";
import type { Redactor } from "../../platform/redact.ts";
import type { Message } from "../../wire/message.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ReadBudget } from "./read-budget.ts";
import type { TraceHeaders } from "./trace-headers.ts";

/** The options of every transport. */
export interface TransportOptions {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Most bytes of one message. */
  readonly limit: number;
  readonly budget: ReadBudget;
  readonly traceHeaders?: TraceHeaders | undefined;
  /** Whether executing the message twice does no harm. */
  readonly isRepeatable: (message: Message) => boolean;
}
