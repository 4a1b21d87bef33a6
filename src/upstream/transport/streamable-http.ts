// Streamable HTTP of the session protocol (MCP 2025-03-26, 2025-06-18, 2025-11-25: basic/transports).

import type { Message } from "../../wire/message.ts";
import type { RequestIds } from "../core/request-ids.ts";
import type { Deliver, Stop, Upstream } from "../core/types.ts";
import { DoubtfulRefusal } from "./authorize.ts";
import { noticesOf } from "./cancellation.ts";
import { PendingResponses } from "./pending-responses.ts";
import {
  badAnswer,
  discard,
  isBrief,
  mediaType,
  messageIn,
  readBrief,
  readErrorText,
  readJson,
  wrongTypeError,
} from "./response-body.ts";
import { isDoubtful, readsAsLost, type Session, SessionLost } from "./session-lost.ts";
import { SessionProbe } from "./session-probe.ts";
import { messageOfEvent, OddEvents, readEvents } from "./sse-events.ts";
import { EventStream } from "./sse-resume.ts";
import { failedStatusError, isPutOff, statusError } from "./status-errors.ts";
import { StreamRests } from "./stream-rests.ts";
import type { TransportOptions } from "./transport-options.ts";

interface StreamableOptions extends TransportOptions {
  readonly session: Session;
  readonly ids: RequestIds;
  /** Resolves once the server has accepted another credential than the one that it refused. */
  readonly anotherCredential: (signal: AbortSignal) => Promise<void>;
  /** Called before each initialize, to discard the state of the last session. */
  readonly beginSession: () => void;
  /** Whether sessions are ended with a DELETE, which makes some servers crash. */
  readonly endsSessions: boolean;
}

/** Time limit of a cancellation's POST, which runs in the background. */
const cancelTimeoutMs = 5000;
/** A DELETE needs at most so many round trips to arrive, TCP and TLS handshakes included; it gets at least this time. */
const deleteRoundTrips = 4;
const leastDeleteMs = 10;

export class StreamableHttp implements Upstream {
  readonly #options: StreamableOptions;
  /** The header fields that #fields made last. Most requests carry equal ones: passing the same object down to fetch saves 3 of 53 microseconds of a call (measured in process). */
  #made:
    | (Session & { readonly method: string; readonly fields: Record<string, string> })
    | undefined;
  /** Whether the server gave another session id after initialize: every response is then read for the next one. */
  #changesId = false;
  readonly #rests = new StreamRests();
  readonly #probe: SessionProbe;

