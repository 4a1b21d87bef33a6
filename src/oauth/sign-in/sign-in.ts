import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { refusalText } from "../client/token-endpoint.ts";
import type { Grant } from "../core/grant.ts";
import {
  type CodeRequest,
  codeFrom,
  pastedAnswer,
  redeemCode,
  signInFailed,
  startCode,
} from "./authorization-code.ts";
import { type Callback, openCallback } from "./callback.ts";
import { awaitDevice, type DeviceRequest, offersDevice, startDevice } from "./device.ts";
import { noteRefusedScope, type Prepared, storeGrant } from "./prepare.ts";

/** How a command or a running bridge shows the methods of a sign-in to the user. */
export interface SignInMethodOptions {
  /**
   * Shows the page to sign in at; `port`: port of the listener on this machine that receives the redirect, undefined
   * without a listener. Resolves to whether a browser shows the page to the user.
   */
  readonly showUrl: (url: URL, port: number | undefined) => boolean | Promise<boolean>;
  readonly showDevice: (request: DeviceRequest) => void | Promise<void>;
  /** When the device grant is offered: instead of the page, in addition to a page that no browser shows, or never. */
  readonly device: "first" | "also" | "never";
  /** Lines that the user pastes. */
  readonly pasted?: AsyncIterable<string>;
  /** Called for a pasted line or a method that failed while other methods are left. */
  readonly onFailure?: (error: BridgeError) => void;
}

/** Abort reason of a sign-in when a sign-in in another process takes precedence. */
export const signInElsewhere = new BridgeError("sign-in-required", "somebody signs in elsewhere");

/** Stdin ended without a line: no failure while another method is left. */
const nothingPasted = new BridgeError("sign-in-required", "no answer was pasted");

/** The authorization code grant of one sign-in; a client that is registered anew makes a new request. */
class CodeSignIn {
  readonly #prepared: Prepared;
  readonly #callback: Callback;
  readonly #signal: AbortSignal;
  #request: CodeRequest;

  constructor(prepared: Prepared, callback: Callback, request: CodeRequest, signal: AbortSignal) {
    this.#prepared = prepared;
    this.#callback = callback;
    this.#request = request;
    this.#signal = signal;
  }

  /** Waits for the browser's response; a browser that needs a new request is sent to its page. */
  async byCallback(): Promise<Grant> {
    for (;;) {
      const answer = await this.#callback.wait(this.#request.state);
      const grant = await this.#redeem(answer);
      if (grant !== undefined) return grant;
      this.#callback.sendOn(this.#request.url);
    }
  }

