/**
 * How many requests to one server are under way. The run time tells nothing of its pool, but as long as all of the
 * connections there are were in use at some moment, none of them can have been idle for longer than since then.
 */
export class InFlightRequests {
  #underWay = 0;
  /** Most that were under way since the pool was closed: there are no more connections than that. */
  #most = 0;
  #fullAt = 0;
  #isSuspect = false;

  /** When the connection that has been idle for longest was in use, at the earliest (`performance.now()`). */
  get fullAt(): number {
    return this.#fullAt;
  }

  /** Whether a request got no answer: its connection may be dead without a word, and so may the idle ones. */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  /** A request is about to take a connection, or to open one. */
  enter(): void {
    if (this.#underWay === this.#most) {
      this.#fullAt = performance.now();
      this.#most++;
    }
    this.#underWay++;
  }

  /** A request is done with its connection. */
  leave(): void {
    if (this.#underWay === this.#most) this.#fullAt = performance.now();
    this.#underWay--;
  }

  suspect(): void {
    this.#isSuspect = true;
  }

  /** The idle connections were closed. */
  resetPool(): void {
    this.#most = this.#underWay;
    this.#fullAt = performance.now();
    this.#isSuspect = false;
  }
}
