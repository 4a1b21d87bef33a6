import type { Log } from "../../platform/log.ts";
import { BridgeError, type CommandLine } from "../../wire/errors.ts";
import { errorTo, Message, notificationOf, responseTo } from "../../wire/message.ts";
import { toolsArrive } from "../core/client-traits.ts";
import { toolProblems } from "../core/tool-problems.ts";
import type { CallContext, ClientFacts, Deliver, Upstream } from "../core/types.ts";
import { problemToolName } from "../stand-in/problem-tool.ts";
import { textResult } from "../stand-in/results.ts";
import { sendParts } from "../transport/split-batch.ts";
import type { ToolJudge, Withheld } from "./judge.ts";
import { factsOf, listedTools, type ToolFacts, toolsPath } from "./listed-tools.ts";
import { ambiguousError, calledTool, isAmbiguous } from "./named-tool.ts";
import * as words from "./problem-tool.ts";

interface ToolPolicyOptions {
  readonly next: Upstream;
  readonly judge: ToolJudge;
  readonly log: Log;
  readonly name: string;
  readonly client: ClientFacts;
  readonly commandLine: CommandLine;
}

/** Leaves tools out of every list, live or cached, and refuses calls of excluded names before they are sent. */
export class ToolPolicy implements Upstream {
  readonly #options: ToolPolicyOptions;
  /** The tools of the list whose pages were read last. */
  #facts = new Map<string, ToolFacts>();
  /** The tools among them that wait for an approval. */
  #waiting = new Map<string, Withheld>();
  /** The name under which the client was offered NAME_problem; undefined if the server has a tool of that name. */
  #problemTool: string | undefined;
  /** Whether NAME_problem stands in the list whose pages were read last. */
  #isOffered = false;
  /** Names of the server's own tools that begin as ours does. */
  readonly #taken = new Set<string>();
  /** Cursors of that list. */
  #cursors = new Set<string>();
  /** The last warning about a list, which is logged once. */
  #warned = "";
  #notify: Deliver | undefined;

  constructor(options: ToolPolicyOptions) {
    this.#options = options;
  }

  async send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    const { next, log } = this.#options;
    const { kind, method } = message.head;
    if (kind === "batch") return this.#sendBatch(message, deliver, signal, call);
    const refusal = this.#refusalOf(message);
    if (refusal === "own") return this.#callProblemTool(message, deliver);
    if (refusal !== undefined) {
      if (kind === "request") throw refusal;
      // Nobody answers a notification.
      log.warn("notification dropped", { error: refusal.message });
      return;
    }
    const isList = kind === "request" && method === "tools/list";
    await next.send(message, isList ? this.#filtered(message, deliver) : deliver, signal, call);
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#notify = deliver;
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  /** Sends the parts of a batch one by one, so that each is judged. */
  async #sendBatch(batch: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext) {
    await sendParts(batch, async (part) => {
      const refusal = this.#refusalOf(part);
      if (!(refusal instanceof BridgeError) || part.head.kind !== "request")
        return this.send(part, deliver, signal, call);
      await deliver(this.#errorTo(part, refusal));
    });
  }

  /** Why a message may not be sent; "own": it calls NAME_problem. */
  #refusalOf(message: Message): BridgeError | "own" | undefined {
    const { name, judge } = this.#options;
    if (!judge.restricts) return undefined;
    const isCall = message.head.method === "tools/call";
    const tool = isCall ? calledTool(message) : undefined;
    if (isAmbiguous(message) || (isCall && tool === undefined))
      return ambiguousError(name, "the server has rules for tools");
    if (tool === undefined) return undefined;
    return tool === this.#problemTool ? "own" : judge.nameRefusal(tool);
  }

