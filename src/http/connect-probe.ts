import { BridgeError } from "../wire/errors.ts";
import { unbracketed } from "./ip-address.ts";

/** Where a connection goes first: the server, or the proxy in front of it. */
interface Place {
  readonly hostname: string;
  readonly port: number;
  /** Name to shake hands with, where TLS is spoken at once. */
  readonly serverName?: string;
}

/** The place of a URL. A proxy is spoken to in plain, unless its own URL says https. */
export function placeOf(url: URL, address = url.hostname): Place {
  const isTls = url.protocol === "https:";
  return {
    hostname: unbracketed(address),
    port: Number(url.port) || (isTls ? 443 : 80),
    ...(isTls && { serverName: unbracketed(url.hostname) }),
  };
}

/** The watch over one request whose connection may never come about. */
interface Watch {
  /** Aborts with a BridgeError `unreachable`. */
  readonly signal: AbortSignal;
  /** The request is past it. */
  done(): void;
}

/**
 * Ends a request where no connection comes about within `ms`. The run time does not tell when it is connected, so
 * after half the time a connection of our own is tried: where that comes about, the request only takes its time.
 * A server that `hasAnswered` may be too busy to shake hands, and may have got the request on an old connection.
 */
export function watchConnecting(place: Place, ms: number, hasAnswered: boolean): Watch {
  const stop = new AbortController();
  let isDone = false;
  const { serverName, ...plain } = place;
  const timer = setTimeout(async () => {
    const isReachable = await shakesHands(hasAnswered ? plain : place, ms / 2);
    if (!isDone && !isReachable) stop.abort(unreachable(place, ms, hasAnswered));
  }, ms / 2);
  return {
    signal: stop.signal,
    done: () => {
      isDone = true;
      clearTimeout(timer);
    },
  };
}

/** Longest wait for a place that was silent before: a path that works brings an answer far sooner. */
const silentMs = 1000;

/** Waits for a connection to a place that was silent before anything is sent there. Throws `unreachable`. */
export async function requireReachable(place: Place, connectTimeoutMs: number): Promise<void> {
  const ms = Math.min(silentMs, connectTimeoutMs / 2);
  if (!(await shakesHands(place, ms))) throw unreachable(place, ms, false);
}

function unreachable(place: Place, ms: number, maySent: boolean): BridgeError {
  const host = `${place.hostname}:${place.port}`;
  return new BridgeError("unreachable", `no connection to "${host}" within ${ms / 1000} s`, {
    hint: maySent
      ? "check the network and the proxy; the server may or may not have done it"
      : 'check the network and the proxy, or raise "connectTimeoutSec"',
  });
}

/** Whether anything answers there in time, be it a refusal: only silence is none. */
async function shakesHands({ hostname, port, serverName }: Place, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  const socket = Bun.connect({
    hostname,
    port,
    // Nothing is sent on it, so it need not be trusted.
    tls: serverName === undefined ? false : { rejectUnauthorized: false, serverName },
    socket: {
      open: () => {
        if (serverName === undefined) resolve(true);
      },
      handshake: () => resolve(true),
      data: () => undefined,
      error: () => resolve(true),
      close: () => resolve(true),
      connectError: () => resolve(true),
    },
  }).catch(() => undefined);
  const answered = await promise;
  clearTimeout(timer);
  void socket.then((open) => open?.terminate());
  return answered;
}
