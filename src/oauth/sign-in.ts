import type { BridgeError } from "../wire/errors.ts";
import { asBridgeError } from "../wire/errors.ts";
import { type CodeRequest, codeFrom, pastedAnswer, redeemCode, startCode } from "./authorize.ts";
import { type Callback, openCallback } from "./callback.ts";
import { awaitDevice, type DeviceRequest, offersDevice, startDevice } from "./device.ts";
import type { Grant } from "./grant.ts";
import { forgetClient, keep, noteRefusedScope, type Prepared } from "./prepare.ts";

/** What a sign-in shows, and what it is told, by whoever runs it. */
export interface SignInWays {
  /** A page to sign in at; `port` is where this machine waits for the browser, undefined where it cannot. */
  readonly showUrl: (url: URL, port: number | undefined) => void | Promise<void>;
  readonly showDevice: (request: DeviceRequest) => void | Promise<void>;
  /** Whether a code for another device is offered: alone, beside the page, or not at all. */
  readonly device: "only" | "also" | "never";
  /** Lines that a person pastes. */
  readonly pasted?: AsyncIterable<string>;
  /** Told of a pasted line that is no answer; another may follow. */
  readonly onBadPaste?: (error: BridgeError) => void;
}

async function byCallback(
  prepared: Prepared,
  callback: Callback,
  request: CodeRequest,
  signal: AbortSignal,
) {
  const answer = await callback.wait(request.state);
  if (answer.get("error") === "invalid_scope") await noteRefusedScope(prepared);
  return redeemCode(prepared, request, codeFrom(prepared, answer), signal);
}

async function byPaste(
  prepared: Prepared,
  request: CodeRequest,
  { pasted, onBadPaste }: SignInWays,
  signal: AbortSignal,
): Promise<Grant> {
  let failure: BridgeError | undefined;
  for await (const line of pasted ?? []) {
    if (line.trim() === "") continue;
    let answer: URLSearchParams;
    try {
      answer = pastedAnswer(prepared, request, line);
    } catch (error) {
      failure = asBridgeError(error);
      onBadPaste?.(failure);
      continue;
    }
    return redeemCode(prepared, request, codeFrom(prepared, answer), signal);
  }
  if (failure !== undefined) throw failure;
  // Nobody pastes: the other ways go on.
  return new Promise(() => {});
}

/** A redirect URI for a registration that only signs in on another device. */
async function redirectForDevice(prepared: Prepared): Promise<string> {
  const callback = openCallback(prepared);
  await callback.end({ ok: true });
  return callback.redirectUri;
}

/**
 * Lets a person sign in, by whichever way is done first, and stores the grant. Throws a BridgeError, or the
 * signal's reason.
 */
export async function signIn(
  prepared: Prepared,
  ways: SignInWays,
  signal: AbortSignal,
): Promise<Grant> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  // It may come while nothing is raced yet.
  aborted.catch(() => {});
  let callback: Callback | undefined;
  let request: CodeRequest | undefined;
  try {
    signal.throwIfAborted();
    const attempts: Promise<Grant>[] = [];
    const isDeviceOnly = ways.device === "only" || prepared.context.auth.grant === "device_code";
    if (!isDeviceOnly) {
      callback = openCallback(prepared);
      request = await startCode(prepared, callback.redirectUri, signal);
      attempts.push(byCallback(prepared, callback, request, both));
      if (ways.pasted !== undefined) attempts.push(byPaste(prepared, request, ways, both));
      await ways.showUrl(request.url, callback.port);
    }
    if (isDeviceOnly || (ways.device === "also" && offersDevice(prepared))) {
      const device = await startDeviceOrNot(prepared, callback, isDeviceOnly, signal);
      if (device !== undefined) {
        attempts.push(awaitDevice(prepared, device, both));
        await ways.showDevice(device);
      }
    }
    for (const attempt of attempts) attempt.catch(() => {});
    const grant = await Promise.race([...attempts, aborted]);
    await keep(prepared, grant);
    await callback?.end({ ok: true });
    return grant;
  } catch (error) {
    const { message } = asBridgeError(error);
    await callback?.end({
      ok: false,
      reason: `${message.slice(0, 1).toUpperCase()}${message.slice(1)}.`,
    });
    // Nobody came back: perhaps the page said that it does not know this client. The next sign-in registers anew.
    if (signal.aborted && request !== undefined) await forgetClient(prepared, request.client);
    throw error;
  } finally {
    stop.abort();
  }
}

/** Where the page is there, too, a device sign-in that the server refuses is no loss. */
async function startDeviceOrNot(
  prepared: Prepared,
  callback: Callback | undefined,
  isNeeded: boolean,
  signal: AbortSignal,
): Promise<DeviceRequest | undefined> {
  try {
    return await startDevice(
      prepared,
      callback?.redirectUri ?? (await redirectForDevice(prepared)),
      signal,
    );
  } catch (error) {
    if (isNeeded || signal.aborted) throw error;
    prepared.context.log.debug("no device sign-in", { error: asBridgeError(error).message });
    return undefined;
  }
}
