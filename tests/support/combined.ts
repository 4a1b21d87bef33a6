import { Redactor } from "../../src/platform/redact.ts";
import { CombinedUpstream } from "../../src/relay/combined/combined.ts";
import type { CombinedServer } from "../../src/relay/combined/member.ts";
import { namedAsk } from "../../src/relay/combined/server-requests.ts";
import { ServerLimits } from "../../src/relay/server-limits.ts";
import type { Ask, ClientFacts, Deliver, Upstream } from "../../src/upstream/core/types.ts";
import { problemsFor } from "../../src/upstream/stand-in/problem-tool.ts";
import { errorTo, type Message, readMessage, responseTo } from "../../src/wire/message.ts";
import { memoryLog, type RelayClient, relayClient } from "./client.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

/** A request that a fake server got. */
export interface Got {
  readonly id: string;
  readonly method: string;
  readonly params: Json;
  readonly signal: AbortSignal;
  /** Sends a message on the stream of this request. */
  readonly say: (message: object) => Promise<void>;
}

/** Answers a request: a result (an object, or JSON text), `{ error }`, or a promise of one; undefined: the server has no such method. */
type Handler = (got: Got) => Json;

/** A server in this process that the test describes by its methods. */
export class FakeServer implements Upstream {
  readonly handlers: Record<string, Handler>;
  /** What the server got, notifications and responses included. */
  readonly seen: Json[] = [];
  readonly #listening = Promise.withResolvers<Deliver>();
  closed = 0;

  constructor(handlers: Record<string, Handler> = {}) {
    this.handlers = {
      initialize: ({ params }) => ({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {}, prompts: {}, resources: {}, logging: {} },
        serverInfo: { name: "fake", version: "1" },
      }),
      "tools/list": () => ({ tools: [{ name: "look", inputSchema: { type: "object" } }] }),
      "prompts/list": () => ({ prompts: [] }),
      "resources/list": () => ({ resources: [] }),
      "resources/templates/list": () => ({ resourceTemplates: [] }),
      "tools/call": ({ params }) => ({ content: [{ type: "text", text: params.name }] }),
      ...handlers,
    };
  }

  /** Sends a message on the listening stream, once the client listens. */
  async say(message: object): Promise<void> {
    await (await this.#listening.promise)(messageOf(message));
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal): Promise<void> {
    const { id, method, kind } = message.head;
    const body = JSON.parse(new TextDecoder().decode(message.bytes));
    this.seen.push(body);
    if (kind !== "request") return;
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    signal.addEventListener("abort", () => aborted.reject(signal.reason));
    if (signal.aborted) throw signal.reason;
    const say = (more: object) => deliver(messageOf(more));
    const got = { id: id!, method: method!, params: body.params ?? {}, signal, say };
    const handler = this.handlers[method!];
    const result = await Promise.race([handler?.(got), aborted.promise]);
    const unknown = { error: { code: -32601, message: "no such method" } };
    const { error } = result === undefined ? unknown : result;
    await deliver(
      error === undefined
        ? responseTo(id!, typeof result === "string" ? result : JSON.stringify(result))
        : errorTo(id!, JSON.stringify(error)),
    );
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#listening.resolve(deliver);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }

  async close(): Promise<void> {
    this.closed++;
  }

  /** The requests of a method that the server got. */
  got(method: string): Json[] {
    return this.seen.filter((each) => each.method === method);
  }
}

function messageOf(message: object): Message {
  const read = readMessage(
    new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...message })),
  );
  if ("flaw" in read) throw new Error(read.reason);
  return read;
}

export interface CombinedClient extends RelayClient {
  readonly combined: CombinedUpstream;
  /** Sends initialize and notifications/initialized; resolves to the result. */
  start(clientName?: string, capabilities?: object): Promise<Json>;
  /** Sends a request; resolves to its answer. What comes before it is in `others`. */
  call(method: string, params?: object): Promise<Json>;
  /** Names of the tools on the first page. */
  tools(): Promise<string[]>;
  /** Messages that were no answer to a call. */
  readonly others: Json[];
  /** The next message that is no answer to a call, among `others` or to come. */
  other(method: string): Promise<Json>;
}

interface Choices extends Partial<Omit<CombinedServer, "name" | "upstream" | "client">> {
  readonly askers?: Record<string, Ask>;
}

/** A client of a combined run of these servers, in this process. */
export function combinedClient(
  servers: Readonly<Record<string, Upstream>>,
  { askers, ...choices }: Choices = {},
  each: Readonly<Record<string, Partial<CombinedServer>>> = {},
): CombinedClient {
  let combined!: CombinedUpstream;
  const client: RelayClient = relayClient(
    (facts: ClientFacts) => {
      combined = new CombinedUpstream({
        servers: Object.entries(servers).map(([name, upstream]) => {
          if (askers !== undefined)
            askers[name] = namedAsk(name, (request, signal) => client.relay.ask(request, signal));
          return {
            ...{ name, timeoutMs: 5000, connectTimeoutMs: 5000, messageBytes: 1024 * 1024 },
            upstream: new ServerLimits(upstream),
            client: { name: "", capabilities: "{}", protocolVersion: "" },
            ...choices,
            ...each[name],
          };
        }),
        client: facts,
        log: memoryLog(),
        commandLine: (words) => words,
        now: () => performance.now(),
        startedAt: performance.now(),
        problems: problemsFor(facts, new Redactor(), (words) => words),
      });
      return combined;
    },
    { timeoutOf: (message) => combined.timeoutOf(message) },
  );
  let ids = 0;
  const others: Json[] = [];
  const call = async (method: string, params: object = {}) => {
    const id = `c-${ids++}`;
    client.send({ id, method, params });
    for (;;) {
      const message = await client.next();
      if (message.id === id && message.method === undefined) return message;
      others.push(message);
    }
  };
  return {
    ...client,
    combined,
    others,
    call,
    async other(method) {
      for (;;) {
        const at = others.findIndex((message) => message.method === method);
        if (at >= 0) return others.splice(at, 1)[0];
        others.push(await client.next());
      }
    },
    async start(clientName = "test", capabilities = {}) {
      const clientInfo = { name: clientName, version: "1" };
      const params = { protocolVersion: "2025-06-18", capabilities, clientInfo };
      const { result } = await call("initialize", params);
      client.send({ method: "notifications/initialized" });
      return result;
    },
    tools: async () =>
      (await call("tools/list")).result.tools.map(({ name }: { name: string }) => name),
  };
}