  constructor(options: StreamableOptions) {
    this.#options = options;
    const post = (message: Message, signal: AbortSignal) => this.#request("POST", message, signal);
    this.#probe = new SessionProbe({ session: options.session, ids: options.ids, post });
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { head } = message;
    if (head.method === "initialize" && head.kind === "request") {
      this.#options.beginSession();
      this.#probe.begin();
    }
    const pendingResponses = new PendingResponses(message, deliver);
    // Read before the request goes out: another call may have renewed the session when the refusal comes.
    const sessionId = this.#options.session.id;
    return this.#request("POST", message, signal)
      .then((response) => {
        if (this.#probe.hasDoubts && response.ok && isDoubtful(404, this.#options.session, message))
          this.#probe.accepted();
        if (this.#changesId || head.method !== "tools/call")
          this.#noteSession(response, message, sessionId);
        if (response.ok && !pendingResponses.isDone && this.#isPlain(response, message))
          return readBrief(response).then((answer) =>
            this.#takeJson(answer, response, pendingResponses),
          );
        if (response.ok) return this.#take(response, message, pendingResponses, signal);
        return this.#refused(response, message, pendingResponses, sessionId, signal);
      })
      .catch((error) => {
        if (signal.aborted) this.#stop(message, signal.reason);
        throw error;
      });
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { limit, budget, log, name, redactor, session } = this.#options;
    const { id } = session;
    let asked = id;
    const stream = new EventStream({
      name,
      anotherCredential: this.#options.anotherCredential,
      limit,
      budget,
      log,
      // Event ids are valid in their own session only.
      get: (lastEventId, ended) => {
        asked = session.id;
        return this.#request("GET", undefined, ended, asked === id ? lastEventId : undefined);
      },
      // The session of the refused request: a call may have started another one since.
      lost: (response, text) => {
        if (id !== undefined && readsAsLost(response.status, text))
          throw new SessionLost(name, asked ?? id, statusError(response, text, name, redactor));
      },
    });
    await stream.listen(deliver, signal);
  }

  /** Ends the session; waits for as long as the DELETE needs to arrive, `deadlineMs` at most. */
  async close(deadlineMs: number): Promise<void> {
    const { session, endpoint } = this.#options;
    const { id } = session;
    const arrivalMs = Math.max(leastDeleteMs, deleteRoundTrips * endpoint.roundTripMs);
    if (id !== undefined) await this.end(id, Math.min(deadlineMs, arrivalMs));
  }

  /** Ends the session `id`, which need not be the current session, within `deadlineMs`. */
  async end(id: string, deadlineMs: number): Promise<void> {
    if (!this.#options.endsSessions) return;
    const headers = { ...this.#fields("DELETE", false), "mcp-session-id": id };
    const signal = AbortSignal.timeout(deadlineMs);
    const response = await this.#options.endpoint.request(
      { method: "DELETE", headers, signal },
      false,
    );
    discard(response);
  }

  #eventStream({ head }: Message): EventStream {
    const { limit, budget, log, name, session } = this.#options;
    const { id } = session;
    return new EventStream({
      name,
      // Nothing waits for the end of a call once its answer is delivered; a start must not wait for a stream's.
      rests: head.method === "tools/call" ? this.#rests : undefined,
      limit,
      budget,
      log,
      // A new session cannot resume an answer of the last one.
      get: async (lastEventId, signal) =>
        session.id === id
          ? this.#request("GET", undefined, signal, lastEventId)
          : new Response(null, { status: 404 }),
    });
  }

  async #take(
    response: Response,
    message: Message,
    pendingResponses: PendingResponses,
    signal: AbortSignal,
  ) {
    const { name, limit, budget } = this.#options;
    const isStream = mediaType(response) === "text/event-stream";
    if (pendingResponses.isDone) {
      // The message was a notification or a response: any 2xx means that the server has it.
      if (isStream) void this.#overhear(response, pendingResponses, signal);
      else discard(response);
      return;
    }
    if (isStream) return this.#eventStream(message).read(response, pendingResponses, signal);
    if (mediaType(response) !== "application/json") {
      const text = await readErrorText(response);
      const found = messageIn(text);
      if (found === undefined) throw wrongTypeError(name, response, text);
      return this.#takeJson(found, response, pendingResponses);
    }
    const take = (answer: Message | undefined) =>
      this.#takeJson(answer, response, pendingResponses);
    return readJson(response, { limit, budget, signal, take });
  }

  /** Reads the session id of a response. MCP gives it with the answer to initialize; a server that gives it later, or another one, means the newest. */
  #noteSession({ ok, headers }: Response, { head }: Message, sentId: string | undefined): void {
    const { session } = this.#options;
    // Another request may have got a newer id, or begun a new session.
    if (!ok || session.id !== sentId) return;
    const id = headers.get("mcp-session-id") ?? undefined;
    if (head.method === "initialize") session.id = id;
    else if (id !== undefined && id !== "" && id !== sentId) {
      session.id = id;
      this.#changesId = true;
    }
  }

  /** Whether the fast path applies, as to nearly every response: short JSON that does not answer initialize. */
  #isPlain(response: Response, { head }: Message): boolean {
    const isJson = response.headers.get("content-type") === "application/json";
    return isJson && head.method !== "initialize" && isBrief(response, this.#options.limit);
  }

  #takeJson(
    answer: Message | undefined,
    response: Response,
    pendingResponses: PendingResponses,
  ): Promise<void> {
    const { name } = this.#options;
    if (answer === undefined)
      throw badAnswer(`"${name}" answered ${response.status} without a body`);
    return pendingResponses.take(answer).then(() => {
      if (!pendingResponses.isDone)
        throw badAnswer(`"${name}" answered another request than the one it was asked`, answer);
    });
  }

