// Chooses the protocol and transport for a client of the session protocol: its own protocol first, another one if the
// server refuses that.

import { abortable } from "../../platform/async.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import { errorCodeOf, revisionOf, statelessErrors } from "../core/stateless-protocol.ts";
import type { CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";
import { type Discovery, discover, sessionRevisions } from "./discover.ts";
import { identityOf } from "./request-meta.ts";
import type { SessionClientAdapter } from "./session-client.ts";

/** How a client of the session protocol reaches the server. */
type Transport = "streamable-http" | "sse" | "stateless-http";

interface NegotiatingOptions extends ServerScope {
  /** Protocols that the configuration allows. */
  readonly protocol: "auto" | "session" | "stateless";
  /** The `Transport` that an earlier run found; may be any value. */
  readonly remembered: () => unknown;
  readonly remember: (transport: Transport) => void;
  /** The newest revision that the server accepts, if an earlier run found one older than the client's; may be any value. */
  readonly rememberedRevision: () => unknown;
  readonly rememberRevision: (revision: string | undefined) => void;
  /** Speaks the stateless protocol with the server. */
  readonly stateless: Upstream;
  /** Speaks the stateless protocol with the server, without retries. */
  readonly probe: Upstream;
  readonly sessionClient: () => SessionClientAdapter;
  readonly streamable: () => Upstream;
  /** Undefined where the configuration excludes it. */
  readonly sse: (() => Upstream) | undefined;
}

/** The client's initialize and what its answer needs. */
interface Start {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  readonly call: CallContext | undefined;
}

/** How a server refused initialize: with an error response, or with an HTTP status alone. */
interface Refusal {
  /** The upstream whose handshake was refused. */
  readonly upstream: Upstream;
  readonly answer?: Message;
  readonly error?: BridgeError;
  /** The JSON-RPC error code, if there is one. */
  readonly code: number | undefined;
  /** Whether the error names the revision, under whatever code. */
  readonly namesRevision?: boolean;
}

/** JSON-RPC codes for a request that the server does not understand: it may speak another protocol or revision. */
const notUnderstood: readonly number[] = [-32600, -32601, -32602];
/** Error codes that only the stateless protocol has. */
const statelessCodes: readonly number[] = Object.values(statelessErrors);
/** Statuses of a server that accepts no initialize at this URL: it may speak another protocol or transport. */
const otherProtocol = [400, 404, 405, 406, 410, 415, 422];
/** Client errors that say nothing about the transport: RFC 9110 15.5, RFC 6585. */
const sameTransport = [401, 402, 407, 408, 425, 429];
/** Statuses that may refuse the revision in the request rather than the URL. */
const aboutRequest = [400, 406, 422];

/** Time limit for ending a session that the client has left. */
const leaveMs = 300;

/** Chooses protocol and transport for a client of the session protocol. Requests of a stateless client pass unchanged. */
export class NegotiatingUpstream implements Upstream {
  readonly #options: NegotiatingOptions;
  #current: Upstream | undefined;
  /** Settles with the initialize; messages that wait for one that fails get its error. */
  #chosen = choice();
  #hasFailed = false;

  constructor(options: NegotiatingOptions) {
    this.#options = options;
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const { kind, method } = message.head;
    if (method === "initialize" && kind === "request")
      return this.#start({ message, deliver, signal, call });
    if (this.#current !== undefined) return this.#current.send(message, deliver, signal, call);
    return this.#sendLate(message, deliver, signal, call);
  }

  async #sendLate(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { kind } = message.head;
    if (kind === "request" && revisionOf(message) !== undefined)
      this.#choose(this.#options.stateless);
    if (this.#current === undefined) await this.#ready(signal);
    return this.#current!.send(message, deliver, signal, call);
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    await this.#ready(signal);
    await this.#current!.listen(deliver, signal);
  }

  async close(deadlineMs: number): Promise<void> {
    await this.#current?.close(deadlineMs);
  }

  async #ready(signal: AbortSignal): Promise<void> {
    if (this.#current === undefined) await abortable(this.#chosen.promise, signal);
  }

  /** Ends the session that the client has left by another initialize: its messages must not reach the new one. */
  #leave(): void {
    const left = this.#current;
    this.#current = undefined;
    void left?.close(leaveMs).catch(() => undefined);
  }

  #choose(upstream: Upstream): void {
    if (this.#current !== upstream) this.#leave();
    this.#current = upstream;
    this.#chosen.resolve();
  }

  async #start(start: Start): Promise<void> {
    // Messages that follow wait for the new session; the old one must not get them.
    if (this.#hasFailed || this.#current !== undefined) this.#chosen = choice();
    this.#leave();
    this.#hasFailed = false;
    try {
      await this.#serve(start);
    } catch (error) {
      if (this.#current === undefined) {
        this.#chosen.reject(start.signal.aborted ? notReached(this.#options.name) : error);
        this.#hasFailed = true;
      }
      throw error;
    }
  }

  async #serve(start: Start): Promise<void> {
    const { protocol, remembered, sse, probe, stateless } = this.#options;
    const transport = remembered();
    if (protocol === "stateless") {
      if (await this.#translate(start, ["stateless", "both"], stateless)) return;
      throw notStateless(this.#options.name);
    }
    // If the server speaks both protocols by now, the session protocol serves this client best.
    if (transport === "stateless-http" && protocol !== "session")
      if (await this.#translate(start, ["stateless"], probe)) return;
    if (transport === "sse" && sse !== undefined && (await this.#trySse(sse, start))) return;
    const refusal = await this.#initialize(start);
    if (refusal !== undefined) await this.#serveOtherwise(start, refusal);
  }

  /** Tries an older revision, the stateless protocol and HTTP+SSE after the server refused initialize. If all fail, the client gets the refusal. */
  async #serveOtherwise(start: Start, refusal: Refusal): Promise<void> {
    const { protocol, sse, stateless } = this.#options;
    const { status = 0 } = refusal.error ?? {};
    if (mayTakeOlder(refusal) && (await this.#tryOlder(start))) return;
    const isRefused = isNotUnderstood(refusal.code) || refusal.namesRevision === true;
    const mayBeStateless = otherProtocol.includes(status) || (isRefused && status < 500);
    if (protocol === "auto" && mayBeStateless)
      if (await this.#translate(start, ["stateless", "both"], stateless)) return;
    if (refusal.error !== undefined) {
      if (sse !== undefined && (await this.#trySse(sse, start))) return;
      throw refusal.error;
    }
    this.#choose(refusal.upstream);
    await start.deliver(refusal.answer!);
  }

  /** Serves the client through the stateless protocol; false unless server/discover shows one of the `wanted` answers. */
  async #translate(
    start: Start,
    wanted: readonly Discovery["speaks"][],
    by: Upstream,
  ): Promise<boolean> {
    const { ids, sessionClient, remember } = this.#options;
    const { message, deliver, signal } = start;
    const discovery = await discover(by, ids, identityOf(message), signal);
    if (discovery.speaks === "session" || !wanted.includes(discovery.speaks)) return false;
    const { answer } = discovery;
    if (answer.head.isError !== true) remember("stateless-http");
    const upstream = sessionClient();
    this.#choose(upstream);
    await upstream.start(message, answer, deliver);
    return true;
  }

  /** Sends the client's initialize, in the remembered revision if that is older; resolves to the server's refusal, if any. */
  async #initialize(start: Start): Promise<Refusal | undefined> {
    const { rememberedRevision, rememberRevision } = this.#options;
    const asked = start.message.value(["params", "protocolVersion"]);
    const older = rememberedRevision();
    if (typeof asked !== "string" || typeof older !== "string" || older >= asked)
      return this.#handshake(start);
    const refusal = await this.#handshake(inRevision(start, older));
    if (refusal === undefined) return undefined;
    rememberRevision(undefined);
    return this.#handshake(start);
  }

  /** Sends initialize once more with the revision before the client's; false if the server refuses that, too. */
  async #tryOlder(start: Start): Promise<boolean> {
    const { log, name } = this.#options;
    const asked = start.message.value(["params", "protocolVersion"]);
    const newest = sessionRevisions.at(-1)!;
    if (typeof asked !== "string" || asked < newest) return false;
    const older = sessionRevisions.findLast((revision) => revision < asked)!;
    log.debug("asking for an older revision", { server: name, revision: older });
    return (await this.#handshake(inRevision(start, older), older)) === undefined;
  }

  /** Sends initialize over Streamable HTTP; `older` is the revision to remember on success. Resolves to a refusal that may concern the protocol or the transport, and delivers any other answer. */
  async #handshake(
    { message, deliver, signal, call }: Start,
    older?: string,
  ): Promise<Refusal | undefined> {
    const { streamable, remember, rememberRevision } = this.#options;
    const upstream = streamable();
    let refusal: Refusal | undefined;
    const take: Deliver = async (incoming) => {
      const code = errorCodeOf(incoming);
      const namesRevision = code !== undefined && refusesRevision(incoming);
      if (isNotUnderstood(code) || namesRevision) {
        refusal = { upstream, answer: incoming, code, namesRevision };
        return;
      }
      if (incoming.head.kind === "response") {
        if (code === undefined) remember("streamable-http");
        if (code === undefined && older !== undefined) rememberRevision(older);
        this.#choose(upstream);
      }
      await deliver(incoming);
    };
    try {
      // Messages that follow wait inside the session for the handshake, in their order.
      await upstream.send(message, take, signal, call);
      return refusal;
    } catch (error) {
      if (!isOtherTransport(error)) throw error;
      return { upstream, error, code: codeIn(error) };
    }
  }

  /** Tries the HTTP+SSE transport of 2024-11-05; false if the server does not speak it (MCP 2025-03-26 basic/transports, backwards compatibility). */
  async #trySse(sse: () => Upstream, start: Start): Promise<boolean> {
    const { message, deliver, signal, call } = start;
    const { log, name, remember } = this.#options;
    const upstream = sse();
    const take: Deliver = async (incoming) => {
      if (incoming.head.kind === "response") {
        log.debug("server speaks HTTP+SSE of 2024-11-05", { server: name });
        if (incoming.head.isError !== true) remember("sse");
        this.#choose(upstream);
      }
      await deliver(incoming);
    };
    try {
      await upstream.send(message, take, signal, call);
      return true;
    } catch (error) {
      if (isOtherTransport(error)) return false;
      throw error;
    }
  }
}

function inRevision(start: Start, revision: string): Start {
  const raw = JSON.stringify(revision);
  return { ...start, message: start.message.with([{ path: ["params", "protocolVersion"], raw }]) };
}

function isNotUnderstood(code: number | undefined): boolean {
  return code !== undefined && (notUnderstood.includes(code) || statelessCodes.includes(code));
}

/** Whether an error is about the revision: official SDKs say so under -32000, and drafts of the stateless protocol under -32004. */
function refusesRevision(answer: Message): boolean {
  return /protocol version/i.test(String(answer.value(["error", "message"])));
}

/** Whether the server may have refused the revision alone. A code of the stateless protocol refuses the protocol. */
function mayTakeOlder({ error, code }: Refusal): boolean {
  if (code !== undefined && (statelessCodes.includes(code) || code === -32601)) return false;
  return error === undefined || (error.status !== undefined && aboutRequest.includes(error.status));
}

/** Whether the server may speak another transport: its answer is not one of Streamable HTTP. */
function isOtherTransport(error: unknown): error is BridgeError {
  if (!(error instanceof BridgeError)) return false;
  const { status, kind } = error;
  if (status === undefined) return kind === "bad-answer";
  // An HTTP+SSE server may refuse a POST to the URL of its stream with any client error.
  return status === 501 || (status >= 400 && status < 500 && !sameTransport.includes(status));
}

/** The code of the server's JSON-RPC error, if the failure carries one. */
function codeIn({ serverError }: BridgeError): number | undefined {
  return serverError === undefined ? undefined : JSON.parse(serverError).code;
}

function notStateless(name: string): BridgeError {
  return new BridgeError(
    "bad-answer",
    `"${name}" gives no valid answer to server/discover, which the stateless protocol requires`,
    {
      hint: settingHint(
        'remove "protocol" from its entry, so that the bridge detects the protocol',
      ),
    },
  );
}

function notReached(name: string): BridgeError {
  return new BridgeError("unreachable", `"${name}" was not initialized in time`, {
    hint: "restart the client once the server answers",
    safeToRetry: true,
  });
}

function choice(): PromiseWithResolvers<void> {
  const made = Promise.withResolvers<void>();
  made.promise.catch(() => undefined);
  return made;
}
