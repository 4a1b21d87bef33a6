// Streamable HTTP of the stateless protocol: no session, every request stands alone (MCP 2026-07-28 basic/transports/streamable-http).

import { headerValue } from "../../wire/header-value.ts";
import { isAnswerTo, type Message, requestOf } from "../../wire/message.ts";
import type { RequestIds } from "../core/request-ids.ts";
import { errorCodeOf, revisionOf, statelessErrors } from "../core/stateless-protocol.ts";
import type { ToolTable } from "../core/tool-table.ts";
import type { Deliver, Upstream } from "../core/types.ts";
import { PendingResponses } from "./pending-responses.ts";
import {
  badAnswer,
  discard,
  mediaType,
  messageIn,
  readErrorText,
  readJson,
  wrongTypeError,
} from "./response-body.ts";
import { type Idle, listenIdleMs, messageOfEvent, OddEvents, readEvents } from "./sse-events.ts";
import { failedStatusError, isPutOff } from "./status-errors.ts";
import { StreamRests } from "./stream-rests.ts";
import type { TransportOptions } from "./transport-options.ts";

interface StatelessOptions extends TransportOptions {
  readonly tools: ToolTable;
  readonly ids: RequestIds;
  /** Silence after which a subscription is requested anew; default 5 minutes. */
  readonly idleMs?: number;
}

/** Where a method's subject stands in `params`, for the Mcp-Name header; tasks by SEP-2663. */
const subjects: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId",
};

const acknowledged = "notifications/subscriptions/acknowledged";

/** Pages of tools/list read to learn one tool's headers. */
const maxPages = 50;

export class StatelessHttp implements Upstream {
  readonly #options: StatelessOptions;
  readonly #rests = new StreamRests();

  constructor(options: StatelessOptions) {
    this.#options = options;
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { kind, method } = message.head;
    // Not sent: this server makes no requests to respond to, and a request is cancelled by closing its response stream.
    if (kind === "response" || method === "notifications/cancelled") return;
    if (method === "subscriptions/listen") return this.#subscribe(message, deliver, signal);
    if (method !== "tools/call") return this.#post(message, deliver, signal);
    let mismatch: Message | undefined;
    await this.#post(
      message,
      async (incoming) => {
        if (errorCodeOf(incoming) === statelessErrors.headerMismatch) mismatch = incoming;
        else await deliver(incoming);
      },
      signal,
    );
    if (mismatch === undefined) return;
    const learned = await this.#relist(message, signal);
    await (learned ? this.#post(message, deliver, signal) : deliver(mismatch));
  }

  /** The server sends nothing by itself: the client asks with subscriptions/listen. */
  listen(): Promise<void> {
    return Promise.resolve();
  }

