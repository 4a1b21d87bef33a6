import type { Log } from "../../platform/log.ts";
import type { Message } from "../../wire/message.ts";
import type { RequestIds } from "./request-ids.ts";

/** What all wrappers of one server's chain share. */
export interface ServerScope {
  /** Of its entry in the configuration. */
  readonly name: string;
  readonly log: Log;
  /** Ids of the requests that the bridge itself sends there. */
  readonly ids: RequestIds;
  /** The clock of its waits, in milliseconds: `performance.now` outside of tests. */
  readonly now: () => number;
}

/** Why a call ends early; always the `reason` of the AbortSignal that ends it. */
export type Stop =
  | { readonly by: "client"; readonly message: Message }
  | { readonly by: "deadline" }
  | { readonly by: "closing" };

/** Takes one message towards the client; awaiting it is the back pressure. */
export type Deliver = (message: Message) => Promise<void>;

/** The client's request that a message belongs to; it travels with `send` through every wrapper. */
export interface CallContext {
  /** Name of the server's entry in the configuration. */
  readonly server: string;
  /** Id of the request (of a batch: of its first request), as the client wrote it. */
  readonly id: string;
  /** Empty for a batch. */
  readonly method: string;
  /** When the relay took it, by `performance.now()`. */
  readonly startedAt: number;
  /** Stops the call's deadline while the client's user is asked something; the returned function lets it run again. */
  pause(): () => void;
}

/** One remote MCP server. Every concern on the way upstream implements it by wrapping the next. */
export interface Upstream {
  /**
   * Sends one client message. Each message that comes back goes to `deliver`, awaited, the response last.
   * Rejects with a BridgeError only while the response has not been delivered. `call` is absent where the message
   * belongs to no request of the client.
   */
  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void>;
  /** Delivers the messages the server sends by itself, until the signal. */
  listen(deliver: Deliver, signal: AbortSignal): Promise<void>;
  /** Ends the session politely (DELETE), within `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

/** A request of our own to the client: the relay allots the id. */
export interface Outgoing {
  readonly method: string;
  /** `params` as JSON text. */
  readonly params: string;
}

/** What lower floors may ask of the client (elicitation); resolves to the client's response, rejects on the signal. */
export type Ask = (request: Outgoing, signal: AbortSignal) => Promise<Message>;

/** What is known of the client; filled when `initialize` passes (a modern client: from `_meta`). */
export interface ClientFacts {
  name: string;
  /** `capabilities` as JSON text, "{}" before anything is known. */
  capabilities: string;
  protocolVersion: string;
}

/** Whether the client is Codex, whatever its face (TUI, exec, desktop, IDE). */
export function isCodex({ name }: ClientFacts): boolean {
  return name.startsWith("codex");
}
