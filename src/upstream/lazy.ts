import type { Message } from "../wire/message.ts";
import type { CallContext, Deliver, Upstream } from "./core/types.ts";

/** Creates the upstream when the first message is sent. */
export class LazyUpstream implements Upstream {
  readonly #make: () => Promise<Upstream>;
  #coming: Promise<Upstream> | undefined;
  #made: Upstream | undefined;

  constructor(make: () => Promise<Upstream>) {
    this.#make = make;
  }

  /** Messages that arrive while the upstream is created are sent in their order. */
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
