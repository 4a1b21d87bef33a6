// What a client gets from a server that nobody is signed in to, and the sign-in while its call waits.
import type { PausableTimeout } from "../../oauth/sign-in/pausable-timeout.ts";
import type { RunSignIn } from "../../oauth/sign-in/run-sign-in.ts";
import { abortable } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import { type Message, notificationOf, responseTo } from "../../wire/message.ts";
import { protocolRevisions } from "../../wire/program.ts";
import { metaKeys, revisionOf, statelessRevision } from "../core/stateless-protocol.ts";
import type { Ask, CallContext, ClientFacts, Deliver, Upstream } from "../core/types.ts";
import type { SignInQuestion } from "./elicitation.ts";
import * as words from "./messages.ts";
import { SignInTool } from "./tool.ts";

/** How a sign-in may come about during `run`. */
export type SignInMode = "elicit" | "browser" | "never";

interface SignInOptions {
  readonly next: Upstream;
  readonly ask: Ask;
  readonly client: ClientFacts;
  readonly name: string;
  /** Of the server's URL. */
  readonly host: string;
  /** The command that signs in, ready to copy. */
  readonly login: string;
  readonly signIns: RunSignIn;
  readonly mode: SignInMode;
}

/** A request of the client on its way. */
interface Call {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  readonly context: CallContext | undefined;
  /** When it came, by `performance.now()`. */
  readonly enteredAt: number;
}

/** Marks our own question and its answer in a modern client's call. */
const inputKey = "bridge-sign-in";

const isSignInRequired = (error: unknown) =>
  error instanceof BridgeError && error.kind === "sign-in-required";

/** Stands in for a server until somebody is signed in; no text of a server passes here. */
export class SignInUpstream implements Upstream {
  readonly #options: SignInOptions;
  #initialize: Message | undefined;
  #initialized: Message | undefined;
  /** Whether the client was answered in the server's place and the server knows nothing of it. */
  #isStandIn = false;
  readonly #tool: SignInTool;
  #question: SignInQuestion | undefined;
  #connecting: Promise<void> | undefined;
  #notify: Deliver | undefined;

  constructor(options: SignInOptions) {
    this.#options = options;
    this.#tool = new SignInTool(options);
  }

