// Answers the client in place of a server that nobody is signed in to, and lets the user sign in while a call waits.
import type { RunSignIn } from "../../oauth/sign-in/run-sign-in.ts";
import { abortable } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import { type Message, responseTo } from "../../wire/message.ts";
import { revisionOf } from "../core/stateless-protocol.ts";
import {
  type Ask,
  type CallContext,
  type ClientFacts,
  type Deliver,
  isCodex,
  type Upstream,
} from "../core/types.ts";
import {
  discoverAnswer,
  initializeAnswer,
  listAnswer,
  type StandInFacts,
  textResult,
} from "../stand-in/results.ts";
import { StandIn } from "../stand-in/stand-in.ts";
import type { Call, CallSignIn } from "./call-sign-in.ts";
import * as words from "./messages.ts";
import { SignInTool } from "./tool.ts";

/** How a sign-in begins during `run`. */
export type SignInMode = "elicit" | "browser" | "never";

interface SignInOptions {
  readonly next: Upstream;
  readonly ask: Ask;
  readonly client: ClientFacts;
  readonly name: string;
  /** Host of the server's URL. */
  readonly host: string;
  /** The command that signs in, ready to copy. */
  readonly login: string;
  readonly signIns: RunSignIn;
  readonly mode: SignInMode;
}

/** `initialize` and lists wait this long for the browser's sign-in; Codex gives up on its tools after a second. */
const browserWaitMs = { codex: 800, others: 20_000 };
/** `initialize` and lists wait this long to find out whether the server offers a sign-in. */
const availabilityWaitMs = { codex: 800, others: 3000 };

const isSignInRequired = (error: unknown) =>
  error instanceof BridgeError && error.kind === "sign-in-required";

/** Answers in place of a server until somebody is signed in. */
export class SignInUpstream implements Upstream {
  readonly #options: SignInOptions;
  readonly #standIn: StandIn;
  readonly #tool: SignInTool;
  #calls: Promise<CallSignIn> | undefined;
  /** When the client initialized, by `performance.now()`. */
  #startedAt: number | undefined;
  #notify: Deliver | undefined;