  /** There is no session to end. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Sends a subscription; one that falls silent is sent again under its id, and the second acknowledgement is dropped. */
  async #subscribe(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { idleMs = listenIdleMs } = this.#options;
    for (let isAgain = false; ; isAgain = true) {
      let wasSilent = false;
      const mayEnd = () => {
        wasSilent = true;
        return true;
      };
      const take: Deliver = async (incoming) => {
        if (!isAgain || incoming.head.method !== acknowledged) await deliver(incoming);
      };
      try {
        return await this.#post(message, take, signal, { idleMs, mayEnd });
      } catch (error) {
        if (!wasSilent || signal.aborted) throw error;
      }
    }
  }

  async #post(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    idle: Idle = {},
  ): Promise<void> {
    const response = await this.#options.endpoint.request({
      method: "POST",
      headers: this.#headersOf(message),
      body: message.bytes,
      signal,
      nonIdempotent: () => !this.#options.isRepeatable(message),
    });
    if (!response.ok) return this.#refused(response, message, deliver);
    if (message.head.kind !== "request") {
      discard(response);
      return;
    }
    const pendingResponses = new PendingResponses(message, deliver);
    if (mediaType(response) === "text/event-stream")
      return this.#stream(response, pendingResponses, signal, {
        ...idle,
        rests: message.head.method === "tools/call" ? this.#rests : undefined,
      });
    const { name, limit, budget } = this.#options;
    const take = async (answer: Message | undefined) => {
      if (answer === undefined)
        throw badAnswer(`"${name}" answered ${response.status} without a body`);
      await pendingResponses.take(answer);
      if (!pendingResponses.isDone)
        throw badAnswer(`"${name}" answered another request than the one it was asked`, answer);
    };
    if (mediaType(response) === "application/json")
      return readJson(response, { limit, budget, signal, take });
    const text = await readErrorText(response);
    const found = messageIn(text);
    if (found === undefined) throw wrongTypeError(name, response, text);
    return take(found);
  }

  /** Reads the stream to the response; a stream that ends before cannot be resumed in this protocol. */
  async #stream(
    response: Response,
    pendingResponses: PendingResponses,
    signal: AbortSignal,
    how: Idle & { readonly rests: StreamRests | undefined },
  ): Promise<void> {
    const { name, log } = this.#options;
    const odd = new OddEvents(log, name);
    for await (const events of readEvents(response, { ...this.#options, ...how }, signal))
      for (const event of events) {
        const message = messageOfEvent(event, odd);
        if (message !== undefined) await pendingResponses.take(message);
        if (pendingResponses.isDone) return;
      }
    if (odd.held !== undefined) await pendingResponses.take(odd.held);
    if (!pendingResponses.isDone) throw odd.endError();
  }

  /** Handles an error status: the server's JSON-RPC error is the answer, also with an id of null. */
  async #refused(response: Response, message: Message, deliver: Deliver): Promise<void> {
    const { name, endpoint, redactor, log } = this.#options;
    const { status } = response;
    const text = await readErrorText(response);
    const answer = messageIn(text);
    const { id } = message.head;
    if (id !== undefined && answer?.head.isError === true && !isPutOff(response)) {
      if (isAnswerTo([id], answer)) return deliver(answer);
      // A 5xx is retryable: throw it with the server's error attached.
      if (status < 500) return deliver(answer.with([{ path: ["id"], raw: id }]));
    }
    throw failedStatusError(response, text, { name, url: endpoint.url, log }, redactor);
  }

  #headersOf(message: Message): Record<string, string> {
    const { method } = message.head;
    const headers: Record<string, string> = {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...this.#options.traceHeaders?.(message),
      "mcp-method": headerValue(method!),
    };
    const revision = revisionOf(message);
    if (revision !== undefined) headers["mcp-protocol-version"] = headerValue(revision);
    const subject = message.value(["params", subjects[method!] ?? ""]);
    if (typeof subject === "string") headers["mcp-name"] = headerValue(subject);
    if (method !== "tools/call") return headers;
    return { ...headers, ...paramHeaders(message, this.#options.tools) };
  }

  /** Reads the server's tools anew, with the call's own `_meta`. True where that worked. */
  async #relist(call: Message, signal: AbortSignal): Promise<boolean> {
    const { tools, ids, log, name } = this.#options;
    log.info("listing the tools again", { server: name, tool: call.name });
    const meta = call.text(["params", "_meta"]) ?? "{}";
    let cursor: string | undefined;
    const seen = new Set<string | undefined>();
    // A repeated cursor would loop for ever.
    while (!seen.has(cursor) && seen.size < maxPages) {
      seen.add(cursor);
      const params = `{"_meta":${meta}${cursor === undefined ? "" : `,"cursor":${cursor}`}}`;
      const asked = requestOf(ids.next("relist"), "tools/list", params);
      let answer: Message | undefined;
      const quiet = asked.with([{ path: ["params", "_meta", "progressToken"], raw: null }]);
      const take: Deliver = async (incoming) => {
        if (incoming.head.kind === "response") answer = incoming;
      };
      await this.#post(quiet, take, signal);
      if (answer === undefined || answer.head.isError === true) return false;
      tools.learn(quiet, answer);
      cursor = answer.text(["result", "nextCursor"]);
      if (cursor === undefined || cursor === "null") return true;
    }
    return true;
  }
}

/** The Mcp-Param headers of a call (MCP 2026-07-28 basic/transports/streamable-http, custom headers); none for a tool that was never listed. */
export function paramHeaders(call: Message, tools: ToolTable): Record<string, string> {
  const headers: Record<string, string> = {};
  const mirrored = tools.factsOf(call.name ?? "")?.mirrored ?? [];
  if (typeof mirrored === "string") return headers;
  for (const { path, header } of mirrored) {
    const text = call.text(["params", "arguments", ...path]);
    const value = text === undefined ? undefined : plainValue(text);
    if (value !== undefined) headers[`Mcp-Param-${header}`] = headerValue(value);
  }
  return headers;
}

/** A primitive's text in a header; undefined for null, for objects and lists, and for an integer that a peer with doubles would round. */
function plainValue(json: string): string | undefined {
  const value: unknown = JSON.parse(json);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}