  async send(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    context?: CallContext,
  ): Promise<void> {
    const { next } = this.#options;
    const { kind, method } = message.head;
    if (kind === "notification" && method === "notifications/initialized")
      this.#initialized = message;
    if (kind !== "request")
      return this.#isStandIn ? undefined : next.send(message, deliver, signal, context);
    if (method === "initialize") return this.#start(message, deliver, signal, context);
    const call = { message, deliver, signal, context, enteredAt: performance.now() };
    const isCall = method === "tools/call";
    if (isCall && this.#tool.isCalledBy(message)) return this.#callSignIn(call);
    if (this.#isStandIn && method === "ping") return deliver(responseTo(message.head.id!, "{}"));
    // Only a client of the modern era, which never initializes, gets our question in a result.
    const isStateless = isCall && this.#initialize === undefined;
    const state = isStateless ? message.value(["params", "requestState"]) : undefined;
    if (typeof state === "string" && state.startsWith(`${inputKey}:`))
      return this.#resume(call, state.slice(inputKey.length + 1));
    let hasDelivered = false;
    const watched: Deliver = (said) => {
      hasDelivered = true;
      if (method === "tools/list") this.#tool.learn(said);
      return deliver(said);
    };
    try {
      await this.#forward({ ...call, deliver: watched });
    } catch (error) {
      if (!isSignInRequired(error) || hasDelivered) throw error;
      await this.#withoutSignIn(call, error);
    }
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#notify = deliver;
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  async #start(message: Message, deliver: Deliver, signal: AbortSignal, context?: CallContext) {
    this.#initialize = message;
    try {
      await this.#options.next.send(message, deliver, signal, context);
      this.#isStandIn = false;
    } catch (error) {
      if (!isSignInRequired(error)) throw error;
      this.#isStandIn = true;
      const asked = message.value(["params", "protocolVersion"]);
      const sessionAnswer = protocolRevisions.filter((revision) => revision !== statelessRevision);
      const version = sessionAnswer.find((revision) => revision === asked) ?? sessionAnswer.at(-1)!;
      await deliver(
        responseTo(
          message.head.id!,
          words.initializeResult(this.#options.name, version, this.#options.login),
        ),
      );
    }
  }

  #forward({ message, deliver, signal, context }: Call): Promise<void> {
    const { next } = this.#options;
    if (!this.#isStandIn) return next.send(message, deliver, signal, context);
    const connected = abortable(this.#connect(), signal);
    return connected.then(() => next.send(message, deliver, signal, context));
  }

  /** Does the client's initialize over again with the server itself; one at a time. */
  #connect(): Promise<void> {
    this.#connecting ??= this.#introduce().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #introduce(): Promise<void> {
    const { next, name } = this.#options;
    if (!this.#isStandIn || this.#initialize === undefined) return;
    const signal = AbortSignal.timeout(60_000);
    let answer: Message | undefined;
    const take: Deliver = async (said) => {
      if (said.head.kind === "response") answer = said;
    };
    await next.send(this.#initialize, take, signal);
    if (answer === undefined || answer.head.isError === true) {
      throw new BridgeError("bad-answer", `server "${name}" refuses to initialize`);
    }
    this.#isStandIn = false;
    if (this.#initialized !== undefined) await next.send(this.#initialized, take, signal);
  }

  /** Answers a request that the server refused for want of a sign-in, or lets the user sign in and sends it again. */
  async #withoutSignIn(call: Call, error: unknown): Promise<void> {
    const { message, deliver } = call;
    const { name, mode } = this.#options;
    const id = message.head.id!;
    const isStateless = revisionOf(message) !== undefined;
    const stateless = isStateless
      ? { resultType: "complete", ttlMs: 0, cacheScope: "private" }
      : {};
    switch (message.head.method) {
      case "server/discover": {
        const serverInfo = { name, version: "unknown" };
        const result = {
          ...stateless,
          supportedVersions: [statelessRevision],
          capabilities: { tools: { listChanged: true } },
          serverInfo,
          _meta: { [metaKeys.serverInfo]: serverInfo },
        };
        return deliver(responseTo(id, JSON.stringify(result)));
      }
      case "tools/list": {
        if (mode === "never") throw error;
        const result = { ...stateless, tools: [await this.#tool.offer(message)] };
        return deliver(responseTo(id, JSON.stringify(result)));
      }
      case "tools/call":
        if (isStateless && mode === "elicit") return this.#askStateless(call, error);
        await this.#signIn(call, error);
        return this.#forward(call);
      default:
        throw error;
    }
  }

  /** Lets the user sign in while the call waits; rejects with `error` where nobody does in its time. */
  async #signIn(call: Call, error: unknown): Promise<void> {
    const { mode, client, signIns } = this.#options;
    if (mode === "never") throw error;
    if (mode === "elicit" && !showsUrls(client.capabilities)) throw error;
    const { SignInQuestion } = await import("./elicitation.ts");
    this.#question ??= new SignInQuestion(this.#options);
    const question = this.#question;
    using signInTimeout = await this.#signInTimeout(call, error);
    const signal = AbortSignal.any([call.signal, signInTimeout.signal]);
    const isDone = await signIns.during(signal, async (begun) => {
      if (typeof begun === "string") return begun === "signed-in";
      if (mode === "browser") return abortable(begun.done, signal);
      return question.settle(begun, call.deliver, signal, signInTimeout, call.context);
    });
    if (!isDone) throw error;
  }

  /** How long the call may wait for its user; `error` is then what it ends with. */
  async #signInTimeout({ enteredAt }: Call, error: unknown): Promise<PausableTimeout> {
    const { PausableTimeout } = await import("../../oauth/sign-in/pausable-timeout.ts");
    const { server } = await this.#options.signIns.context();
    return new PausableTimeout(server.timeoutMs, enteredAt, error);
  }

  /** A modern client asks its user itself and sends the call again (MCP 2026-07-28 basic/patterns/mrtr). */
  async #askStateless(call: Call, error: unknown): Promise<void> {
    const { message, deliver, signal } = call;
    const { name, signIns } = this.#options;
    const capabilities = message.text(["params", "_meta", metaKeys.capabilities]) ?? "{}";
    if (!showsUrls(capabilities)) throw error;
    using signInTimeout = await this.#signInTimeout(call, error);
    const begun = await signIns.begin(AbortSignal.any([signal, signInTimeout.signal]));
    if (begun === "impossible") throw error;
    if (begun === "signed-in") return this.#forward(call);
    const params = { mode: "url", message: words.promptText(name, begun), url: begun.url.href };
    const result = {
      resultType: "input_required",
      inputRequests: { [inputKey]: { method: "elicitation/create", params } },
      requestState: `${inputKey}:${begun.id}`,
    };
    await deliver(responseTo(message.head.id!, JSON.stringify(result)));
  }

  /** The call again, with what the user said to our question; the server sees neither. */
  async #resume(call: Call, id: string): Promise<void> {
    const { message, signal } = call;
    const { signIns, name, login } = this.#options;
    const error = words.signInRequired(name, login);
    const action = message.value(["params", "inputResponses", inputKey, "action"]);
    if (action !== "accept") {
      await signIns.decline();
      throw error;
    }
    const plain = message.with([
      { path: ["params", "inputResponses"], raw: null },
      { path: ["params", "requestState"], raw: null },
    ]);
    using signInTimeout = await this.#signInTimeout(call, error);
    await signIns.resume(id, AbortSignal.any([signal, signInTimeout.signal]));
    try {
      // However that sign-in ended: what is stored now counts.
      await this.#forward({ ...call, message: plain });
    } catch (failure) {
      throw isSignInRequired(failure) ? error : failure;
    }
  }

  /** The tool `sign_in`: begins the sign-in and returns at once with what the model is to show. */
  async #callSignIn(call: Call): Promise<void> {
    const { message, deliver, signal } = call;
    const { name, signIns, login } = this.#options;
    const answer = (text: string, isError = false) =>
      deliver(responseTo(message.head.id!, words.signInResult(text, isError)));
    if (await this.#isSignedIn(signal)) return answer(words.signedInText(name));
    using signInTimeout = await this.#signInTimeout(call, words.signInRequired(name, login));
    const begun = await signIns.begin(AbortSignal.any([signal, signInTimeout.signal]));
    if (begun === "signed-in") return answer(words.signedInText(name));
    if (begun === "impossible") {
      return answer(`No sign-in can be started here: ask the user to run ${login}.`, true);
    }
    void begun.done.then((isDone) => (isDone ? this.#announce() : undefined));
    await answer(words.pageText(name, begun));
  }

  /** Whether the server takes now what it refused when the tool was offered. */
  async #isSignedIn(signal: AbortSignal): Promise<boolean> {
    const { list } = this.#tool;
    const again =
      this.#isStandIn || list === undefined
        ? this.#connect()
        : this.#options.next.send(list, async () => {}, signal);
    return abortable(again, signal).then(
      () => true,
      () => false,
    );
  }

  /** Tells clients that listen to it that there are other tools now. */
  async #announce(): Promise<void> {
    try {
      await this.#connect();
      await this.#notify?.(notificationOf("notifications/tools/list_changed"));
    } catch {
      // The next call tells what is wrong.
    }
  }
}

/** Whether a client's capabilities say that it shows URLs (MCP 2025-11-25 client/elicitation). */
function showsUrls(capabilities: string): boolean {
  const parsed = JSON.parse(capabilities) as { elicitation?: { url?: unknown } };
  return parsed.elicitation?.url !== undefined;
}
