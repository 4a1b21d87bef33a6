// Calls of tools and prompts: the name leads to the server.
import type { CallContext, Deliver } from "../../upstream/core/types.ts";
import type { Problems } from "../../upstream/stand-in/problem-tool.ts";
import { textAt } from "../../wire/envelope.ts";
import { asBridgeError, type BridgeError } from "../../wire/errors.ts";
import { errorTo, type Message, responseTo } from "../../wire/message.ts";
import type { Changes } from "./changes.ts";
import type { MergedLists } from "./lists.ts";
import type { Member } from "./member.ts";
import type { MemberCalls } from "./member-calls.ts";
import type { NameRoute, NameTable } from "./names.ts";

interface NamedCallsOptions {
  readonly tools: NameTable<Member>;
  readonly prompts: NameTable<Member>;
  readonly lists: MergedLists;
  readonly calls: MemberCalls;
  readonly changes: Changes;
  readonly problems: Problems;
}

const invalidParams = -32602;
/** The list in which a request's name stands. */
const listOf = { "tools/call": "tools/list", "prompts/get": "prompts/list" } as const;

export class NamedCalls {
  readonly #options: NamedCallsOptions;
  readonly #tools: NameTable<Member>;
  readonly #prompts: NameTable<Member>;
  readonly #calls: MemberCalls;
  /** Servers by the shown name (JSON text) of the tool that stands for them. */
  readonly #problems = new Map<string, Member>();

  constructor(options: NamedCallsOptions) {
    this.#options = options;
    this.#tools = options.tools;
    this.#prompts = options.prompts;
    this.#calls = options.calls;
  }

  /** The server of the tool or prompt that a request names; undefined if no server has listed it. */
  memberOf(message: Message): Member | undefined {
    const table = message.head.method === "tools/call" ? this.#tools : this.#prompts;
    return routeOf(table, message)?.route?.member;
  }

  /** Sends tools/call or prompts/get to the server of its name. */
  send(
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
    return this.#calls.send(found.route.member, own, deliver, signal, call);
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
    const { lists } = this.#options;
    const absent = shown === undefined ? undefined : this.#problems.get(shown);
    if (absent !== undefined && method === "tools/call")
      return this.#tryAgain(absent, message, deliver, signal);
    const table = method === "tools/call" ? this.#tools : this.#prompts;
    const value: unknown = shown === undefined ? undefined : JSON.parse(shown);
    const name = typeof value === "string" ? value : "";
    let route: NameRoute<Member> | undefined;
    for (const member of table.candidates(name)) {
      try {
        await lists.learnAll(member, listOf[method], message, signal);
      } catch (error) {
        const unsent = method === "tools/call" ? table.unlisted(name) : undefined;
        if (unsent !== undefined)
          await unsent.member.noteUnsent(withName(message, unsent.raw), error, signal, call);
        throw error;
      }
      route = table.find(JSON.stringify(name));
      if (route !== undefined) break;
    }
    // The server itself refuses a tool that it does not list, and its rules one that they withhold: both are in its audit.
    route ??= table.unlisted(name);
    if (route !== undefined) {
      return this.#calls.send(route.member, withName(message, route.raw), deliver, signal, call);
    }
    const what = method === "tools/call" ? "tool" : "prompt";
    const error = {
      code: invalidParams,
      message: `Unknown ${what}: ${String(value).slice(0, 100)}`,
    };
    await deliver(errorTo(message.head.id!, error));
  }

  /** Sends completion/complete for an argument of a prompt to the prompt's server. */
  async completePrompt(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    call?: CallContext,
  ): Promise<void> {
    const { lists } = this.#options;
    const found = routeOf(this.#prompts, message, ["params", "ref", "name"]);
    if (found?.route === undefined) {
      const name = String(found && JSON.parse(found.shown));
      for (const member of this.#prompts.candidates(name))
        await lists.learnAll(member, "prompts/list", message, signal);
    }
    const again = routeOf(this.#prompts, message, ["params", "ref", "name"]);
    if (again?.route === undefined) {
      const error = { code: invalidParams, message: "Unknown prompt" };
      return deliver(errorTo(message.head.id!, error));
    }
    const { span, route } = again;
    await this.#calls.send(route.member, message.replaced(span, route.raw), deliver, signal, call);
  }

  /** The tool that stands for a server which could not be listed, as JSON text. */
  problemTool(member: Member, error: BridgeError): string {
    const plain = this.#tools.nameOf(member, "problem");
    // The server may have a tool of that name.
    const isTaken = this.#tools.find(JSON.stringify(plain)) !== undefined;
    const name = isTaken ? this.#tools.nameOf(member, "problem_here") : plain;
    this.#problems.set(JSON.stringify(name), member);
    return JSON.stringify(this.#options.problems.tool(name, member.name, error));
  }

  /** The tool that stands for a server is called: tries to reach the server. */
  async #tryAgain(member: Member, message: Message, deliver: Deliver, signal: AbortSignal) {
    const { lists, changes, problems } = this.#options;
    const id = message.head.id!;
    try {
      await lists.learnAll(member, "tools/list", message, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return deliver(responseTo(id, problems.stillAway(message, asBridgeError(error))));
    }
    changes.note("notifications/tools/list_changed");
    await deliver(responseTo(id, problems.available(message, member.name)));
  }
}

/** A request that names something, with another name (JSON text). */
function withName(message: Message, raw: Uint8Array): Message {
  return message.replaced(message.view(["params", "name"])!, raw);
}

/** The name that a request names (JSON text), its place, and its route. */
function routeOf(table: NameTable<Member>, message: Message, path = ["params", "name"]) {
  const span = message.view(path);
  if (span === undefined) return undefined;
  const shown = textAt(message.bytes, span.start, span.end);
  return { span, shown, route: table.find(shown) };
}