  #errorTo(request: Message, error: BridgeError): Message {
    return errorTo(request.head.id!, error.toJsonRpc(this.#options.commandLine));
  }

  /** Delivers the answers to a tools/list without the tools that are withheld. */
  #filtered(request: Message, deliver: Deliver): Deliver {
    const take: Deliver = async (incoming) => {
      const { kind, isError } = incoming.head;
      if (kind === "batch") {
        for (const part of incoming.elements()) if (part instanceof Message) await take(part);
        return;
      }
      const isList = kind === "response" && isError !== true;
      await deliver(isList ? this.#allowed(request, incoming) : incoming);
    };
    return take;
  }

  #allowed(request: Message, response: Message): Message {
    const { judge, name, commandLine } = this.#options;
    const tools = listedTools(response);
    if (tools === undefined && !judge.restricts) return response;
    if (tools === undefined)
      return this.#errorTo(
        request,
        new BridgeError(
          "bad-answer",
          `"${name}" sent no list of tools that can be read in one way`,
          {
            hint: "ask the server's operator",
          },
        ),
      );
    judge.refresh();
    const cursor = request.text(["params", "cursor"]);
    if (cursor === undefined) this.#beginList();
    const facts = factsOf(tools, judge.rules.pin !== false, this.#facts);
    const left = new Map<number, string | null>();
    let firstWaiting: number | undefined;
    for (const [index, { name: tool }] of tools.entries()) {
      const why = judge.verdict(tool, facts.get(tool ?? ""));
      if (why === undefined) continue;
      left.set(index, null);
      if (why !== "new" && why !== "changed") continue;
      firstWaiting ??= index;
      this.#waiting.set(tool!, why);
    }
    for (const [tool, found] of facts) this.#facts.set(tool, found);
    this.#noteTaken(facts.keys());
    if (firstWaiting !== undefined && !this.#isOffered) {
      this.#isOffered = true;
      this.#problemTool = this.#freeName();
      const text = words.problemText(name, this.#waiting, judge.approvals.problem, commandLine);
      left.set(firstWaiting, JSON.stringify(words.problemTool(this.#problemTool, name, text)));
    }
    if (this.#waiting.size > 0)
      this.#warnOnce("tools wait for an approval", words.waitingNames(this.#waiting));
    const allowed = response.withElements(toolsPath, left);
    return judge.rules.repair ? this.#repaired(allowed, cursor) : allowed;
  }

  #beginList(): void {
    this.#facts = new Map();
    this.#waiting = new Map();
    this.#isOffered = false;
    this.#cursors = new Set();
  }

  /** The list without the tools and without the repeated cursor that make a strict client drop the whole list. */
  #repaired(response: Message, cursor: string | undefined): Message {
    const problems = toolProblems(response.value(toolsPath) as unknown[]);
    const fatal = problems.filter(({ effect }) => effect !== "altered");
    if (fatal.length > 0)
      this.#warnOnce(
        "tools left out, for which strict clients drop the list",
        fatal.map(({ tool, problem }) => `"${tool}" ${problem}`).join("; "),
      );
    const left = new Map(fatal.map(({ index }) => [index, null]));
    const repaired = response.withElements(toolsPath, left);
    const next = repaired.text(["result", "nextCursor"]);
    if (cursor !== undefined) this.#cursors.add(cursor);
    if (next === undefined || !this.#cursors.has(next)) return repaired;
    this.#warnOnce("cursor left out", "the server returned the cursor of an earlier page");
    return repaired.with([{ path: ["result", "nextCursor"], raw: null }]);
  }

  #warnOnce(event: string, tools: string): void {
    const { log, name } = this.#options;
    if (this.#warned === `${event} ${tools}`) return;
    this.#warned = `${event} ${tools}`;
    log.warn(event, { server: name, tools });
  }

  #noteTaken(tools: Iterable<string>): void {
    const first = problemToolName(this.#options.name, () => false);
    for (const tool of tools) if (tool.startsWith(first)) this.#taken.add(tool);
    if (this.#taken.has(this.#problemTool ?? "")) this.#problemTool = undefined;
  }

  /** A name that no tool of the server has. */
  #freeName(): string {
    let name = problemToolName(this.#options.name, (tool) => this.#taken.has(tool));
    while (this.#taken.has(name)) name += "_";
    return name;
  }

  /** Looks for new approvals, and tells the client if its list has changed. */
  async #callProblemTool(message: Message, deliver: Deliver): Promise<void> {
    const { judge, name, client, commandLine } = this.#options;
    if (message.head.kind !== "request") return;
    judge.refresh();
    const before = this.#waiting.size;
    for (const [tool, facts] of this.#facts) {
      if (judge.verdict(tool, facts) === undefined) this.#waiting.delete(tool);
    }
    const hasChanged = this.#waiting.size < before;
    const open =
      this.#waiting.size === 0
        ? `Every tool of "${name}" is approved.`
        : words.problemText(name, this.#waiting, judge.approvals.problem, commandLine);
    const text = hasChanged ? `Tools were approved: ${toolsArrive(client)}. ${open}` : open;
    const isError = this.#waiting.size > 0 && !hasChanged;
    const result = textResult(message, text, isError ? "refused" : undefined);
    await deliver(responseTo(message.head.id!, result));
    if (hasChanged) await this.#notify?.(notificationOf("notifications/tools/list_changed"));
  }
}
