// Which era and transport a server speaks: found at the first message, remembered, found again when it stops being true.

import { abortable } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import { errorCodeOf, revisionOf, statelessErrors } from "../core/stateless-protocol.ts";
import type { CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";
import { type Discovery, discover } from "./discover.ts";
import { identityOf } from "./request-meta.ts";
import type { SessionClientAdapter } from "./session-client.ts";

/** What a legacy client is served by. */
type Transport = "streamable-http" | "sse" | "stateless-http";

/** Why a server is taken for one of the legacy era: an earlier run found it, it said so, or it was silent. */
type Belief = "remembered" | "told" | "guessed";

/** JSON-RPC's word for a method that is not there; only a modern server has no initialize. */
const unknownMethod = -32601;

interface NegotiatingOptions extends ServerScope {
  /** What was found in an earlier run; any text. */
  readonly remembered: () => unknown;
  readonly remember: (transport: Transport) => void;
  /** Speaks the modern era with the server. */
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

/** Chooses, for the client that speaks, how its server is spoken to. */
export class NegotiatingUpstream implements Upstream {
  readonly #options: NegotiatingOptions;
  #current: Upstream | undefined;
  /** Settles when an initialize does; what comes behind one that failed is told why. */
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

  /** A client of the legacy era: its server may be of either. */
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
    const { remembered, sse, probe, ids } = this.#options;
    const transport = remembered();
    if (transport === "sse" && sse !== undefined) {
      if (await this.#trySse(sse, start)) return;
    }
    let belief: Belief = "remembered";
    if (transport !== "streamable-http") {
      const discovery = await discover(probe, ids, identityOf(start.message), start.signal);
      if (discovery.mode === "stateless") return this.#translate(start, discovery);
      belief = discovery.isSilent === true ? "guessed" : "told";
    }
    await this.#initialize(start, belief);
  }

  /** Probes once more, a server that was silent before with all the patience there is. */
  #discoverAgain({ message, signal }: Start, belief: Belief): Promise<Discovery> {
    const { stateless, probe, ids } = this.#options;
    return discover(belief === "guessed" ? stateless : probe, ids, identityOf(message), signal);
  }

  async #translate(
    { message, deliver }: Start,
    discovery: Discovery & { mode: "stateless" },
  ): Promise<void> {
    const upstream = this.#options.sessionClient();
    if (discovery.answer.head.isError !== true) this.#options.remember("stateless-http");
    this.#choose(upstream);
    await upstream.start(message, discovery, deliver);
  }

  /** The handshake itself; a server that refuses it as only a modern one does is asked again, and so is one only believed to take it. */
  async #initialize(start: Start, belief: Belief): Promise<void> {
    const { message, deliver, signal, call } = start;
    const upstream = this.#options.streamable();
    let refusal: Message | undefined;
    const take: Deliver = async (said) => {
      const code = errorCodeOf(said);
      if (code !== undefined && maySpeakStateless(code, belief)) {
        refusal = said;
        return;
      }
      if (said.head.kind === "response") {
        if (code === undefined) this.#options.remember("streamable-http");
        this.#choose(upstream);
      }
      await deliver(said);
    };
    // What the client pipelined waits inside the session for the handshake, in its order.
    try {
      await upstream.send(message, take, signal, call);
    } catch (error) {
      const { sse } = this.#options;
      if (!isOtherTransport(error)) throw error;
      const code = codeIn(error);
      if (belief === "remembered" || (code !== undefined && maySpeakStateless(code, belief))) {
        const discovery = await this.#discoverAgain(start, belief);
        if (discovery.mode === "stateless") return this.#translate(start, discovery);
      }
      if (sse !== undefined && (await this.#trySse(sse, start))) return;
      throw error;
    }
    if (refusal === undefined) return;
    const discovery = await this.#discoverAgain(start, belief);
    if (discovery.mode === "stateless") return this.#translate(start, discovery);
    this.#choose(upstream);
    await deliver(refusal);
  }

  /** The 2024-11-05 transport; false where the server does not speak it (MCP 2025-03-26 basic/transports, backwards compatibility). */
  async #trySse(sse: () => Upstream, start: Start): Promise<boolean> {
    const { message, deliver, signal, call } = start;
    const { log, name, remember } = this.#options;
    const upstream = sse();
    const take: Deliver = async (said) => {
      if (said.head.kind === "response") {
        log.debug("server speaks HTTP+SSE of 2024-11-05", { server: name });
        if (said.head.isError !== true) remember("sse");
        this.#choose(upstream);
      }
      await deliver(said);
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

/** Whether a refusal of initialize by `code` may be that of a modern server (MCP 2026-07-28 basic/versioning). */
function maySpeakStateless(code: number, belief: Belief): boolean {
  if (Object.values(statelessErrors).some((stateless) => stateless === code)) return true;
  return belief === "remembered" || (belief === "guessed" && code === unknownMethod);
}

/** Whether a failed start leaves room for another transport: the answer was none of this one's. */
function isOtherTransport(error: unknown): boolean {
  if (!(error instanceof BridgeError)) return false;
  const { status, kind } = error;
  if (status === undefined) return kind === "bad-answer";
  return [400, 404, 405, 406, 410, 415, 501].includes(status);
}

/** The code of the server's own JSON-RPC error that goes with a failure. */
function codeIn(error: unknown): number | undefined {
  const said = error instanceof BridgeError ? error.serverError : undefined;
  return said === undefined ? undefined : JSON.parse(said).code;
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
