// Several servers behind one face: the one MCP server that a run of several servers is.
import type { Log } from "../../platform/log.ts";
import { RequestIds } from "../../upstream/core/request-ids.ts";
import { errorCodeOf } from "../../upstream/core/stateless-protocol.ts";
import type { CallContext, ClientFacts, Deliver, Upstream } from "../../upstream/core/types.ts";
import type { Problems } from "../../upstream/stand-in/problem-tool.ts";
import { sendParts } from "../../upstream/transport/split-batch.ts";
import { asBridgeError, type CommandLine } from "../../wire/errors.ts";
import { type Message, responseTo } from "../../wire/message.ts";
import { Changes } from "./changes.ts";
import { FromServers } from "./from-servers.ts";
import { isMergedList } from "./list-pages.ts";
import { MergedLists } from "./lists.ts";
import { type CombinedServer, Member } from "./member.ts";
import { MemberCalls } from "./member-calls.ts";
import { NamedCalls } from "./named-calls.ts";
import { NameTable } from "./names.ts";
import { OwnAnswers } from "./own-answers.ts";
import { ResourceRequests } from "./resource-requests.ts";
import { inOrder, ResourceRoutes } from "./resources.ts";
import { ServerRequests } from "./server-requests.ts";
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

const unknownMethod = -32601;

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
  readonly #calls: MemberCalls;
  readonly #named: NamedCalls;
  readonly #resourceRequests: ResourceRequests;
  readonly #ownAnswers: OwnAnswers;
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
      problemTool: (member, error) => this.#named.problemTool(member, error),
      fromServer: takeOwn,
    });
    this.#calls = new MemberCalls(this.#resources, this.#fromServers);
    this.#named = new NamedCalls({
      ...{ tools: this.#tools, prompts: this.#prompts, lists: this.#lists },
      ...{ calls: this.#calls, changes, problems: options.problems },
    });
    this.#resourceRequests = new ResourceRequests(this.#resources, this.#calls);
    this.#ownAnswers = new OwnAnswers(members, this.#ids);
  }

  /** The deadline of a request: that of its server, or the longest where the server is not known. */
  timeoutOf(message: Message): number {
    const member = this.#named.memberOf(message);
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
        return this.#named.send(message, method, deliver, signal, call);
      case "initialize":
        return this.#initialize(message, deliver);
      case "server/discover":
        return this.#ownAnswers.discover(message, deliver, this.#closing.signal);
      case "ping":
        return deliver(responseTo(id, "{}"));
      case "logging/setLevel":
        return this.#ownAnswers.setLevel(message, deliver);
      case "completion/complete":
        return this.#complete(message, deliver, signal, call);
      case "resources/read":
      case "resources/subscribe":
      case "resources/unsubscribe":
        return this.#resourceRequests.send(message, ["params", "uri"], deliver, signal, call);
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

  /** Forgets the session before, and begins a new one. */
  #initialize(message: Message, deliver: Deliver): Promise<void> {
    this.#calls.isSession = true;
    this.#requests.clear();
    this.#changes.clear();
    this.#fromServers.clear();
    this.#lists.renew();
    return this.#ownAnswers.initialize(message, deliver);
  }

  async #complete(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    if (message.view(["params", "ref", "name"]) === undefined)
      return this.#resourceRequests.send(message, ["params", "ref", "uri"], deliver, signal, call);
    return this.#named.completePrompt(message, deliver, signal, call);
  }

  /** A request that no rule above knows: the server of its task, else the first server that knows the method. */
  async #other(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const task = message.text(["params", "taskId"]);
    const owner = task === undefined ? undefined : this.#resources.taskOwner(task);
    if (owner !== undefined) return this.#calls.send(owner, message, deliver, signal, call);
    await this.#calls.sendInTurn(inOrder(this.#members), message, deliver, signal, {
      isFinal: (answer) => errorCodeOf(answer) !== unknownMethod,
      call,
    });
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
        // A request without an id, such as a call, would reach servers that it is not for.
        if (method?.startsWith("notifications/") !== true) {
          this.#options.log.warn("notification dropped", { method: method?.slice(0, 64) });
          return;
        }
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
}
