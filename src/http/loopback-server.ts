/** How long answers on the way may take; then whoever has sent half a request is cut off. */
const graceMs = 1000;

/** A web server that only this machine reaches. */
export interface LoopbackServer {
  readonly port: number;
  /** Takes no more requests; answers on the way still go out, for a second. */
  close(): Promise<void>;
}

/**
 * Listens on 127.0.0.1, and on ::1 at the same port where `alsoV6`; port 0 takes a free one. Undefined where
 * the port is taken.
 */
export function listenOnLoopback(
  port: number,
  alsoV6: boolean,
  handler: (request: Request) => Response | Promise<Response>,
): LoopbackServer | undefined {
  const options = { fetch: handler, idleTimeout: 60, development: false } as const;
  let first: Bun.Server<undefined>;
  try {
    first = Bun.serve({ ...options, hostname: "127.0.0.1", port });
  } catch {
    return undefined;
  }
  let second: Bun.Server<undefined> | undefined;
  try {
    if (alsoV6) second = Bun.serve({ ...options, hostname: "::1", port: first.port ?? port });
  } catch {
    // A machine without IPv6: its browser takes 127.0.0.1.
  }
  return {
    port: first.port ?? port,
    async close() {
      const stop = (isForced: boolean) =>
        Promise.all([first.stop(isForced), second?.stop(isForced)]);
      const timer = setTimeout(() => void stop(true), graceMs);
      await stop(false);
      clearTimeout(timer);
    },
  };
}
