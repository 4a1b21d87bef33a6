// Streamable HTTP of the modern era: every request stands alone (MCP 2026-07-28 basic/transports/streamable-http).
import type { Log } from "../../platform/log.ts";
import type { Redactor } from "../../platform/redact.ts";
import { BridgeError } from "../../wire/errors.ts";
import { headerValue } from "../../wire/header-value.ts";
import { isSameId, type Message, requestOf } from "../../wire/message.ts";
import { errorCodeOf, revisionOf, statelessErrors } from "../core/stateless-protocol.ts";
import type { Deliver, Upstream } from "../core/types.ts";
import { type Endpoint, locationOf } from "./endpoint.ts";
import type { ToolTable } from "./header-params.ts";
import {
  badAnswer,
  discard,
  mediaType,
  messageIn,
  readErrorText,
  readJson,
  refuseNameless,
} from "./response-body.ts";
import { type Idle, listenIdleMs, messageOfEvent, readEvents } from "./sse-events.ts";
import { isPutOff, redirectError, statusError } from "./status-errors.ts";

interface StatelessOptions {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly tools: ToolTable;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Most bytes of one message. */
  readonly limit: number;
  /** Longest silence of a subscription before it is asked for anew; 5 minutes without it. */
  readonly idleMs?: number;
  /** Whether executing the message twice does no harm. */
  readonly isRepeatable: (message: Message) => boolean;
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
  #relistings = 0;

  constructor(options: StatelessOptions) {
    this.#options = options;
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { kind, method } = message.head;
    // Nothing answers a modern server's requests (it has none), and closing the stream is the cancellation.
    if (kind === "response" || method === "notifications/cancelled") return;
    if (method === "tools/list") {
      await this.#post(message, (said) => deliver(this.#withoutInvalidTools(said)), signal);
      return;
    }
    if (method === "subscriptions/listen") return this.#subscribe(message, deliver, signal);
    if (method !== "tools/call") return this.#post(message, deliver, signal);
    let mismatch: Message | undefined;
    await this.#post(
      message,
      async (said) => {
        if (errorCodeOf(said) === statelessErrors.headerMismatch) mismatch = said;
        else await deliver(said);
      },
      signal,
    );
    if (mismatch === undefined) return;
    const learned = await this.#relist(message, signal);
    await (learned ? this.#post(message, deliver, signal) : deliver(mismatch));
  }

  /** A modern server says nothing by itself: its client asks with subscriptions/listen. */
  listen(): Promise<void> {
    return Promise.resolve();
  }

  /** There is no session to end. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A subscription; one that falls silent is asked for again under its id, without the client's knowing. */
  async #subscribe(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { idleMs = listenIdleMs } = this.#options;
    for (let isAgain = false; ; isAgain = true) {
      let wasSilent = false;
      const mayEnd = () => {
        wasSilent = true;
        return true;
      };
      const take: Deliver = async (said) => {
        if (!isAgain || said.head.method !== acknowledged) await deliver(said);
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
      await discard(response);
      return;
    }
    if (mediaType(response) === "text/event-stream")
      return this.#stream(response, message, deliver, signal, idle);
    const { name, limit } = this.#options;
    if (mediaType(response) !== "application/json") {
      await discard(response);
      throw badAnswer(
        `"${name}" answered with ${mediaType(response) || "no content type"}, not JSON or an event stream`,
      );
    }
    const take = async (answer: Message | undefined) => {
      if (answer === undefined)
        throw badAnswer(`"${name}" answered ${response.status} without a body`);
      refuseNameless(answer);
      if (!isAnswer(answer, message))
        throw badAnswer(`"${name}" answered another request than the one it was asked`);
      await deliver(answer);
    };
    return readJson(response, { limit, signal, take });
  }

  /** Reads to the response; a stream that drops before has lost it (no resuming in this era). */
  async #stream(
    response: Response,
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    idle: Idle,
  ): Promise<void> {
    const { name, limit, log } = this.#options;
    for await (const events of readEvents(response, { limit, log, ...idle }, signal))
      for (const event of events) {
        const said = messageOfEvent(event, name);
        if (said === undefined) continue;
        refuseNameless(said);
        await deliver(said);
        if (isAnswer(said, message)) return;
      }
    throw new BridgeError("outcome-unknown", `"${name}" ended its answer early`, {
      hint: "the server may or may not have done it: check before you repeat the call",
    });
  }

  /** An error status: the server's JSON-RPC error is the answer, also where it names no request. */
  async #refused(response: Response, message: Message, deliver: Deliver): Promise<void> {
    const { name, endpoint, redactor } = this.#options;
    const { status } = response;
    const text = await readErrorText(response);
    const said = messageIn(text);
    const { id } = message.head;
    if (id !== undefined && said?.head.isError === true && !isPutOff(response)) {
      if (isAnswer(said, message)) return deliver(said);
      // What another attempt may mend is thrown, and the error goes with it.
      if (status < 500) return deliver(said.with([{ path: ["id"], raw: id }]));
    }
    if (status >= 300 && status < 400)
      throw redirectError(name, status, locationOf(response, endpoint.url));
    throw statusError(response, text, name, redactor);
  }

  #headersOf(message: Message): Record<string, string> {
    const { method } = message.head;
    const headers: Record<string, string> = {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-method": headerValue(method!),
    };
    const revision = revisionOf(message);
    if (revision !== undefined) headers["mcp-protocol-version"] = headerValue(revision);
    const subject = message.value(["params", subjects[method!] ?? ""]);
    if (typeof subject === "string") headers["mcp-name"] = headerValue(subject);
    if (method !== "tools/call") return headers;
    return { ...headers, ...this.#options.tools.headersOf(message) };
  }

  /** Tools with invalid header annotations may not be offered (custom headers, constraints). */
  #withoutInvalidTools(said: Message): Message {
    if (said.head.kind !== "response" || said.head.isError === true) return said;
    const { log, tools, name } = this.#options;
    const invalid = tools.learn(said);
    for (const { name: tool, reason } of invalid)
      log.warn("invalid tool left out", { server: name, tool, reason });
    if (invalid.length === 0) return said;
    const out = new Map(invalid.map(({ index }) => [index, null]));
    return said.withElements(["result", "tools"], out);
  }

  /** Reads the server's tools anew, with the call's own `_meta`. True where that worked. */
  async #relist(call: Message, signal: AbortSignal): Promise<boolean> {
    const { tools, log, name } = this.#options;
    log.info("listing the tools again", { server: name, tool: call.name });
    const meta = call.text(["params", "_meta"]) ?? "{}";
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page++) {
      const id = JSON.stringify(`bridge-relist-${this.#relistings++}`);
      const params = `{"_meta":${meta}${cursor === undefined ? "" : `,"cursor":${cursor}`}}`;
      const asked = requestOf(id, "tools/list", params);
      let answer: Message | undefined;
      const quiet = asked.with([{ path: ["params", "_meta", "progressToken"], raw: null }]);
      const take: Deliver = async (said) => {
        if (said.head.kind === "response") answer = said;
      };
      await this.#post(quiet, take, signal);
      if (answer === undefined || answer.head.isError === true) return false;
      tools.learn(answer);
      cursor = answer.text(["result", "nextCursor"]);
      if (cursor === undefined || cursor === "null") return true;
    }
    return true;
  }
}

function isAnswer({ head }: Message, asked: Message): boolean {
  return head.kind === "response" && isSameId(asked.head.id!, head.id!);
}
