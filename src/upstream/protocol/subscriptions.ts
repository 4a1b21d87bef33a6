// subscriptions/listen on behalf of a client that has resources/subscribe and expects list changes unasked.

import { sleep } from "../../platform/async.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { type Message, requestOf } from "../../wire/message.ts";
import { errorCodeOf } from "../core/stateless-protocol.ts";
import type { Deliver, ServerScope, Upstream } from "../core/types.ts";
import { isCredentialError } from "../transport/authorize.ts";

interface ListenOptions extends ServerScope {
  readonly next: Upstream;
  /** Resolves once the server has accepted another credential than the one that it refused. */
  readonly anotherCredential: (signal: AbortSignal) => Promise<void>;
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
/** So many shorter streams in a row are opened again at once; a server that ends every stream early would else be asked without a pause. */
const shortStreams = 3;
/** JSON-RPC's words for a server that has no subscriptions, and for one that cannot serve them just now. */
const unknownMethod = -32601;
const internalError = -32603;
/** How long a subscribe waits for the server's acknowledgement before it is answered anyway. */
const acknowledgeMs = 5000;

/** The one stream on which a modern server tells what changed. */
export class Subscriptions {
  readonly #options: ListenOptions;
  readonly #lists: string[] = [];
  readonly #uris = new Set<string>();
  #stream = new AbortController();
  /** Whether the server took the filter of the last stream. */
  #isTaken = false;
  /** Whether the last stream was refused for its credential. */
  #isRefused = false;
  #changed = Promise.withResolvers<void>();
  /** Resolves when the server has taken the filter, to its error where it refuses. */
  #acknowledged = Promise.withResolvers<Message | undefined>();
  /** The server's word that it has no subscriptions at all. */
  #none: Message | undefined;
  /** The change under way: where a filter is refused, the last one is what it was refused for. */
  #turn: Promise<unknown> = Promise.resolve();

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

  /** Adds or removes a resource, one after another; resolves when the server has taken it, to its error where it refuses. */
  change(uri: string, isWanted: boolean): Promise<Message | undefined> {
    const changed = this.#turn.then(() => this.#change(uri, isWanted));
    this.#turn = changed;
    return changed;
  }

  async #change(uri: string, isWanted: boolean): Promise<Message | undefined> {
    if (this.#uris.has(uri) === isWanted) return undefined;
    if (this.#none !== undefined) return this.#none;
    this.#acknowledged = Promise.withResolvers();
    this.#set(uri, isWanted);
    if (this.#filter() === undefined) return undefined;
    const { promise } = this.#acknowledged;
    const refusal = await Promise.race([promise, Bun.sleep(acknowledgeMs).then(() => undefined)]);
    if (refusal === undefined || !isWanted) return undefined;
    // It would keep everything else from being told, too.
    this.#set(uri, false);
    return refusal;
  }

  #set(uri: string, isWanted: boolean): void {
    if (isWanted) this.#uris.add(uri);
    else this.#uris.delete(uri);
    this.#stream.abort({ by: "closing" });
    this.#changed.resolve();
  }

  /** Delivers what changes, until the signal; a stream that ends is opened again. */
  async run(deliver: Deliver, signal: AbortSignal): Promise<void> {
    for (let failures = 0, short = 0; !signal.aborted; ) {
      const filter = this.#filter();
      this.#changed = Promise.withResolvers<void>();
      if (filter === undefined) {
        await Promise.race([this.#changed.promise, aborted(signal)]);
        continue;
      }
      this.#stream = new AbortController();
      const stream = this.#stream.signal;
      const startedAt = this.#options.now();
      const either = AbortSignal.any([signal, stream]);
      this.#isTaken = false;
      this.#isRefused = false;
      const hasServed = await this.#listen(filter, deliver, either);
      if (this.#none !== undefined) return;
      const isLasting = this.#options.now() - startedAt > lastingMs;
      failures = hasServed || isLasting ? 0 : failures + 1;
      short = isLasting ? 0 : short + 1;
      if (stream.aborted) continue;
      // A server that restarts ends a stream that was well; what it says until the next one is open is lost.
      if (this.#isTaken && short <= shortStreams) continue;
      // Each further attempt would renew the credential once more.
      if (this.#isRefused) await this.#options.anotherCredential(either).catch(() => undefined);
      const backoff = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failures, 8));
      await sleep(backoff, either).catch(() => undefined);
    }
  }

  /** One stream, to its end; true where something came that had changed. */
  async #listen(filter: string, deliver: Deliver, signal: AbortSignal): Promise<boolean> {
    const { next, log, name, ids, meta } = this.#options;
    const params = `{"_meta":{${meta()}},"notifications":${filter}}`;
    let hasServed = false;
    const take = async (said: Message) => {
      if (said.head.kind === "response") {
        if (said.head.isError !== true) return;
        const code = errorCodeOf(said);
        // Nobody has to wait for what will not come.
        this.#acknowledged.resolve(code === internalError ? undefined : said);
        if (code === unknownMethod) this.#none = said;
        log.warn("not listening", {
          server: name,
          error: String(said.value(["error", "message"])),
        });
        return;
      }
      if (said.head.method === "notifications/subscriptions/acknowledged") {
        this.#isTaken = true;
        this.#acknowledged.resolve(undefined);
        return;
      }
      this.#isTaken = true;
      hasServed = true;
      await deliver(said);
    };
    try {
      await next.send(requestOf(ids.next("listen"), "subscriptions/listen", params), take, signal);
    } catch (error) {
      this.#isRefused = isCredentialError(error);
      if (!signal.aborted)
        log.debug("listening stream broke", { server: name, error: asBridgeError(error).message });
    }
    return hasServed;
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
