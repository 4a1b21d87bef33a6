import { abortable } from "../../platform/async.ts";
import { hasDesktop } from "../../platform/browser.ts";
import { withLock } from "../../platform/lock.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import type { OAuth } from "../authorizer/open.ts";
import { usable } from "../authorizer/refresh.ts";
import type { StoredGrant } from "../core/grant.ts";
import { offersDevice } from "./device.ts";
import { PageOpener } from "./page-opener.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { type SignInMethodOptions, signIn, signInElsewhere } from "./sign-in.ts";
import { afterLogin, inRunTurn, isLoginWanted } from "./sign-in-locks.ts";

/** Outcome of a sign-in: "signed-in", in this process or another, or why it failed. */
export type SignInResult = "signed-in" | BridgeError;

/** A sign-in that waits for the user. The only texts of a server in it are a checked URL, a checked code and hosts. */
export interface PendingSignIn {
  readonly id: string;
  readonly url: URL;
  /** The code to enter on the page; undefined if the page needs none. */
  readonly code: string | undefined;
  /** Hosts of the MCP server and of the page. */
  readonly hosts: { readonly server: string; readonly page: string };
  /** Hosts of the previous and the new authorization server, if the server names a new one. */
  readonly movedIssuer?: { readonly from: string; readonly to: string };
  /** Issuer and scope. A server that demands a sign-in with an equal need again was not satisfied by the first sign-in. */
  readonly need: string;
  /** Aborted when the page can no longer be used. */
  readonly gone: AbortSignal;
  /** How the sign-in ended, or the page that took the place of this one. Never rejects. */
  readonly done: Promise<Begun>;
}

/** State of a sign-in when a call joins it: it waits for the user, or has ended. */
export type Begun = SignInResult | PendingSignIn;

export interface InteractiveOptions {
  /** Whether the page is opened in the browser (`--sign-in browser`); the sign-in then continues even if no call waits. */
  readonly opensBrowser: boolean;
  /** How long the page may wait for the user; default 600,000. */
  readonly waitMs?: number | undefined;
  /** The needs (PendingSignIn.need) for which the waiting call has already seen a sign-in. */
  readonly answered: ReadonlySet<string>;
}

/** The listener of a sign-in during `run` closes after this time, unless the options say otherwise. */
const signInWaitMs = 600_000;
/** After a decline, no sign-in is offered for this time. */
const declineMs = 300_000;
const prepareMs = 30_000;
/** A call waits this long for another prompt to end; then its error names the command that signs in. */
const promptWaitMs = 60_000;
/** Polling interval for a sign-in in another process. */
const pollMs = 300;
/** Lock name: one prompt at a time per home folder, across calls and processes. No server can have this name. */
const promptLock = ".prompt";

const failed = (why: string) => new BridgeError("sign-in-required", why);

/** A signal that aborts with `reason`; its timer does not keep the process alive. */
function limit(ms: number, reason: BridgeError): AbortSignal {
  const clock = new AbortController();
  setTimeout(() => clock.abort(reason), ms).unref();
  return clock.signal;
}

/** One sign-in during `run`, for all calls that wait for it. */
export class InteractiveSignIn {
  readonly #oauth: OAuth;
  readonly #options: InteractiveOptions;
  #begun = Promise.withResolvers<Begun>();
  readonly #done = Promise.withResolvers<SignInResult>();
  readonly #stop = new AbortController();
  /** The page that is shown; undefined before. */
  #page: { readonly done: (next: Begun) => void; readonly gone: AbortController } | undefined;
  /** Resolves once no call waits. */
  readonly #noCallWaits = Promise.withResolvers<void>();
  #waiting = 0;
  #isKept = false;
  #isSettled = false;
  #id: string | undefined;