  constructor(options: SignInOptions) {
    this.#options = options;
    const { next, name } = options;
    this.#standIn = new StandIn({ next, name, notify: async (message) => this.#notify?.(message) });
    this.#tool = new SignInTool(options);
    options.signIns.onSignedIn = () => {
      if (this.#tool.list !== undefined) void this.#announce();
    };
  }

  async send(
    message: Message,
    deliver: Deliver,
    signal: AbortSignal,
    context?: CallContext,
  ): Promise<void> {
    const { next } = this.#options;
    const { kind, method } = message.head;
    this.#standIn.note(message);
    if (kind !== "request")
      return this.#standIn.isActive ? undefined : next.send(message, deliver, signal, context);
    const isStateless = revisionOf(message) !== undefined;
    const call = { message, deliver, signal, context, enteredAt: performance.now(), isStateless };
    if (method === "initialize") return this.#start(call);
    const isCall = method === "tools/call";
    if (isCall && this.#tool.isCalledBy(message)) return this.#callSignIn(call);
    if (this.#standIn.isActive && method === "ping")
      return deliver(responseTo(message.head.id!, "{}"));
    // Only a stateless client, which never initializes, gets our question in a result.
    const state =
      isCall && !this.#standIn.hasInitialize
        ? message.value(["params", "requestState"])
        : undefined;
    const prefix = `${words.inputKey}:`;
    if (typeof state === "string" && state.startsWith(prefix))
      return this.#resume(call, state.slice(prefix.length));
    await this.#sendOr(call, (refusal) => this.#withoutSignIn(call, refusal));
  }

  listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#notify = deliver;
    return this.#options.next.listen(deliver, signal);
  }

  close(deadlineMs: number): Promise<void> {
    return this.#options.next.close(deadlineMs);
  }

  async #start(call: Call): Promise<void> {
    this.#startedAt = call.enteredAt;
    const standIn = async () => {
      this.#standIn.isActive = true;
      await call.deliver(initializeAnswer(call.message, this.#facts()));
    };
    await this.#sendOr(call, async (refusal) => {
      await this.#requireSignIn(call);
      if (this.#options.mode === "never") throw refusal;
      if (await this.#signInSoon(call)) await this.#sendOr(call, standIn);
      else await standIn();
    });
  }

  #facts(): StandInFacts {
    return { name: this.#options.name, instructions: words.instructions(this.#options) };
  }

  /**
   * Sends a request to the server, after the handshake if the server has not received that yet; calls `refused` if a
   * sign-in is needed and nothing has been delivered.
   */
  async #sendOr(
    { message, deliver, signal, context }: Call,
    refused: (refusal: unknown) => Promise<void>,
  ): Promise<void> {
    let hasDelivered = false;
    const watched: Deliver = (incoming) => {
      hasDelivered = true;
      if (message.head.method === "tools/list") this.#tool.learn(incoming);
      return deliver(incoming);
    };
    try {
      if (this.#standIn.isActive) await abortable(this.#standIn.connect(), signal);
      await this.#options.next.send(message, watched, signal, context);
    } catch (error) {
      if (!isSignInRequired(error) || hasDelivered) throw error;
      await refused(error);
    }
  }

  /** A request that the server refused because nobody is signed in: lets the user sign in and sends it again, or answers it. */
  async #withoutSignIn(call: Call, refusal: unknown): Promise<void> {
    await this.#requireSignIn(call);
    if (this.#options.mode === "never") throw refusal;
    const { method } = call.message.head;
    if (method === "tools/call") return this.#callSigningIn(call, refusal);
    if (method === "subscriptions/listen")
      return this.#standIn.subscribe(call.message, call.deliver, call.signal);
    if (await this.#signInSoon(call))
      return this.#sendOr(call, (again) => this.#answerInstead(call, again));
    return this.#answerInstead(call, refusal);
  }

  /** Answers discovery and the list of tools in place of the server; any other request fails with `refusal`. */
  async #answerInstead({ message, deliver }: Call, refusal: unknown): Promise<void> {
    switch (message.head.method) {
      case "server/discover":
        return deliver(discoverAnswer(message, this.#facts()));
      case "tools/list":
        return deliver(listAnswer(message, await this.#tool.offer(message)));
      default:
        throw refusal;
    }
  }

  /** Lets the user sign in as often as the call needs, and sends the call again after each sign-in. */
  async #callSigningIn(call: Call, refusal: unknown, answered?: Set<string>): Promise<void> {
    const calls = await this.#callSignIns();
    using round = await calls.begin(call, answered);
    const goOn = async (current: unknown): Promise<void> => {
      const next = await round.next(current);
      if (next === "again") return this.#sendOr(call, goOn);
      await call.deliver(responseTo(call.message.head.id!, next.result));
    };
    await goOn(refusal);
  }

  #callSignIns(): Promise<CallSignIn> {
    const { mode } = this.#options;
    this.#calls ??= import("./call-sign-in.ts").then(
      ({ CallSignIn }) =>
        new CallSignIn({ ...this.#options, mode: mode === "browser" ? mode : "elicit" }),
    );
    return this.#calls;
  }

  /** The call again, with the user's answer to our question; the server sees neither. */
  async #resume(call: Call, id: string): Promise<void> {
    const calls = await this.#callSignIns();
    const resumed = await calls.resume(call, id);
    if ("result" in resumed) return call.deliver(responseTo(call.message.head.id!, resumed.result));
    const plain = { ...call, message: resumed.plain };
    // Whatever the outcome of the sign-in, the stored grant decides.
    await this.#sendOr(plain, (refusal) => this.#callSigningIn(plain, refusal, resumed.answered));
  }

  /**
   * With `--sign-in browser`, every refused request begins the sign-in; resolves to whether the user has signed in
   * within the time that this request may wait. The sign-in itself goes on.
   */
  async #signInSoon(call: Call): Promise<boolean> {
    if (this.#options.mode !== "browser") return false;
    const calls = await this.#callSignIns();
    return calls.isDone(call, this.#soon(call, browserWaitMs));
  }

  /** Aborts when `initialize` or a list has to be answered, since a client's start waits for them; never for other requests. */
  #soon({ message, enteredAt }: Call, waitMs: { codex: number; others: number }): AbortSignal {
    const { client } = this.#options;
    const isOfStart = /^(?:initialize|server\/discover|(?:\w+\/)+list)$/;
    if (!isOfStart.test(message.head.method!)) return new AbortController().signal;
    // Codex has one time limit for its whole start.
    const beganAt = isCodex(client) ? (this.#startedAt ?? enteredAt) : enteredAt;
    const untilMs = beganAt + (isCodex(client) ? waitMs.codex : waitMs.others);
    return AbortSignal.timeout(Math.max(0, Math.ceil(untilMs - performance.now())));
  }

  /** Throws if the server offers no sign-in. */
  async #requireSignIn(call: Call): Promise<void> {
    const signal = AbortSignal.any([call.signal, this.#soon(call, availabilityWaitMs)]);
    const unavailable = await this.#options.signIns.noSignIn(signal);
    if (unavailable !== undefined) throw unavailable;
  }

  /** Runs the tool `sign_in`: begins the sign-in and returns at once with the page that the model shows. */
  async #callSignIn(call: Call): Promise<void> {
    const { message, deliver, signal } = call;
    const { signIns, login } = this.#options;
    const answer = (text: string, error?: "sign-in-required") =>
      deliver(responseTo(message.head.id!, textResult(message, text, error)));
    if (await this.#isSignedIn(signal)) {
      await answer(words.signedInText(this.#options));
      return this.#announce();
    }
    await this.#requireSignIn(call);
    const { isPending } = await import("../../oauth/sign-in/interactive-sign-in.ts");
    const calls = await this.#callSignIns();
    const failure = signIns.lastFailure;
    using round = await calls.begin(call);
    const begun = await signIns.during(round.signal, round.answered, async (begun) => {
      if (isPending(begun)) signIns.keep();
      return begun;
    });
    if (begun === "signed-in") return answer(words.signedInText(this.#options));
    if (isPending(begun)) return answer(words.pageText(this.#options, begun, failure));
    return answer(words.noSignInText(login, begun), "sign-in-required");
  }

  /** Whether the server accepts now the request that it refused when the tool was offered. */
  async #isSignedIn(signal: AbortSignal): Promise<boolean> {
    const { list } = this.#tool;
    const again =
      this.#standIn.isActive || list === undefined
        ? this.#standIn.connect()
        : this.#options.next.send(list, async () => {}, signal);
    return abortable(again, signal).then(
      () => true,
      () => false,
    );
  }

  /** Tells the client that the list of tools has changed. */
  async #announce(): Promise<void> {
    try {
      await this.#standIn.connect();
      await this.#standIn.announce();
    } catch {
      // The next call reports the failure.
    }
  }
}
