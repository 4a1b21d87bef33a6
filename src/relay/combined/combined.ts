// Several servers behind one face: the one MCP server that a run of several servers is.
import type { Log } from "../../platform/log.ts";
import { RequestIds } from "../../upstream/core/request-ids.ts";
import {
  errorCodeOf,
  metaKeys,
  statelessRevision,
} from "../../upstream/core/stateless-protocol.ts";
import type { CallContext, ClientFacts, Deliver, Upstream } from "../../upstream/core/types.ts";
import type { Problems } from "../../upstream/stand-in/problem-tool.ts";
import { sendParts } from "../../upstream/transport/split-batch.ts";
import { textAt } from "../../wire/envelope.ts";
import { asBridgeError, BridgeError, type CommandLine } from "../../wire/errors.ts";
import { errorTo, isSameId, Message, responseTo } from "../../wire/message.ts";
import { program, protocolRevisions } from "../../wire/program-facts.ts";
import type { Edit } from "../../wire/spans.ts";
import { within } from "../timeout.ts";
import { Changes } from "./changes.ts";
import { FromServers } from "./from-servers.ts";
import { type Introduction, joinInstructions, mergeCapabilities } from "./introduction.ts";
import { isMergedList, MergedLists } from "./lists.ts";
import { type CombinedServer, Member } from "./member.ts";
import { mayBelongTo, NameTable } from "./names.ts";
import { inOrder, ResourceRoutes } from "./resources.ts";
import { namedText, ServerRequests } from "./server-requests.ts";
import { listenToAll } from "./subscriptions.ts";

export interface CombinedOptions {
  readonly servers: readonly CombinedServer[];
  readonly client: ClientFacts;
  readonly log: Log;
  readonly commandLine: CommandLine;
  /** Milliseconds since this process started: `performance.now` outside of tests. */
  readonly now: () => number;
  readonly startedAt: number;
  readonly problems: Problems;
}

/** How long the answer to initialize waits for servers without a catalog: their instructions stand in it. */
const introductionMs = 300;
const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];
const done = Promise.resolve();
const encoder = new TextEncoder();
const unknownMethod = -32601;
const invalidParams = -32602;
/** The list in which a request's name stands. */
const listOf = { "tools/call": "tools/list", "prompts/get": "prompts/list" } as const;
const sessionRevisions = protocolRevisions.filter((revision) => revision !== statelessRevision);

export class CombinedUpstream implements Upstream {
  readonly #options: CombinedOptions;
  readonly #members: readonly Member[];
  readonly #ids = new RequestIds();
  readonly #tools: NameTable<Member>;
  readonly #prompts: NameTable<Member>;
  readonly #resources: ResourceRoutes;
  readonly #requests: ServerRequests;
  readonly #changes = new Changes();
  readonly #fromServers: FromServers;
  readonly #lists: MergedLists;
  /** Servers by the shown name (JSON text) of the tool that stands for them. */
  readonly #problems = new Map<string, Member>();
  /** Whether the client sent initialize. */
  #isSession = false;
  readonly #closing = new AbortController();