  constructor(oauth: OAuth, options: InteractiveOptions) {
    this.#oauth = oauth;
    this.#options = options;
    this.#isKept = options.opensBrowser;
    this.#begun.promise.catch(() => {});
    void this.#run().then(
      (result) => this.#settle(result),
      (error) => {
        this.#begun.reject(error);
        this.#settle(asBridgeError(error));
      },
    );
  }

  /** Id of the sign-in whose page is shown; undefined before. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Whether the sign-in has ended or been stopped, so that no call can join it. */
  get isOver(): boolean {
    return this.#isSettled || this.#stop.signal.aborted;
  }

  /** Never rejects. */
  get done(): Promise<SignInResult> {
    return this.#done.promise;
  }

  /** Runs `work` for a waiting call. When the last waiting call leaves, the sign-in ends, unless keep() was called. */
  async join<T>(signal: AbortSignal, work: (begun: Begun) => Promise<T>): Promise<T> {
    this.#waiting++;
    try {
      return await work(await abortable(this.#begun.promise, signal));
    } finally {
      if (--this.#waiting === 0) {
        this.#noCallWaits.resolve();
        if (!this.#isKept) this.end(failed("no call waits for the sign-in any more"));
      }
    }
  }

  /** Keeps the sign-in open for its ten minutes even if no call waits: the user has its page and will call again. */
  keep(): void {
    this.#isKept = true;
  }

  /** Waits until the sign-in has ended. */
  async ended(signal: AbortSignal): Promise<void> {
    await this.join(signal, async () => {
      await abortable(this.#done.promise, signal);
    });
  }

  end(reason: BridgeError): void {
    this.#stop.abort(reason);
  }

  #settle(result: SignInResult): void {
    this.#isSettled = true;
    this.#begun.resolve(result);
    this.#done.resolve(result);
    this.#leavePage(result);
  }

  /** Tells the calls that wait at the page that it can no longer be used, and what follows it. */
  #leavePage(next: Begun): void {
    this.#page?.done(next);
    this.#page?.gone.abort();
  }

  /** Throws `configuration` where the store cannot be read. */
  async #run(): Promise<SignInResult> {
    const { store, context } = this.#oauth;
    const { name } = context.server;
    const before = await store.read();
    if (this.#isDeclined(before)) return declinedRecently();
    const stop = this.#stop.signal;
    const waited = failed(`another sign-in was under way for ${promptWaitMs / 1000} s`);
    const inQueue = AbortSignal.any([stop, limit(promptWaitMs, waited)]);
    try {
      const result = await inRunTurn(context.server, () => this.#inTurn(before, inQueue), inQueue);
      if (result !== undefined) return result;
      // A sign-in in another process took precedence: its result counts.
      const late = failed("the sign-in that was begun elsewhere did not end");
      const waiting = AbortSignal.any([stop, limit(signInWaitMs, late)]);
      const look = async () => isNew(await store.read(), before);
      const isDone = await afterLogin(context.server, look, waiting);
      return isDone ? "signed-in" : failed("the sign-in that was begun elsewhere did not succeed");
    } catch (error) {
      const cause = asBridgeError(stop.aborted ? stop.reason : error);
      if (!stop.aborted) context.log.warn("sign-in failed", { server: name, error: cause.message });
      return cause;
    }
  }

  /** Signs in as soon as no other prompt is open; undefined if a sign-in in another process took precedence. */
  async #inTurn(before: StoredGrant, inQueue: AbortSignal): Promise<SignInResult | undefined> {
    const { store, context } = this.#oauth;
    const over = new AbortController();
    const elsewhere = new AbortController();
    this.#watch(before, over.signal).then(
      () => elsewhere.abort(signInElsewhere),
      () => {},
    );
    let running: Promise<SignInResult> = Promise.resolve(declinedRecently());
    const prompt = async () => {
      const stored = await store.read();
      if (isNew(stored, before)) running = Promise.resolve("signed-in");
      else if (!this.#isDeclined(stored)) running = this.#signIn(elsewhere.signal);
      await Promise.race([running, this.#noCallWaits.promise]);
    };
    try {
      const waiting = AbortSignal.any([inQueue, elsewhere.signal]);
      await withLock(context.server.home, promptLock, prompt, waiting);
      return await running;
    } catch (error) {
      if (elsewhere.signal.aborted) return undefined;
      throw error;
    } finally {
      over.abort();
    }
  }

  /** Prepares the sign-in, shows its page and waits for the user. */
  async #signIn(elsewhere: AbortSignal): Promise<"signed-in"> {
    const { context, authorizer } = this.#oauth;
    const signal = AbortSignal.any([this.#stop.signal, elsewhere]);
    const late = new BridgeError(
      "timeout",
      `no place to sign in at was found within ${prepareMs / 1000} s`,
    );
    const prepared = await prepare(this.#oauth, {
      challenge: authorizer.challenge,
      signal: AbortSignal.any([signal, limit(prepareMs, late)]),
    });
    if (this.#options.answered.has(needOf(prepared)))
      throw failed("the server is not satisfied by the sign-in that it asked for");
    if (prepared.issuerChange !== undefined)
      context.log.warn("another authorization server", {
        server: context.server.name,
        ...prepared.issuerChange,
      });
    const { waitMs = signInWaitMs } = this.#options;
    const limitText = waitMs < 60_000 ? `${waitMs / 1000} s` : `${waitMs / 60_000} minutes`;
    const timer = setTimeout(
      () => this.end(failed(`nobody signed in within ${limitText}`)),
      waitMs,
    );
    await using opener = new PageOpener({
      env: context.env,
      onExposed: (error) => this.end(error),
    });
    try {
      await signIn(prepared, this.#methods(prepared, opener), signal);
      context.log.info("signed in", { server: context.server.name });
      return "signed-in";
    } finally {
      clearTimeout(timer);
      this.#page?.gone.abort();
    }
  }

  #methods(prepared: Prepared, opener: PageOpener): SignInMethodOptions {
    const { context } = this.#oauth;
    const hasLocalBrowser = hasDesktop(context.env);
    return {
      device: offersDevice(prepared) && !hasLocalBrowser ? "first" : "never",
      showUrl: async (url) => {
        await this.#open(url, undefined, opener);
        this.#show(url, undefined, prepared);
        return true;
      },
      showDevice: async ({ url, completeUrl, userCode }) => {
        if (!/^[A-Z0-9-]{4,16}$/.test(userCode)) throw failed("the code is of an unusual form");
        const page = completeUrl ?? url;
        await this.#open(page, userCode, opener);
        this.#show(page, userCode, prepared);
      },
      onFailure: ({ message }) =>
        context.log.warn("sign-in method failed", { server: context.server.name, error: message }),
    };
  }

  /** With `--sign-in browser`, opens the page; logs its URL to stderr if no browser on this machine can show it. */
  async #open(url: URL, code: string | undefined, opener: PageOpener): Promise<void> {
    if (!this.#options.opensBrowser) return;
    const { env, log, redactor, server } = this.#oauth.context;
    if ((await opener.open(url)) && hasDesktop(env)) return;
    redactor.exempt(url.href);
    log.error("open this page to sign in", { server: server.name, url: url.href, code });
  }

  #show(url: URL, code: string | undefined, prepared: Prepared): void {
    this.#id = crypto.randomUUID();
    const hosts = { server: this.#oauth.context.server.url.host, page: url.host };
    const { promise: done, resolve } = Promise.withResolvers<Begun>();
    const gone = new AbortController();
    const change = prepared.issuerChange;
    const movedIssuer = change && { from: new URL(change.from).host, to: new URL(change.to).host };
    const pending: PendingSignIn = {
      id: this.#id,
      url,
      code,
      hosts,
      need: needOf(prepared),
      done,
      gone: gone.signal,
      ...(movedIssuer && { movedIssuer }),
    };
    // A call that joins from now on gets this page.
    this.#begun.resolve(pending);
    this.#begun = Promise.withResolvers();
    this.#begun.resolve(pending);
    this.#leavePage(pending);
    this.#page = { done: resolve, gone };
  }

  /** Resolves when another process has stored a sign-in, or a `login` waits for its turn; rejects with the signal's reason. */
  async #watch(before: StoredGrant, signal: AbortSignal): Promise<void> {
    const { store, context } = this.#oauth;
    for (let seen = store.fileVersion(); ; ) {
      await context.sleep(pollMs, signal);
      if (await isLoginWanted(context.server)) return;
      const fileVersion = store.fileVersion();
      if (fileVersion === seen) continue;
      seen = fileVersion;
      // While the keyring is locked, the sign-in cannot be read: try again at the next change.
      const stored = await store.read().catch(() => undefined);
      if (stored !== undefined && isNew(stored, before)) return;
    }
  }

  #isDeclined({ declinedAt }: StoredGrant): boolean {
    return declinedAt !== undefined && this.#oauth.context.now() - declinedAt < declineMs;
  }
}

export function isPending(begun: Begun): begun is PendingSignIn {
  return begun !== "signed-in" && !(begun instanceof BridgeError);
}

export const declined = () => failed("the user declined to sign in");

const declinedRecently = () =>
  failed(`the user declined to sign in less than ${declineMs / 60_000} minutes ago`);

const needOf = ({ found, scope }: Prepared) => `${found.issuer.issuer} ${scope ?? ""}`;

/** Whether somebody has signed in since `before` was read. A refresh does not count while a wanted scope is recorded: only a sign-in clears that. */
function isNew(stored: StoredGrant, before: StoredGrant): boolean {
  const grant = usable(stored);
  const isOther = grant !== undefined && grant.accessToken !== before.grant?.accessToken;
  return isOther && stored.wantedScope === undefined;
}
