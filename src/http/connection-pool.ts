import type { InFlightRequests } from "./in-flight.ts";

/** How long a server that says nothing keeps an idle connection, less the time to use it: Node's 5 s less 1 s. */
const usualMs = 4000;
const reserveMs = 1000;
/** An origin that has answered this recently is connected, or tells of it at once. */
const freshMs = 100;

interface Origin {
  /** When it answered last. */
  readonly usedAt: number;
  /** How long it keeps idle connections, as far as we rely on it. */
  readonly keptMs: number;
}

/**
 * The pool of connections, and how long its origins have been idle. A server closes an idle connection just as we
 * write on it, Bun does not look at `Keep-Alive: timeout`, and whether the request was executed is then unknown.
 */
export class ConnectionPool {
  readonly pool = new Bun.FetchSession();
  readonly #inFlight: InFlightRequests | undefined;
  readonly #origins = new Map<string, Origin>();
  readonly #silent = new Set<string>();

  /** `crowd`: the requests under way, where somebody counts them. */
  constructor(inFlight?: InFlightRequests) {
    this.#inFlight = inFlight;
  }

  /** Notes the head of an answer: its connection is warm now. */
  note(origin: string, { headers }: Response): void {
    const header = headers.get("keep-alive");
    const said = header === null ? undefined : /\btimeout=(\d+)/i.exec(header)?.[1];
    const keptMs = said === undefined ? usualMs : Number(said) * 1000 - reserveMs;
    this.#origins.set(origin, { usedAt: performance.now(), keptMs });
    if (this.#silent.size > 0) this.#silent.delete(origin);
  }

  /** Whether the origin has answered in this run. */
  knows(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** Whether it has answered just now: its connections come about. */
  isFresh(origin: string): boolean {
    const known = this.#origins.get(origin);
    return known !== undefined && performance.now() - known.usedAt < freshMs;
  }

  /** Notes that no connection to the origin came about. */
  noteSilence(origin: string): void {
    this.#silent.add(origin);
  }

  /** Whether that is the last that is known of it. */
  isSilent(origin: string): boolean {
    return this.#silent.has(origin);
  }

  /** Closes the idle connections where the server may be closing them, too, and that matters: the next request opens one. */
  dropStale(origin: string, matters: () => boolean): void {
    if (this.#inFlight?.isSuspect === true || (this.#mayBeStale(origin) && matters())) {
      this.pool.close();
      this.#inFlight?.resetPool();
    }
  }

  #mayBeStale(origin: string): boolean {
    const known = this.#origins.get(origin);
    if (known === undefined) return false;
    return performance.now() - (this.#inFlight?.fullAt ?? known.usedAt) >= known.keptMs;
  }
}
