// Sends the client's requests to one server, or to one server after another, and passes the answers on to the client.
import type { CallContext, Deliver } from "../../upstream/core/types.ts";
import { BridgeError } from "../../wire/errors.ts";
import { isSameId, Message } from "../../wire/message.ts";
import type { Edit } from "../../wire/spans.ts";
import type { FromServers } from "./from-servers.ts";
import type { Member } from "./member.ts";
import type { ResourceRoutes } from "./resources.ts";
import { namedText } from "./server-requests.ts";

/** A resource's URI, as its server knows it and as the client asked for it. */
interface AskedUri {
  readonly own: string;
  readonly shown: string;
}

const done = Promise.resolve();

export class MemberCalls {
  /** Whether the client sent initialize. A stateless client is asked in results, and these name the server. */
  isSession = false;
  readonly #resources: ResourceRoutes;
  readonly #fromServers: FromServers;

  constructor(resources: ResourceRoutes, fromServers: FromServers) {
    this.#resources = resources;
    this.#fromServers = fromServers;
  }

  /** Sends a request to its server, and what comes back to the client. */
  send(
    member: Member,
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
    asked?: AskedUri,
  ): Promise<void> {
    if (message.bytes.length > member.messageBytes)
      return Promise.reject(tooLargeError(member, message));
    const take: Deliver = (incoming) => {
      const { kind, id } = incoming.head;
      if (kind === "batch") return takeEach(incoming, take);
      if (kind !== "response") return this.#fromServers.take(member, incoming, deliver);
      // In a batch of the client, the ids of other servers' calls are open, too.
      if (!isSameId(message.head.id!, id!)) return done;
      return deliver(this.#answer(member, message, incoming, asked));
    };
    return member.call(message, take, signal, call && new MemberCall(member, message, call));
  }

  /** Asks the servers one after another until an answer is final; otherwise the client gets the last answer. */
  async sendInTurn(
    members: readonly Member[],
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    options: {
      readonly isFinal: (answer: Message) => boolean;
      readonly call: CallContext | undefined;
      readonly onAnswer?: (member: Member) => void;
    },
  ): Promise<void> {
    let answer: Message | undefined;
    let failure: unknown;
    for (const member of members) {
      let own: Message | undefined;
      const take: Deliver = async (incoming) => {
        if (incoming.head.kind !== "response") await deliver(incoming);
        else own = incoming;
      };
      // A server that hangs must not keep the request from the others.
      const soon = new AbortController();
      const timer = setTimeout(() => soon.abort({ by: "deadline" }), member.connectTimeoutMs);
      try {
        const either = AbortSignal.any([signal, soon.signal]);
        await this.send(member, message, take, either, options.call);
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
      } finally {
        clearTimeout(timer);
      }
      answer = own ?? answer;
      if (own === undefined || !options.isFinal(own)) continue;
      options.onAnswer?.(member);
      return deliver(own);
    }
    if (answer === undefined) throw failure;
    await deliver(answer);
  }

  /** A server's answer as the client gets it. */
  #answer(member: Member, request: Message, response: Message, asked?: AskedUri): Message {
    const { method } = request.head;
    const mayMention =
      method === "tools/call" || method === "prompts/get" || method === "resources/read";
    if (!mayMention || response.head.isError === true) return response;
    const answer = this.#resources.mentioned(member, response, asked);
    return this.isSession ? answer : withNamedQuestions(member, answer);
  }
}

/** A call of the client as one server gets it. */
class MemberCall implements CallContext {
  readonly server: string;
  readonly id: string;
  readonly method: string;
  readonly #call: CallContext;

  constructor({ name }: Member, { head }: Message, call: CallContext) {
    this.server = name;
    this.id = head.id!;
    this.method = head.method!;
    this.#call = call;
  }

  get startedAt(): number {
    return this.#call.startedAt;
  }

  pause(): () => void {
    return this.#call.pause();
  }
}

async function takeEach(batch: Message, take: Deliver): Promise<void> {
  for (const part of batch.elements()) if (part instanceof Message) await take(part);
}

/** Puts the server's name before what it asks the user of a stateless client (MCP 2026-07-28 basic/patterns/mrtr). */
function withNamedQuestions({ name }: Member, answer: Message): Message {
  if (answer.value(["result", "resultType"]) !== "input_required") return answer;
  const asked = answer.value(["result", "inputRequests"]);
  const isObject = typeof asked === "object" && asked !== null;
  const edits = Object.keys(isObject ? asked : {}).flatMap((key): Edit[] => {
    const path = ["result", "inputRequests", key, "params", "message"];
    const text = answer.value(path);
    const method = answer.value(["result", "inputRequests", key, "method"]);
    if (method !== "elicitation/create" || typeof text !== "string") return [];
    return [{ path, raw: namedText(name, text) }];
  });
  return answer.with(edits);
}

function tooLargeError({ name, messageBytes }: Member, { bytes }: Message): BridgeError {
  return new BridgeError(
    "too-large",
    `the message has ${bytes.length} bytes, the limit of server "${name}" is ${messageBytes}`,
    { hint: 'raise "limits.messageMB" of this server' },
  );
}
