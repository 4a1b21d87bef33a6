import { withLock } from "../host/lock.ts";
import { asBridgeError } from "../wire/errors.ts";
import type { OAuth } from "./open.ts";
import type { SignInWays } from "./sign-in.ts";

/** A sign-in that waits for a person: what is shown of it holds no text of a server but a checked URL and code. */
export interface PendingSignIn {
  readonly id: string;
  readonly url: URL;
  /** To type in at the page; undefined where the page needs none. */
  readonly code: string | undefined;
  /** Of the MCP server and of the page. */
  readonly hosts: { readonly server: string; readonly page: string };
  /** Settles when it is over: whether the person signed in. Never rejects. */
  readonly done: Promise<boolean>;
}

/** What came of the wish to sign in during a call. */
export type Begun = "signed-in" | "impossible" | PendingSignIn;

/** The listener of a sign-in during `run` closes after this time. */
const patienceMs = 600_000;
/** A decline is respected this long. */
const declineMs = 300_000;
/** Finding out where to sign in takes no longer. */
const prepareMs = 30_000;
/** A call waits this long for another prompt to end; then it says what command signs in. */
const promptWaitMs = 60_000;
/** One prompt at a time in this home, over calls and processes. No server can have this name. */
const promptLock = ".prompt";

/** Signs in while a call of a running bridge waits; one prompt at a time. */
export class RunSignIn {
  readonly #oauth: () => Promise<OAuth>;
  readonly #opensBrowser: boolean;
  #pending: Promise<Begun> | undefined;
  #waitingId: string | undefined;
  #stop: AbortController | undefined;

  /** `opensBrowser`: as `--sign-in browser` says. */
  constructor(oauth: () => Promise<OAuth>, { opensBrowser }: { opensBrowser: boolean }) {
    this.#oauth = oauth;
    this.#opensBrowser = opensBrowser;
  }

  /**
   * Begins a sign-in, or joins the one that waits already; `isNew` tells which. Waits for the prompt of
   * another process. "impossible": declined lately, or no way to sign in; the log says why.
   */
  async begin(signal: AbortSignal): Promise<{ readonly begun: Begun; readonly isNew: boolean }> {
    if (this.#pending !== undefined) {
      const begun = await this.#pending.catch(() => undefined);
      if (begun !== undefined) return { begun, isNew: false };
      // The call that began it was cancelled.
      signal.throwIfAborted();
      return this.begin(signal);
    }
    const pending = this.#start(signal);
    this.#pending = pending;
    const begun = await pending.catch((error) => {
      this.#pending = undefined;
      throw error;
    });
    if (typeof begun === "string") this.#pending = undefined;
    else {
      this.#waitingId = begun.id;
      void begun.done.then(() => {
        this.#pending = undefined;
        this.#waitingId = undefined;
      });
    }
    return { begun, isNew: true };
  }

  /** Whether the sign-in of that id still waits for its person. */
  isWaiting(id: string): boolean {
    return this.#waitingId === id;
  }

  /** The person does not want to: nobody is asked again for 5 minutes. */
  async decline(): Promise<void> {
    const { store, context } = await this.#oauth();
    this.#stop?.abort(new Error("declined"));
    await store.update((stored) => ({ ...stored, declinedAt: context.now() }));
  }

  async #start(signal: AbortSignal): Promise<Begun> {
    const oauth = await this.#oauth();
    const { store, context } = oauth;
    const { server, now, log } = context;
    const before = await store.read();
    const isDeclined = (at: number | undefined) => at !== undefined && now() - at < declineMs;
    if (isDeclined(before.declinedAt)) return "impossible";
    const shown = Promise.withResolvers<Begun>();
    const work = async () => {
      const stored = await store.read();
      const { grant } = stored;
      const isNewer =
        grant !== undefined &&
        stored.movedAt === undefined &&
        grant.accessToken !== before.grant?.accessToken;
      if (isNewer) return shown.resolve("signed-in");
      if (isDeclined(stored.declinedAt)) return shown.resolve("impossible");
      await this.#run(oauth, shown.resolve);
    };
    const waiting = AbortSignal.any([signal, AbortSignal.timeout(promptWaitMs)]);
    withLock(server.home, promptLock, work, waiting).catch((error) => {
      if (signal.aborted) return shown.reject(signal.reason);
      log.warn("no sign-in during the call", {
        server: server.name,
        error: asBridgeError(error).message,
      });
      shown.resolve("impossible");
    });
    return shown.promise;
  }

  /** Prepares, shows and waits; returns when the sign-in is over. */
  async #run(oauth: OAuth, show: (begun: Begun) => void): Promise<void> {
    const { context, authorizer } = oauth;
    const { env, server, log } = context;
    // Loaded here: `run` starts without them.
    const { hasDesktop, openBrowser } = await import("../host/browser.ts");
    const { offersDevice } = await import("./device.ts");
    const { prepare } = await import("./prepare.ts");
    const { signIn } = await import("./sign-in.ts");
    const prepared = await prepare(oauth, authorizer.challenge, AbortSignal.timeout(prepareMs));
    const isHere = hasDesktop(env);
    const byDevice = offersDevice(prepared) && !(isHere && context.auth.grant !== "device_code");
    const over = Promise.withResolvers<boolean>();
    const tell = (url: URL, code: string | undefined) => {
      if (url.protocol === "https:" || url.protocol === "http:") {
        const hosts = { server: server.url.host, page: url.host };
        show({ id: crypto.randomUUID(), url, code, hosts, done: over.promise });
      }
    };
    const ways: SignInWays = {
      device: byDevice ? "only" : "never",
      showUrl: async (url) => {
        if (this.#opensBrowser) await openBrowser(url, env);
        tell(url, undefined);
        return true;
      },
      showDevice: async ({ url, completeUrl, userCode }) => {
        if (!/^[A-Z0-9-]{4,16}$/.test(userCode)) throw new Error("the code is of an unusual form");
        if (this.#opensBrowser) await openBrowser(completeUrl ?? url, env);
        tell(completeUrl ?? url, userCode);
      },
    };
    const stop = new AbortController();
    this.#stop = stop;
    const timer = setTimeout(() => stop.abort(new Error("nobody signed in")), patienceMs);
    try {
      await signIn(prepared, ways, stop.signal);
      log.info("signed in", { server: server.name });
      over.resolve(true);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.warn("sign-in failed", { server: server.name, error: why });
      over.resolve(false);
      show("impossible");
    } finally {
      clearTimeout(timer);
      this.#stop = undefined;
    }
  }
}
