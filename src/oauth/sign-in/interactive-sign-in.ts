import { abortable } from "../../platform/async.ts";
import { hasDesktop } from "../../platform/browser.ts";
import { withLock } from "../../platform/lock.ts";
import type { OAuth } from "../authorizer/open.ts";
import { usable } from "../authorizer/refresh.ts";
import type { StoredGrant } from "../core/grant.ts";
import { offersDevice } from "./device.ts";
import { PageOpener } from "./page-opener.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { type SignInMethodOptions, signIn, superseded } from "./sign-in.ts";
import { afterLogin, inRunTurn, isLoginWanted } from "./sign-in-locks.ts";

/** A sign-in that waits for a person: what is shown of it holds no text of a server but a checked URL and code. */
export interface PendingSignIn {
  readonly id: string;
  readonly url: URL;
  /** To type in at the page; undefined where the page needs none. */
  readonly code: string | undefined;
  /** Of the MCP server and of the page. */
  readonly hosts: { readonly server: string; readonly page: string };
  /** Hosts of the authorization servers, where the server names another one than before. */
  readonly movedIssuer?: { readonly from: string; readonly to: string };
  /** Aborted once the page leads nowhere any more. */
  readonly gone: AbortSignal;
  /** Settles when it is over: whether the person signed in, here or elsewhere. Never rejects. */
  readonly done: Promise<boolean>;
}

/** What came of the wish to sign in during a call. */
export type Begun = "signed-in" | "impossible" | PendingSignIn;

/** The listener of a sign-in during `run` closes after this time. */
const signInWaitMs = 600_000;
/** A decline is respected this long. */
const declineMs = 300_000;
/** Finding out where to sign in takes no longer. */
const prepareMs = 30_000;
/** A call waits this long for another prompt to end; then it says what command signs in. */
const promptWaitMs = 60_000;
/** How often is looked whether somebody signed in elsewhere, or wants to. */
const lookMs = 300;
/** One prompt at a time in this home, over calls and processes. No server can have this name. */
const promptLock = ".prompt";

/** One sign-in during `run`, for all calls that wait for it. */
export class InteractiveSignIn {
  readonly #oauth: OAuth;
  readonly #opensBrowser: boolean;
  readonly #begun = Promise.withResolvers<Begun>();
  readonly #done = Promise.withResolvers<boolean>();
  readonly #stop = new AbortController();
  /** Aborted when its page leads nowhere any more. */
  readonly #gone = new AbortController();
  /** Resolves once no call waits. */
  readonly #alone = Promise.withResolvers<void>();
  #waiting = 0;
  #isKept = false;
  #isSettled = false;
  #id: string | undefined;
  #prepared: Prepared | undefined;

