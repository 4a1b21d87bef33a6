import type { Log } from "../../platform/log.ts";
import type { Message } from "../../wire/message.ts";
import type { RequestIds } from "./request-ids.ts";

/** Shared by all wrappers of one server's chain. */
export interface ServerScope {
  /** Name of the server's entry in the configuration. */
  readonly name: string;
  readonly log: Log;
  /** Ids for the requests that the bridge itself sends to this server. */
  readonly ids: RequestIds;
  /** Clock in milliseconds: `performance.now` outside of tests. */
  readonly now: () => number;
}

/** Why a call ends early; always the `reason` of the AbortSignal that ends it. */
export type Stop =
  | { readonly by: "client"; readonly message: Message }
  | { readonly by: "deadline" }
  | { readonly by: "closing" };

/** Passes one message towards the client. Awaiting it applies back pressure. */
export type Deliver = (message: Message) => Promise<void>;

/** The client's request that a message belongs to; it travels with `send` through every wrapper. */
export interface CallContext {
  /** Name of the server's entry in the configuration. */
  readonly server: string;
  /** JSON text of the request's id (for a batch: of its first request), as the client wrote it. */
  readonly id: string;
  /** Empty for a batch. */
  readonly method: string;
  /** When the relay received it, by `performance.now()`. */
  readonly startedAt: number;
  /** Pauses the call's deadline while the user is asked something; the returned function resumes it. */
  pause(): () => void;
}

/** One remote MCP server. Every layer (sign-in, catalog, session, retry, transport) implements this interface and wraps the next layer. */
export interface Upstream {
  /**
   * Sends one client message. Each message that the server sends back is passed to `deliver` and awaited, the response last.
   * Rejects with a BridgeError, but never after the response was delivered. `call` is absent if the message belongs to no
   * request of the client.
   */
  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void>;
  /** Delivers the messages that the server sends outside of any call, until the signal. */
  listen(deliver: Deliver, signal: AbortSignal): Promise<void>;
  /** Ends the session at the server (DELETE), within `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

/** A request of the bridge to the client; the relay allots its id. */
export interface Outgoing {
  readonly method: string;
  /** `params` as JSON text. */
  readonly params: string;
}

/** Sends a request to the client (elicitation, sampling, roots). Resolves to the client's response, rejects on the signal. */
export type Ask = (request: Outgoing, signal: AbortSignal) => Promise<Message>;

/** Facts about the client, from `initialize` or from the `_meta` of a stateless request. */
export interface ClientFacts {
  name: string;
  /** `capabilities` as JSON text; "{}" before the first request. */
  capabilities: string;
  protocolVersion: string;
}

/** Whether the client is Codex in any of its forms (TUI, exec, desktop, IDE). */
export function isCodex({ name }: ClientFacts): boolean {
  return name.startsWith("codex");
}
