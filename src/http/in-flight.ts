/**
 * Counts the requests to one server that are under way. Bun does not expose its pool. If every connection was busy at
 * time T, none has been idle since before T.
 */
export class InFlightRequests {
  #underWay = 0;
  /** Most requests in flight at once since the pool was closed: the pool has at most that many connections. */
  #most = 0;
  #fullAt = 0;
  #isSuspect = false;

  /** The last time at which every connection was busy (`performance.now()`). */
  get fullAt(): number {
    return this.#fullAt;
  }

  /** Whether a request got no answer: its connection may be half-open, and so may the idle ones. */
  get isSuspect(): boolean {
    return this.#isSuspect;
  }

  /** A request is about to be sent. */
  enter(): void {
    if (this.#underWay === this.#most) {
      this.#fullAt = performance.now();
      this.#most++;
    }
    this.#underWay++;
  }

  /** A request has ended. */
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