  async byPaste({ pasted, onFailure, showUrl }: SignInMethodOptions): Promise<Grant> {
    let failure: BridgeError | undefined;
    for await (const line of pasted ?? []) {
      if (line.trim() === "") continue;
      try {
        const grant = await this.#redeem(pastedAnswer(this.#prepared, this.#request, line));
        if (grant !== undefined) return grant;
        const { port } = this.#callback;
        if (port !== undefined) void this.#callback.wait(this.#request.state);
        await showUrl(this.#request.url, port);
      } catch (error) {
        if (this.#signal.aborted) throw error;
        failure = asBridgeError(error);
        onFailure?.(failure);
      }
    }
    throw failure ?? nothingPasted;
  }

  /** The grant for an authorization response; undefined if a new client was registered and a new request made. */
  async #redeem(answer: URLSearchParams): Promise<Grant | undefined> {
    const prepared = this.#prepared;
    const code = codeFrom(prepared, answer);
    const result =
      typeof code === "string"
        ? await redeemCode(prepared, this.#request, code, this.#signal)
        : code;
    if (!("error" in result)) return result;
    if (prepared.client.renew(result.error)) {
      this.#request = await startCode(prepared, this.#callback.redirectUri, this.#signal);
      return undefined;
    }
    if (result.error === "invalid_scope") await noteRefusedScope(prepared);
    throw signInFailed(prepared.context, refusalText(result));
  }
}

/** Sign-in methods that run concurrently: the first success ends all of them; a failure lets the others continue. */
class SignInMethods {
  readonly #over = Promise.withResolvers<Grant>();
  readonly #onFailure: SignInMethodOptions["onFailure"];
  readonly #signal: AbortSignal;
  /** Pending methods, plus one until first() is called, so that add() cannot settle early. */
  #pending = 1;
  #failure: unknown;

  constructor({ onFailure }: SignInMethodOptions, signal: AbortSignal) {
    this.#onFailure = onFailure;
    this.#signal = signal;
    this.#over.promise.catch(() => {});
    signal.addEventListener("abort", () => this.#over.reject(signal.reason), { once: true });
  }

  /**
   * A method that resolves to undefined has added others in its place. `isFinal`: whether the sign-in ends with this
   * failure although other methods are pending.
   */
  add(method: Promise<Grant | undefined>, isFinal: (error: unknown) => boolean): void {
    this.#pending++;
    const end = (grant: Grant | undefined) =>
      grant === undefined ? this.#pending-- : this.#over.resolve(grant);
    method.then(end, (error) => {
      this.#failure = error;
      if (isFinal(error) || --this.#pending === 0) this.#over.reject(error);
      else if (error !== nothingPasted && !this.#signal.aborted)
        this.#onFailure?.(asBridgeError(error));
    });
  }

  /** The first grant; rejects with the last failure where no method is left. */
  first(): Promise<Grant> {
    if (--this.#pending === 0) this.#over.reject(this.#failure);
    return this.#over.promise;
  }
}

function redirectElsewhere({ context }: Prepared): BridgeError {
  const { server, login } = context;
  return new BridgeError(
    "sign-in-required",
    `the page to sign in to server "${server.name}" leads back to another machine`,
    { hint: `run ${login} --no-browser` },
  );
}

/** A redirect URI for the registration of a client that uses the device grant alone. */
async function redirectForDevice(prepared: Prepared): Promise<string> {
  const callback = await openCallback(prepared);
  await callback.end({ ok: true });
  return callback.redirectUri;
}

/**
 * Lets a person sign in, by the method that succeeds first, and stores the grant. Throws a BridgeError, or the
 * signal's reason.
 */
export async function signIn(
  prepared: Prepared,
  methods: SignInMethodOptions,
  signal: AbortSignal,
): Promise<Grant> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const all = new SignInMethods(methods, both);
  let callback: Callback | undefined;
  try {
    signal.throwIfAborted();
    const { grant: configured } = prepared.context.auth;
    const isDeviceFirst = methods.device === "first" || configured === "device_code";
    const { authorizationEndpoint } = prepared.found.issuer;
    const openPage = async () => {
      callback = await openCallback(prepared);
      if (callback.port === undefined && methods.pasted === undefined)
        throw redirectElsewhere(prepared);
      const request = await startCode(prepared, callback.redirectUri, signal);
      const byCode = new CodeSignIn(prepared, callback, request, both);
      // The redirect carries the user's decision, so a failure in it is final.
      if (callback.port !== undefined) all.add(byCode.byCallback(), () => true);
      const isShown = await methods.showUrl(request.url, callback.port);
      const isRefused = (error: unknown) => error !== nothingPasted;
      if (methods.pasted !== undefined) all.add(byCode.byPaste(methods), isRefused);
      const isOffered = methods.device === "also" && !isShown && !isDeviceFirst;
      return isOffered && offersDevice(prepared)
        ? deviceBesidePage(prepared, callback.redirectUri, signal)
        : undefined;
    };
    const byDevice = async (device: DeviceRequest): Promise<Grant | undefined> => {
      const result = await awaitDevice(prepared, device, both);
      if (!(result instanceof BridgeError)) return result;
      if (callback !== undefined || authorizationEndpoint === undefined) throw result;
      methods.onFailure?.(result);
      await openPage();
      return undefined;
    };
    const first = isDeviceFirst ? await deviceBeforePage(prepared, methods, signal) : undefined;
    const device = first ?? (await openPage());
    if (device !== undefined) {
      all.add(byDevice(device), () => false);
      await methods.showDevice(device);
    }
    const grant = await all.first();
    await storeGrant(prepared, grant);
    await callback?.end({ ok: true });
    return grant;
  } catch (error) {
    const { message } = asBridgeError(error);
    await callback?.end({
      ok: false,
      reason: `${message.slice(0, 1).toUpperCase()}${message.slice(1)}.`,
    });
    if (signal.reason === signInElsewhere) await prepared.client.putBack();
    throw error;
  } finally {
    stop.abort();
  }
}

/** Starts the device grant (RFC 8628 3.1); undefined if it fails and the server also has a page to sign in at. */
async function deviceBeforePage(
  prepared: Prepared,
  { onFailure }: SignInMethodOptions,
  signal: AbortSignal,
): Promise<DeviceRequest | undefined> {
  try {
    return await startDevice(prepared, await redirectForDevice(prepared), signal);
  } catch (error) {
    const hasPage = prepared.found.issuer.authorizationEndpoint !== undefined;
    if (signal.aborted || !hasPage || !offersDevice(prepared)) throw error;
    onFailure?.(asBridgeError(error));
    return undefined;
  }
}

/** Starts the device grant in addition to a page that no browser shows; undefined if that fails. */
async function deviceBesidePage(
  prepared: Prepared,
  redirectUri: string,
  signal: AbortSignal,
): Promise<DeviceRequest | undefined> {
  try {
    return await startDevice(prepared, redirectUri, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    prepared.context.log.debug("no device sign-in", { error: asBridgeError(error).message });
    return undefined;
  }
}