  /** Delivers the messages in a response to a message that needs no answer. */
  async #overhear(
    response: Response,
    pendingResponses: PendingResponses,
    signal: AbortSignal,
  ): Promise<void> {
    const { log, name } = this.#options;
    const odd = new OddEvents(log, name);
    try {
      for await (const events of readEvents(response, this.#options, signal))
        for (const event of events) {
          const message = messageOfEvent(event, odd);
          if (message !== undefined) await pendingResponses.take(message);
        }
    } catch (error) {
      log.debug("stream broke", { server: name, error: String((error as Error)?.message) });
    }
  }

  /** Handles an error status: a JSON-RPC error of the server is delivered unchanged; for any other body, a BridgeError is thrown. */
  async #refused(
    response: Response,
    message: Message,
    pendingResponses: PendingResponses,
    sessionId: string | undefined,
    signal: AbortSignal,
  ) {
    const { name, endpoint, redactor, log, session } = this.#options;
    const { status } = response;
    const text = await readErrorText(response);
    const found = messageIn(text);
    const answer = found !== undefined && pendingResponses.isAnswer(found) ? found : undefined;
    // A refusal whose words name no session is the server's answer: the call may have been executed.
    const isLost =
      sessionId !== undefined &&
      readsAsLost(status, text, message, answer) &&
      (!isDoubtful(status, session, message) || (await this.#isLost(sessionId, signal)));
    if (isLost) {
      const isDoubtful = response instanceof DoubtfulRefusal;
      const refusal = isDoubtful ? response.refusal : statusError(response, text, name, redactor);
      throw new SessionLost(name, sessionId, refusal);
    }
    // A 5xx to initialize says nothing about the server's protocol, whatever the JSON-RPC code: the error must keep the status.
    const isFailedStart = status >= 500 && message.head.method === "initialize";
    if (answer !== undefined && !isPutOff(response) && !isFailedStart)
      return pendingResponses.take(answer);
    throw failedStatusError(response, text, { name, url: endpoint.url, log }, redactor);
  }

  /** Whether the server has lost the session in which it refused a request. A server that gives new ids has only one session. */
  #isLost(sessionId: string, signal: AbortSignal): Promise<boolean> {
    const { id } = this.#options.session;
    return this.#probe.isLost(this.#changesId && id !== undefined ? id : sessionId, signal);
  }

  #request(
    method: "GET" | "POST",
    message: Message | undefined,
    signal: AbortSignal,
    lastEventId?: string,
  ): Promise<Response> {
    const { endpoint, session, isRepeatable } = this.#options;
    const isSessionless = session.id === undefined;
    const body = message?.bytes;
    const nonIdempotent = message && (() => !isRepeatable(message));
    const fields = this.#fields(method, message?.head.method === "initialize");
    const traced = message && this.#options.traceHeaders?.(message);
    const headers = traced === undefined ? fields : { ...fields, ...traced };
    // Event ids are UTF-8 (WHATWG HTML 9.2.3); fetch takes a header's characters as bytes.
    const resumed = lastEventId !== undefined && {
      ...headers,
      "last-event-id": Buffer.from(lastEventId, "utf8").toString("latin1"),
    };
    return endpoint.request(
      { method, headers: resumed || headers, body, signal, nonIdempotent },
      isSessionless,
    );
  }

  /** The transport's header fields; equal fields are the same object. */
  #fields(method: "GET" | "POST" | "DELETE", isStart: boolean): Readonly<Record<string, string>> {
    const { id, version } = this.#options.session;
    const made = this.#made;
    if (made?.method === method && made.id === id && made.version === version && !isStart)
      return made.fields;
    const fields: Record<string, string> = {
      accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
    };
    if (method === "POST") fields["content-type"] = "application/json";
    if (isStart) return fields;
    if (id !== undefined) fields["mcp-session-id"] = id;
    if (version !== undefined) fields["mcp-protocol-version"] = version;
    this.#made = { method, id, version, fields };
    return fields;
  }

  #stop(message: Message, reason: Stop): void {
    for (const notice of noticesOf(message, reason))
      this.#request("POST", notice, AbortSignal.timeout(cancelTimeoutMs))
        .then(discard)
        .catch((error) =>
          this.#options.log.debug("cancellation not delivered", { error: String(error?.message) }),
        );
  }
}
