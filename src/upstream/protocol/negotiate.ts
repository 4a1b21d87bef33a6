// How a server is spoken to for a client of the session protocol: in the client's own protocol first, in another where that is refused.

import { abortable } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import { errorCodeOf, revisionOf, statelessErrors } from "../core/stateless-protocol.ts";
import type { CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";
import { type Discovery, discover, sessionRevisions } from "./discover.ts";
import { identityOf } from "./request-meta.ts";
import type { SessionClientAdapter } from "./session-client.ts";

/** By what a client of the session protocol is served. */
type Transport = "streamable-http" | "sse" | "stateless-http";

interface NegotiatingOptions extends ServerScope {
  /** What the configuration allows. */
  readonly protocol: "auto" | "session" | "stateless";
  /** What was found in an earlier run; any text. */
  readonly remembered: () => unknown;
  readonly remember: (transport: Transport) => void;
  /** An older revision than the client's, where an earlier run found that the server takes no newer one; any text. */
  readonly rememberedRevision: () => unknown;
  readonly rememberRevision: (revision: string | undefined) => void;
  /** Speaks the stateless protocol with the server. */
  readonly stateless: Upstream;
  /** The same, trying once. */
  readonly probe: Upstream;
  readonly sessionClient: () => SessionClientAdapter;
  readonly streamable: () => Upstream;
  /** Undefined where the configuration excludes it. */
  readonly sse: (() => Upstream) | undefined;
}

/** The client's initialize on its way. */
interface Start {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  readonly call: CallContext | undefined;
}

/** How a server refused initialize: by an error response, or by a status without one. */
interface Refusal {
  /** The session that the server refused. */
  readonly upstream: Upstream;
  readonly answer?: Message;
  readonly error?: BridgeError;
  /** The JSON-RPC code, where there is one. */
  readonly code: number | undefined;
}

/** JSON-RPC's codes for a request that the server does not understand: one of another protocol or revision. */
const notUnderstood: readonly number[] = [-32600, -32601, -32602];
/** Codes that only the stateless protocol has. */
const statelessCodes: readonly number[] = Object.values(statelessErrors);
/** Statuses of a server that takes no initialize here: it may speak another protocol or transport. */
const otherProtocol = [400, 404, 405, 406, 410, 415, 422];
/** Those with which a server of HTTP+SSE refuses a POST to its stream's URL. */
const otherTransport = [...otherProtocol, 403, 501];
/** Those that may be about the revision in the request, and not about the place it went to. */
const aboutRequest = [400, 406, 422];

/** Chooses, for a client of the session protocol, how its server is spoken to; a client of the stateless protocol passes. */
export class NegotiatingUpstream implements Upstream {
  readonly #options: NegotiatingOptions;
  #current: Upstream | undefined;
  /** Settles when an initialize does; messages behind one that failed get its error. */
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

  #choose(upstream: Upstream): void {
    this.#current = upstream;
    this.#chosen.resolve();
  }

  async #start(start: Start): Promise<void> {
    if (this.#hasFailed) this.#chosen = choice();
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
    // A server that has learned the session protocol since then serves this client best itself.
    if (transport === "stateless-http" && protocol !== "session")
      if (await this.#translate(start, ["stateless"], probe)) return;
    if (transport === "sse" && sse !== undefined && (await this.#trySse(sse, start))) return;
    const refusal = await this.#initialize(start);
    if (refusal !== undefined) await this.#serveOtherwise(start, refusal);
  }

  /** The server refused the client's initialize: an older revision, then the stateless protocol, then HTTP+SSE; where none of them is spoken, its refusal is the answer. */
  async #serveOtherwise(start: Start, refusal: Refusal): Promise<void> {
    const { protocol, sse, stateless } = this.#options;
    const { status = 0 } = refusal.error ?? {};
    if (mayTakeOlder(refusal) && (await this.#tryOlder(start))) return;
    const mayBeStateless =
      otherProtocol.includes(status) || (isNotUnderstood(refusal.code) && status < 500);
    if (protocol === "auto" && mayBeStateless)
      if (await this.#translate(start, ["stateless", "both"], stateless)) return;
    if (refusal.error !== undefined) {
      if (sse !== undefined && (await this.#trySse(sse, start))) return;
      throw refusal.error;
    }
    this.#choose(refusal.upstream);
    await start.deliver(refusal.answer!);
  }

  /** Puts the client before the server's stateless protocol; false where the server speaks none, or more than `wanted`. */
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

  /** The client's own handshake, in the revision that an earlier run found; resolves to the server's refusal. */
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

  /** Asks a server that refuses the newest revision for the one before, once; false where it refuses that, too. */
  async #tryOlder(start: Start): Promise<boolean> {
    const { log, name } = this.#options;
    const asked = start.message.value(["params", "protocolVersion"]);
    const newest = sessionRevisions.at(-1)!;
    if (typeof asked !== "string" || asked < newest) return false;
    const older = sessionRevisions.findLast((revision) => revision < asked)!;
    log.debug("asking for an older revision", { server: name, revision: older });
    return (await this.#handshake(inRevision(start, older), older)) === undefined;
  }

  /** initialize over Streamable HTTP, in a revision `older` than the client's where one is given. Resolves to a refusal that may be of the protocol or the transport; any other answer is delivered. */
  async #handshake(
    { message, deliver, signal, call }: Start,
    older?: string,
  ): Promise<Refusal | undefined> {
    const { streamable, remember, rememberRevision } = this.#options;
    const upstream = streamable();
    let refusal: Refusal | undefined;
    const take: Deliver = async (incoming) => {
      const code = errorCodeOf(incoming);
      if (isNotUnderstood(code)) {
        refusal = { upstream, answer: incoming, code };
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
      // What the client sends behind it waits inside the session for the handshake, in its order.
      await upstream.send(message, take, signal, call);
      return refusal;
    } catch (error) {
      if (!isOtherTransport(error)) throw error;
      return { upstream, error, code: codeIn(error) };
    }
  }

  /** The 2024-11-05 transport; false where the server does not speak it (MCP 2025-03-26 basic/transports, backwards compatibility). */
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

/** Whether a refusal may be that of the revision; a code of the stateless protocol says more. */
function mayTakeOlder({ error, code }: Refusal): boolean {
  if (code !== undefined && (statelessCodes.includes(code) || code === -32601)) return false;
  return error === undefined || (error.status !== undefined && aboutRequest.includes(error.status));
}

/** Whether a failed start leaves room for another transport: the answer was none of this one's. */
function isOtherTransport(error: unknown): error is BridgeError {
  if (!(error instanceof BridgeError)) return false;
  const { status, kind } = error;
  return status === undefined ? kind === "bad-answer" : otherTransport.includes(status);
}

/** The code of the server's own JSON-RPC error that goes with a failure. */
function codeIn({ serverError }: BridgeError): number | undefined {
  return serverError === undefined ? undefined : JSON.parse(serverError).code;
}

function notStateless(name: string): BridgeError {
  return new BridgeError(
    "bad-answer",
    `"${name}" does not answer server/discover as the stateless protocol asks`,
    {
      hint: 'remove "protocol" from its entry: the bridge then finds out what it speaks',
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
