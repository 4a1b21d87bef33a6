import type { Message } from "../wire/message.ts";
import type { CallContext, Deliver, Upstream } from "./core/types.ts";

/** An upstream that is made when the first message wants to pass: nothing of it runs before. */
export class LazyUpstream implements Upstream {
  readonly #make: () => Promise<Upstream>;
  #coming: Promise<Upstream> | undefined;
  #made: Upstream | undefined;

  constructor(make: () => Promise<Upstream>) {
    this.#make = make;
  }

  /** Messages that come while it is made pass in their order. */
  send(message: Message, deliver: Deliver, signal: AbortSignal, call?: CallContext): Promise<void> {
    if (this.#made !== undefined) return this.#made.send(message, deliver, signal, call);
    return this.#get().then((made) => made.send(message, deliver, signal, call));
  }

  async listen(deliver: Deliver, signal: AbortSignal): Promise<void> {
    await (await this.#get()).listen(deliver, signal);
  }

  async close(deadlineMs: number): Promise<void> {
    await (await this.#coming)?.close(deadlineMs);
  }

  #get(): Promise<Upstream> {
    this.#coming ??= this.#make().then((made) => {
      this.#made = made;
      return made;
    });
    return this.#coming;
  }
}
