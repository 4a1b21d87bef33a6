import type { TlsOptions } from "./certificates.ts";
import type { InFlightRequests } from "./in-flight.ts";

/** How long an idle connection is used where the server sends no `Keep-Alive: timeout`: Node closes after 5 s, less a reserve of 1 s. */
const usualMs = 4000;
const reserveMs = 1000;
/** An origin that answered this recently has an open connection, or refuses at once. */
const freshMs = 100;

interface Origin {
  /** When its last answer came (`performance.now()`). */
  readonly usedAt: number;
  /** How long its idle connections are used. */
  readonly keptMs: number;
}

/**
 * Bun's connection pool, and how long the connections to each origin have been idle. Bun ignores `Keep-Alive: timeout`: a
 * request that is written just as the server closes its idle connection may have been executed.
 */
export class ConnectionPool {
  readonly #plain = new Bun.FetchSession();
  readonly #secure = new Map<TlsOptions, Bun.FetchSession>();
  readonly #inFlight: InFlightRequests | undefined;
  readonly #origins = new Map<string, Origin>();
  readonly #silent = new Set<string>();

  constructor(inFlight?: InFlightRequests) {
    this.#inFlight = inFlight;
  }

  /**
   * The pool for connections with these TLS options; equal options must be the same object. Bun reads options that stand
   * in a request anew each time: 80 microseconds of a call where they hold the roots (measured in process).
   */
  session(tls: TlsOptions | undefined): Bun.FetchSession {
    if (tls === undefined) return this.#plain;
    const known = this.#secure.get(tls);
    if (known !== undefined) return known;
    const made = new Bun.FetchSession({ tls });
    this.#secure.set(tls, made);
    return made;
  }

  /** Notes an answer: the origin has an open connection from now on. */
  note(origin: string, { headers }: Response): void {
    const header = headers.get("keep-alive");
    const seconds = header === null ? undefined : /\btimeout=(\d+)/i.exec(header)?.[1];
    const keptMs = seconds === undefined ? usualMs : Number(seconds) * 1000 - reserveMs;
    this.#origins.set(origin, { usedAt: performance.now(), keptMs });
    if (this.#silent.size > 0) this.#silent.delete(origin);
  }

  /** Whether the origin has answered in this run. */
  knows(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** Whether the origin answered within the last 100 ms. */
  isFresh(origin: string): boolean {
    const known = this.#origins.get(origin);
    return known !== undefined && performance.now() - known.usedAt < freshMs;
  }

  /** Notes that a connection to the origin was not established in time. */
  noteSilence(origin: string): void {
    this.#silent.add(origin);
  }

  /** Whether the last attempt to connect to the origin timed out. */
  isSilent(origin: string): boolean {
    return this.#silent.has(origin);
  }

  /** Closes the pool's idle connections where the server may be closing them too and `matters()` is true; the next request opens a new one. */
  dropStale(origin: string, matters: () => boolean): void {
    if (this.#inFlight?.isSuspect === true || (this.#mayBeStale(origin) && matters())) {
      for (const session of [this.#plain, ...this.#secure.values()]) session.close();
      this.#inFlight?.resetPool();
    }
  }

  #mayBeStale(origin: string): boolean {
    const known = this.#origins.get(origin);
    if (known === undefined) return false;
    return performance.now() - (this.#inFlight?.fullAt ?? known.usedAt) >= known.keptMs;
  }
}
