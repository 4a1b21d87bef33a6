import { BridgeError } from "../wire/errors.ts";

/** How long close() waits for pending responses; then it closes every connection. */
const graceMs = 1000;

type Address = "127.0.0.1" | "::1";

/** Address and port of the client of a loopback server. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** A web server that only this machine reaches. */
export interface LoopbackServer {
  readonly port: number;
  /** Accepts no more requests; pending responses may complete within a second. */
  close(): Promise<void>;
}

/** The addresses that a loopback URL's host name leads to. */
function addressesOf(hostname: string): readonly [Address, ...Address[]] {
  if (hostname === "[::1]") return ["::1"];
  return hostname === "localhost" ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
}

/** Whether the error means that the machine does not have the address, as a machine without IPv6 has no ::1. */
function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT";
}

function failure(address: Address, port: number, error: unknown): BridgeError {
  const { code = "unknown error" } = error as NodeJS.ErrnoException;
  const place = address === "::1" ? `[::1]:${port}` : `${address}:${port}`;
  const why = code === "EADDRINUSE" ? "is in use" : `cannot be listened at (${code})`;
  return new BridgeError("configuration", `port ${port} ${why}: ${place}`, {
    hint: "end the program that listens there, or configure another port",
    cause: error,
  });
}

/**
 * Listens where a loopback URL with this host name leads: 127.0.0.1, [::1], or for `localhost` both; port 0 takes
 * a free one. Throws `configuration` where one of the addresses is taken; ::1 may be missing beside 127.0.0.1.
 */
export async function listenOnLoopback(
  hostname: string,
  port: number,
  handler: (request: Request, peer: Peer | undefined) => Response | Promise<Response>,
): Promise<LoopbackServer> {
  const servers: Bun.Server<undefined>[] = [];
  const stop = (isForced: boolean) => Promise.all(servers.map((server) => server.stop(isForced)));
  let bound = port;
  for (const address of addressesOf(hostname)) {
    try {
      const server = Bun.serve({
        fetch: (request, self) => handler(request, self.requestIP(request) ?? undefined),
        idleTimeout: 60,
        development: false,
        hostname: address,
        port: bound,
      });
      servers.push(server);
      bound = server.port ?? port;
    } catch (error) {
      if (servers.length > 0 && isAbsent(error)) continue;
      await stop(true);
      throw failure(address, bound, error);
    }
  }
  return {
    port: bound,
    async close() {
      const timer = setTimeout(() => void stop(true), graceMs);
      await stop(false);
      clearTimeout(timer);
    },
  };
}