  constructor(options: CombinedOptions) {
    const { servers, log, client, now, startedAt, commandLine } = options;
    this.#options = options;
    const takeOwn = (member: Member, message: Message) =>
      this.#fromServers.takeOwn(member, message);
    this.#members = servers.map((server) => new Member(server, log, takeOwn));
    const members = this.#members;
    this.#tools = new NameTable(members);
    this.#prompts = new NameTable(members);
    this.#resources = new ResourceRoutes(members);
    this.#requests = new ServerRequests(this.#ids, members.length, now);
    const changes = this.#changes;
    this.#fromServers = new FromServers({
      requests: this.#requests,
      changes,
      log,
      commandLine,
      shownUri: (member, uri) => this.#resources.shown(member, uri),
    });
    this.#lists = new MergedLists({
      ...{ members, client, ids: this.#ids, log, changes, now, startedAt },
      learn: (...learnt) => this.#learn(...learnt),
      shown: (...listed) => this.#shown(...listed),
      problemTool: (member, error) => this.#problemTool(member, error),
      fromServer: takeOwn,
    });
  }

  /** The deadline of a request: that of its server, or the longest where the server is not known. */
  timeoutOf(message: Message): number {
    const table = message.head.method === "tools/call" ? this.#tools : this.#prompts;
    const member = routeOf(table, message)?.route?.member;
    return member?.timeoutMs ?? Math.max(...this.#members.map(({ timeoutMs }) => timeoutMs));
  }

  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    const { kind } = message.head;
    if (kind === "request") return this.#request(message, deliver, signal, call);
    if (kind === "response") return this.#respond(message, signal);
    if (kind === "notification") return this.#notify(message, signal);
    return sendParts(message, (part) => this.send(part, deliver, signal, call));
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    await this.#fromServers.listen(deliver);
    const stop = this.#changes.listen(deliver);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    const one = (member: Member) =>
      member
        .listen((message) => this.#fromServers.takeOwn(member, message), signal)
        .catch((error) => {
          const { name: server } = member;
          const { log } = this.#options;
          if (!signal.aborted)
            log.warn("not listening", { server, error: asBridgeError(error).message });
        });
    await Promise.all(this.#members.map(one));
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing.abort({ by: "closing" });
    this.#lists.close();
    await Promise.allSettled(this.#members.map((member) => member.close(deadlineMs)));
  }

  #request(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const method = message.head.method!;
    const id = message.head.id!;
    switch (method) {
      case "tools/call":
      case "prompts/get":
        return this.#named(message, method, deliver, signal, call);
      case "initialize":
        return this.#initialize(message, deliver);
      case "server/discover":
        return this.#discover(message, deliver);
      case "ping":
        return deliver(responseTo(id, "{}"));
      case "logging/setLevel":
        return this.#setLevel(message, deliver);
      case "completion/complete":
        return this.#complete(message, deliver, signal, call);
      case "resources/read":
      case "resources/subscribe":
      case "resources/unsubscribe":
        return this.#resource(message, deliver, signal, call);
      case "subscriptions/listen":
        return listenToAll(
          message,
          {
            members: this.#members,
            ids: this.#ids,
            changes: this.#changes,
            fromServers: this.#fromServers,
            resources: this.#resources,
          },
          deliver,
          signal,
        );
      default:
        if (isMergedList(method)) return this.#lists.send(message, deliver, signal);
        return this.#other(message, deliver, signal, call);
    }
  }

  /** Sends a request to its server, and what comes back to the client. */
  #sendTo(
    member: Member,
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
    asked?: { own: string; shown: string },
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

  /** A server's answer as the client gets it. */
  #answer(
    member: Member,
    request: Message,
    response: Message,
    asked?: { own: string; shown: string },
  ): Message {
    const { method } = request.head;
    const mayMention =
      method === "tools/call" || method === "prompts/get" || method === "resources/read";
    if (!mayMention || response.head.isError === true) return response;
    const answer = this.#resources.mentioned(member, response, asked);
    return this.#isSession ? answer : withNamedQuestions(member, answer);
  }

  /** A call of a tool or prompt. */
  #named(
    message: Message,
    method: keyof typeof listOf,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const table = method === "tools/call" ? this.#tools : this.#prompts;
    const found = routeOf(table, message);
    if (found?.route === undefined)
      return this.#sendUnlisted(message, method, found?.shown, deliver, signal, call);
    const own = message.replaced(found.span, found.route.raw);
    return this.#sendTo(found.route.member, own, deliver, signal, call);
  }

  /** A call of a name that no server has listed yet, or of a tool that stands for a server. */
  async #sendUnlisted(
    message: Message,
    method: keyof typeof listOf,
    shown: string | undefined,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const absent = shown === undefined ? undefined : this.#problems.get(shown);
    if (absent !== undefined && method === "tools/call")
      return this.#tryAgain(absent, message, deliver, signal);
    const table = method === "tools/call" ? this.#tools : this.#prompts;
    const name: unknown = shown === undefined ? undefined : JSON.parse(shown);
    const members = this.#members.filter(
      (member) => typeof name === "string" && mayBelongTo(member.name, name),
    );
    for (const member of members) {
      await this.#lists.learnAll(member, listOf[method], message, signal);
      const found = routeOf(table, message);
      if (found?.route === undefined) continue;
      const own = message.replaced(found.span, found.route.raw);
      return this.#sendTo(found.route.member, own, deliver, signal, call);
    }
    const what = method === "tools/call" ? "tool" : "prompt";
    const error = {
      code: invalidParams,
      message: `Unknown ${what}: ${String(name).slice(0, 100)}`,
    };
    await deliver(errorTo(message.head.id!, error));
  }

  /** The tool that stands for a server is called: tries to reach the server. */
  async #tryAgain(member: Member, message: Message, deliver: Deliver, signal: AbortSignal) {
    const { problems } = this.#options;
    const id = message.head.id!;
    try {
      await this.#lists.learnAll(member, "tools/list", message, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return deliver(responseTo(id, problems.stillAway(message, asBridgeError(error))));
    }
    this.#changes.note("notifications/tools/list_changed");
    await deliver(responseTo(id, problems.available(message, member.name)));
  }

  async #initialize(message: Message, deliver: Deliver): Promise<void> {
    this.#isSession = true;
    this.#requests.clear();
    this.#changes.clear();
    this.#fromServers.clear();
    this.#lists.renew();
    for (const member of this.#members)
      member.start(message.with([{ path: ["id"], raw: this.#ids.next("initialize") }]));
    const connected = this.#members.map((member) => member.connected());
    await within(introductionMs, Promise.allSettled(connected));
    const known = this.#members.flatMap(({ introduction }) => introduction ?? []);
    const asked = message.value(["params", "protocolVersion"]);
    const revision = sessionRevisions.find((each) => each === asked) ?? sessionRevisions.at(-1)!;
    const result = { protocolVersion: revision, ...this.#introduction(known), serverInfo };
    await deliver(responseTo(message.head.id!, JSON.stringify(result)));
  }

  /** Answers server/discover (MCP 2026-07-28 server/discover). */
  async #discover(message: Message, deliver: Deliver): Promise<void> {
    const known: Introduction[] = [];
    const one = async (member: Member) => {
      const request = message.with([{ path: ["id"], raw: this.#ids.next("discover") }]);
      const take: Deliver = async (incoming) => {
        const result = incoming.head.isError === false ? incoming.value(["result"]) : undefined;
        if (isObject(result)) known.push(introductionOf(member.name, result));
      };
      await member.send(request, take, this.#closing.signal).catch(() => undefined);
    };
    await within(introductionMs, Promise.all(this.#members.map(one)));
    const result = {
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
      supportedVersions: protocolRevisions.toReversed(),
      ...this.#introduction(known),
      serverInfo,
      _meta: { [metaKeys.serverInfo]: serverInfo },
    };
    await deliver(responseTo(message.head.id!, JSON.stringify(result)));
  }

  #introduction(known: readonly Introduction[]) {
    const names = this.#members.map(({ name }) => name);
    const inOrder = known.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
    const instructions = joinInstructions(inOrder);
    const capabilities = mergeCapabilities(inOrder, known.length === names.length);
    return { capabilities, ...(instructions !== undefined && { instructions }) };
  }

  async #setLevel(message: Message, deliver: Deliver): Promise<void> {
    const id = message.head.id!;
    const level = message.value(["params", "level"]);
    if (!logLevels.includes(String(level)))
      return deliver(
        errorTo(id, { code: invalidParams, message: "Invalid params: unknown level" }),
      );
    for (const member of this.#members)
      member.setLogLevel(message.with([{ path: ["id"], raw: this.#ids.next("level") }]));
    await deliver(responseTo(id, "{}"));
  }

  async #complete(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    if (message.view(["params", "ref", "name"]) === undefined)
      return this.#resource(message, deliver, signal, call, ["params", "ref", "uri"]);
    const found = routeOf(this.#prompts, message, ["params", "ref", "name"]);
    if (found?.route === undefined) {
      const name = found && String(JSON.parse(found.shown));
      for (const member of this.#members.filter((each) => name && mayBelongTo(each.name, name)))
        await this.#lists.learnAll(member, "prompts/list", message, signal);
    }
    const again = routeOf(this.#prompts, message, ["params", "ref", "name"]);
    if (again?.route === undefined) {
      const error = { code: invalidParams, message: "Unknown prompt" };
      return deliver(errorTo(message.head.id!, error));
    }
    const { span, route } = again;
    await this.#sendTo(route.member, message.replaced(span, route.raw), deliver, signal, call);
  }

  /** A request about a resource or template. */
  async #resource(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
    path = ["params", "uri"],
  ): Promise<void> {
    const shown = message.value(path);
    if (typeof shown !== "string") {
      const error = {
        code: invalidParams,
        message: `Invalid params: no ${path.slice(1).join(".")}`,
      };
      return deliver(errorTo(message.head.id!, error));
    }
    const route = this.#resources.find(shown);
    if (route === undefined)
      return this.#inTurn(this.#resources.candidates(shown), message, deliver, signal, {
        isFinal: (answer) => answer.head.isError !== true,
        call,
        onAnswer: (member) => this.#noteSubscription(member, message, shown, shown),
      });
    const { member, uri } = route;
    const own = message.replaced(message.view(path)!, encoder.encode(JSON.stringify(uri)));
    const watched: Deliver = (incoming) => {
      if (incoming.head.isError === false) this.#noteSubscription(member, message, uri, shown);
      return deliver(incoming);
    };
    await this.#sendTo(member, own, watched, signal, call, { own: uri, shown });
  }

  #noteSubscription(member: Member, { head }: Message, own: string, shown: string): void {
    if (head.method === "resources/subscribe") member.subscribed.set(own, shown);
    else if (head.method === "resources/unsubscribe") member.subscribed.delete(own);
  }

  /** A request that no rule above knows: the server of its task, else the first server that knows the method. */
  async #other(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const task = message.text(["params", "taskId"]);
    const owner = task === undefined ? undefined : this.#resources.taskOwner(task);
    if (owner !== undefined) return this.#sendTo(owner, message, deliver, signal, call);
    await this.#inTurn(inOrder(this.#members), message, deliver, signal, {
      isFinal: (answer) => errorCodeOf(answer) !== unknownMethod,
      call,
    });
  }

  /** Asks the servers one after another until an answer is final; otherwise the client gets the last answer. */
  async #inTurn(
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
        await this.#sendTo(member, message, take, either, options.call);
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

  /** Sends the client's response to the server that asked. */
  async #respond(message: Message, signal: AbortSignal): Promise<void> {
    const taken = this.#requests.take(message);
    if (taken === undefined) return;
    const { member, answer, done } = taken;
    await member
      .send(answer, (own) => this.#fromServers.takeOwn(member, own), signal)
      .finally(done);
  }

  async #notify(message: Message, signal: AbortSignal): Promise<void> {
    const { method } = message.head;
    const sendTo = (member: Member, own: Message) =>
      member.send(own, (incoming) => this.#fromServers.takeOwn(member, incoming), signal);
    switch (method) {
      // Each server gets one of its own, after its handshake.
      case "notifications/initialized":
        return;
      case "notifications/cancelled": {
        const id = message.text(["params", "requestId"]);
        const member = this.#members.find((each) => id !== undefined && each.hasCall(id));
        if (member !== undefined) await sendTo(member, message);
        return;
      }
      case "notifications/progress": {
        const progress = this.#requests.progress(message);
        if (progress !== undefined) await sendTo(progress.member, progress.own);
        return;
      }
      default: {
        // A server that connects later asks for the roots then.
        const present = this.#members.filter(({ isConnected }) => isConnected);
        await Promise.allSettled(present.map((member) => sendTo(member, message)));
      }
    }
  }

  #learn(member: Member, method: string, raw: string): void {
    if (method === "tools/list") this.#tools.add(member, raw);
    else if (method === "prompts/list") this.#prompts.add(member, raw);
    else if (method === "tasks/list") this.#resources.learnTask(member, raw);
    else this.#resources.learn(member, raw);
  }

  #shown(member: Member, method: string, raw: string): string {
    if (method === "tools/list") return this.#tools.add(member, raw);
    if (method === "prompts/list") return this.#prompts.add(member, raw);
    if (method === "tasks/list") return raw;
    return JSON.stringify(this.#resources.shown(member, JSON.parse(raw)));
  }

  #problemTool(member: Member, error: BridgeError): string {
    const plain = this.#tools.nameOf(member, "problem");
    // The server may have a tool of that name.
    const isTaken = this.#tools.find(JSON.stringify(plain)) !== undefined;
    const name = isTaken ? this.#tools.nameOf(member, "problem_here") : plain;
    this.#problems.set(JSON.stringify(name), member);
    return JSON.stringify(this.#options.problems.tool(name, member.name, error));
  }
}

const serverInfo = { name: program.name, title: "Several MCP servers", version: program.version };

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

function introductionOf(name: string, { capabilities, instructions }: Json): Introduction {
  return {
    name,
    capabilities: isObject(capabilities) ? { ...capabilities } : {},
    instructions: typeof instructions === "string" ? instructions : undefined,
  };
}

/** The name that a request names (JSON text), its place, and its route. */
function routeOf(table: NameTable<Member>, message: Message, path = ["params", "name"]) {
  const span = message.view(path);
  if (span === undefined) return undefined;
  const shown = textAt(message.bytes, span.start, span.end);
  return { span, shown, route: table.find(shown) };
}

async function takeEach(batch: Message, take: Deliver): Promise<void> {
  for (const part of batch.elements()) if (part instanceof Message) await take(part);
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

/** Puts the server's name before what it asks the user of a stateless client (MCP 2026-07-28 basic/patterns/mrtr). */
function withNamedQuestions({ name }: Member, answer: Message): Message {
  if (answer.value(["result", "resultType"]) !== "input_required") return answer;
  const asked = answer.value(["result", "inputRequests"]);
  const edits = Object.keys(isObject(asked) ? asked : {}).flatMap((key): Edit[] => {
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
