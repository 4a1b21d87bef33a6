// subscriptions/listen on behalf of a client that has resources/subscribe and expects list changes unasked.
import type { Log } from "../host/log.ts";
import { asBridgeError } from "../wire/errors.ts";
import { type Message, requestOf } from "../wire/message.ts";
import { sleep } from "./event-stream.ts";
import type { Deliver, Upstream } from "./types.ts";

interface ListenOptions {
  readonly next: Upstream;
  readonly log: Log;
  readonly name: string;
  /** Members of `_meta`, as JSON text. */
  readonly meta: () => string;
}

/** What the server declared that it can tell. */
interface Declared {
  readonly tools?: { readonly listChanged?: unknown };
  readonly prompts?: { readonly listChanged?: unknown };
  readonly resources?: { readonly listChanged?: unknown };
}

const firstBackoffMs = 500;
const longestBackoffMs = 60_000;
/** A stream that lasted this long was well: the next is opened soon. */
const lastingMs = 5000;
/** JSON-RPC's word for a server that has no subscriptions. */
const unknownMethod = -32601;
/** How long a subscribe waits for the server's acknowledgement before it is answered anyway. */
const acknowledgeMs = 5000;
let listens = 0;

/** The one stream on which a modern server tells what changed. */
export class Subscriptions {
  readonly #options: ListenOptions;
  readonly #lists: string[] = [];
  readonly #uris = new Set<string>();
  #isRunning = false;
  #stream = new AbortController();
  #changed = Promise.withResolvers<void>();
  #acknowledged = Promise.withResolvers<void>();

  constructor(options: ListenOptions) {
    this.#options = options;
  }

  /** Notes which list changes the server tells of, from its capabilities. */
  declare(capabilities: unknown): void {
    const { tools, prompts, resources } = (capabilities ?? {}) as Declared;
    if (tools?.listChanged === true) this.#lists.push("toolsListChanged");
    if (prompts?.listChanged === true) this.#lists.push("promptsListChanged");
    if (resources?.listChanged === true) this.#lists.push("resourcesListChanged");
  }

  /** Adds or removes a resource; resolves when the server has taken it. */
  async change(uri: string, isWanted: boolean): Promise<void> {
    if (this.#uris.has(uri) === isWanted) return;
    if (isWanted) this.#uris.add(uri);
    else this.#uris.delete(uri);
    const acknowledged = Promise.withResolvers<void>();
    // The stream that is opened next holds what earlier ones wait for, too.
    acknowledged.promise.then(this.#acknowledged.resolve);
    this.#acknowledged = acknowledged;
    this.#stream.abort({ by: "closing" });
    this.#changed.resolve();
    if (!this.#isRunning || this.#filter() === undefined) return;
    await Promise.race([acknowledged.promise, Bun.sleep(acknowledgeMs)]);
  }

  /** Delivers what changes, until the signal; a stream that ends is opened again. */
  async run(deliver: Deliver, signal: AbortSignal): Promise<void> {
    this.#isRunning = true;
    for (let failures = 0; !signal.aborted; ) {
      const filter = this.#filter();
      this.#changed = Promise.withResolvers<void>();
      if (filter === undefined) {
        await Promise.race([this.#changed.promise, aborted(signal)]);
        continue;
      }
      this.#stream = new AbortController();
      const stream = this.#stream.signal;
      const startedAt = performance.now();
      const end = await this.#listen(filter, deliver, AbortSignal.any([signal, stream]));
      if (end === "refused") {
        this.#isRunning = false;
        return;
      }
      const isWell = end === "served" || performance.now() - startedAt > lastingMs;
      failures = isWell ? 0 : failures + 1;
      if (stream.aborted) continue;
      const backoff = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failures, 8));
      await sleep(backoff, AbortSignal.any([signal, stream])).catch(() => undefined);
    }
  }

  /** One stream, to its end. */
  async #listen(filter: string, deliver: Deliver, signal: AbortSignal) {
    const { next, log, name, meta } = this.#options;
    const id = JSON.stringify(`bridge-listen-${listens++}`);
    const params = `{"_meta":{${meta()}},"notifications":${filter}}`;
    let end = "nothing" as "served" | "refused" | "nothing";
    const take = async (said: Message) => {
      if (said.head.kind === "response") {
        if (said.head.isError !== true) return;
        // Nobody has to wait for what will not come.
        this.#acknowledged.resolve();
        if (said.value(["error", "code"]) === unknownMethod) end = "refused";
        log.warn("not listening", {
          server: name,
          error: String(said.value(["error", "message"])),
        });
        return;
      }
      if (said.head.method === "notifications/subscriptions/acknowledged") {
        this.#acknowledged.resolve();
        return;
      }
      end = "served";
      await deliver(said);
    };
    try {
      await next.send(requestOf(id, "subscriptions/listen", params), take, signal);
    } catch (error) {
      if (!signal.aborted)
        log.debug("listening stream broke", { server: name, error: asBridgeError(error).message });
    }
    return end;
  }

  /** What to listen to, as JSON text; undefined for nothing. */
  #filter(): string | undefined {
    if (this.#lists.length === 0 && this.#uris.size === 0) return undefined;
    const lists = Object.fromEntries(this.#lists.map((list) => [list, true]));
    const uris = this.#uris.size === 0 ? {} : { resourceSubscriptions: [...this.#uris] };
    return JSON.stringify({ ...lists, ...uris });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