  constructor(oauth: OAuth, opensBrowser: boolean) {
    this.#oauth = oauth;
    this.#opensBrowser = opensBrowser;
    this.#begun.promise.catch(() => {});
    void this.#run().then(
      (isDone) => this.#settle(isDone),
      (error) => {
        this.#begun.reject(error);
        this.#settle(false);
      },
    );
  }

  /** Of the page that is shown. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Whether nobody can join it any more. */
  get isOver(): boolean {
    return this.#isSettled || this.#stop.signal.aborted;
  }

  /**
   * Waits for it as `work` does; the last that leaves ends it. `isKept`: from then on it goes on although no
   * call waits, for somebody has its page and comes back.
   */
  async join<T>(
    signal: AbortSignal,
    work: (begun: Begun) => Promise<T>,
    isKept = false,
  ): Promise<T> {
    this.#waiting++;
    try {
      const begun = await abortable(this.#begun.promise, signal);
      this.#isKept ||= isKept;
      return await work(begun);
    } finally {
      if (--this.#waiting === 0) {
        this.#alone.resolve();
        if (!this.#isKept) this.end("no call waits for it");
      }
    }
  }

  /** Waits for its end. */
  async ended(signal: AbortSignal): Promise<void> {
    await this.join(signal, async (begun) => {
      if (typeof begun !== "string") await abortable(begun.done, signal);
    });
  }

  end(why: string): void {
    this.#stop.abort(new Error(why));
  }

  #settle(isDone: boolean): void {
    this.#isSettled = true;
    this.#begun.resolve(isDone ? "signed-in" : "impossible");
    this.#done.resolve(isDone);
    this.#gone.abort();
  }

  /** Resolves to whether the person is signed in now. Throws `configuration` where the store cannot be read. */
  async #run(): Promise<boolean> {
    const { store, context } = this.#oauth;
    const before = await store.read();
    if (this.#isDeclined(before)) return false;
    const stop = this.#stop.signal;
    const signInTimeout = AbortSignal.any([stop, AbortSignal.timeout(promptWaitMs)]);
    try {
      const isDone = await inRunTurn(
        context.server,
        () => this.#inTurn(before, signInTimeout),
        signInTimeout,
      );
      if (isDone !== undefined) return isDone;
      // A sign-in elsewhere took its place: what comes of that counts.
      const late = AbortSignal.any([stop, AbortSignal.timeout(signInWaitMs)]);
      const look = async () => isNew(await store.read(), before);
      return await afterLogin(context.server, look, late);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!stop.aborted)
        context.log.warn("sign-in failed", { server: context.server.name, error: why });
      return false;
    }
  }

  /** Signs in as soon as no other prompt stands; undefined where it gave way to a sign-in elsewhere. */
  async #inTurn(before: StoredGrant, signInTimeout: AbortSignal): Promise<boolean | undefined> {
    const { store, context } = this.#oauth;
    const over = new AbortController();
    const elsewhere = new AbortController();
    this.#watch(before, over.signal).then(
      () => elsewhere.abort(superseded),
      () => {},
    );
    let running: Promise<boolean> = Promise.resolve(false);
    const prompt = async () => {
      const stored = await store.read();
      if (isNew(stored, before)) running = Promise.resolve(true);
      else if (!this.#isDeclined(stored)) running = this.#signIn(elsewhere.signal);
      await Promise.race([running, this.#alone.promise]);
    };
    try {
      const waiting = AbortSignal.any([signInTimeout, elsewhere.signal]);
      await withLock(context.server.home, promptLock, prompt, waiting);
      return await running;
    } catch (error) {
      if (elsewhere.signal.aborted) return undefined;
      throw error;
    } finally {
      over.abort();
    }
  }

  /** Prepares, shows and waits. */
  async #signIn(elsewhere: AbortSignal): Promise<true> {
    const { context, authorizer } = this.#oauth;
    const signal = AbortSignal.any([this.#stop.signal, elsewhere]);
    const preparing = AbortSignal.any([signal, AbortSignal.timeout(prepareMs)]);
    const prepared = await prepare(this.#oauth, {
      challenge: authorizer.challenge,
      signal: preparing,
    });
    if (prepared.issuerChange !== undefined)
      context.log.warn("another authorization server", {
        server: context.server.name,
        ...prepared.issuerChange,
      });
    const isHere = hasDesktop(context.env);
    const byDevice = offersDevice(prepared) && !(isHere && context.auth.grant !== "device_code");
    const timer = setTimeout(() => this.end("nobody signed in"), signInWaitMs);
    await using opener = new PageOpener({
      env: context.env,
      onExposed: (error) => this.#stop.abort(error),
    });
    try {
      this.#prepared = prepared;
      await signIn(prepared, this.#methods(byDevice, opener), signal);
      context.log.info("signed in", { server: context.server.name });
      return true;
    } finally {
      clearTimeout(timer);
      this.#gone.abort();
    }
  }

  #methods(byDevice: boolean, opener: PageOpener): SignInMethodOptions {
    const open = async (url: URL) => {
      const isOpen = !this.#opensBrowser || (await opener.open(url));
      if (!isOpen) throw new Error("no browser could be opened here");
    };
    return {
      device: byDevice ? "only" : "never",
      showUrl: async (url) => {
        await open(url);
        this.#show(url, undefined);
        return true;
      },
      showDevice: async ({ url, completeUrl, userCode }) => {
        if (!/^[A-Z0-9-]{4,16}$/.test(userCode)) throw new Error("the code is of an unusual form");
        await open(completeUrl ?? url);
        this.#show(completeUrl ?? url, userCode);
      },
    };
  }

  #show(url: URL, code: string | undefined): void {
    if (url.protocol !== "https:" && url.protocol !== "http:") return;
    this.#id = crypto.randomUUID();
    const hosts = { server: this.#oauth.context.server.url.host, page: url.host };
    const { promise: done } = this.#done;
    const change = this.#prepared?.issuerChange;
    const movedIssuer = change && { from: new URL(change.from).host, to: new URL(change.to).host };
    this.#begun.resolve({
      id: this.#id,
      url,
      code,
      hosts,
      done,
      gone: this.#gone.signal,
      ...(movedIssuer && { movedIssuer }),
    });
  }

  /** Resolves once somebody signed in elsewhere, or `login` wants to; rejects with the signal's reason. */
  async #watch(before: StoredGrant, signal: AbortSignal): Promise<void> {
    const { store, context } = this.#oauth;
    for (let seen = store.fileVersion(); ; ) {
      await context.sleep(lookMs, signal);
      if (await isLoginWanted(context.server)) return;
      const fileVersion = store.fileVersion();
      if (fileVersion === seen) continue;
      seen = fileVersion;
      // A keyring that is locked just now tells nothing.
      const stored = await store.read().catch(() => undefined);
      if (stored !== undefined && isNew(stored, before)) return;
    }
  }

  #isDeclined({ declinedAt }: StoredGrant): boolean {
    return declinedAt !== undefined && this.#oauth.context.now() - declinedAt < declineMs;
  }
}

/** Whether somebody signed in since `before`; a renewal leaves the scope that is wanted. */
function isNew(stored: StoredGrant, before: StoredGrant): boolean {
  const grant = usable(stored);
  const isOther = grant !== undefined && grant.accessToken !== before.grant?.accessToken;
  return isOther && stored.wantedScope === undefined;
}
