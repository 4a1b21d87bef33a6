/** How long a server that says nothing keeps an idle connection, less the time to use it: Node's 5 s less 1 s. */
const usualMs = 4000;
const reserveMs = 1000;

/**
 * The pool of connections, and how long its origins have been idle. A server closes an idle connection just as we
 * write on it, Bun does not look at `Keep-Alive: timeout`, and whether the request was executed is then unknown.
 */
export class Warmth {
  readonly pool = new Bun.FetchSession();
  readonly #origins = new Map<string, { usedAt: number; keptMs: number }>();

  /** Notes the head of an answer: its connection is warm now. */
  note(origin: string, { headers }: Response): void {
    const header = headers.get("keep-alive");
    const said = header === null ? undefined : /\btimeout=(\d+)/i.exec(header)?.[1];
    const keptMs = said === undefined ? usualMs : Number(said) * 1000 - reserveMs;
    this.#origins.set(origin, { usedAt: performance.now(), keptMs });
  }

  /** Whether the origin has answered in this run: its connections come about. */
  knows(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /** Closes the idle connections where the server may be closing them, too, and that matters: the next request opens one. */
  dropStale(origin: string, matters: () => boolean): void {
    const known = this.#origins.get(origin);
    if (known === undefined || performance.now() - known.usedAt < known.keptMs) return;
    if (matters()) this.pool.close();
  }
}
