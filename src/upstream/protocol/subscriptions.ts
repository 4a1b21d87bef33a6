// Keeps one subscriptions/listen open for a session client, which uses resources/subscribe and gets list changes unasked.

import { sleep } from "../../platform/async.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { type Message, requestOf } from "../../wire/message.ts";
import { errorCodeOf } from "../core/stateless-protocol.ts";
import type { Deliver, ServerScope, Upstream } from "../core/types.ts";
import { isCredentialError } from "../transport/authorize.ts";

interface ListenOptions extends ServerScope {
  readonly next: Upstream;
  /** Resolves once the server has accepted a credential other than the refused one. */
  readonly anotherCredential: (signal: AbortSignal) => Promise<void>;
  /** Members of `_meta`, as JSON text. */
  readonly meta: () => string;
}

/** Server capabilities that announce changes. */
interface Declared {
  readonly tools?: { readonly listChanged?: unknown };
  readonly prompts?: { readonly listChanged?: unknown };
  readonly resources?: { readonly listChanged?: unknown };
}

const firstBackoffMs = 500;
const longestBackoffMs = 60_000;
/** A stream that lasted this long was healthy: the backoff starts again. */
const lastingMs = 5000;
/** Most shorter streams in a row that are reopened without backoff: a server may end every stream early. */
const shortStreams = 3;
/** JSON-RPC codes of a server that has no subscriptions, and of one that cannot serve them now. */
const unknownMethod = -32601;
const internalError = -32603;
/** How long a subscribe waits for the server's acknowledgement before it is answered anyway. */
const acknowledgeMs = 5000;

/** The one stream on which a stateless server announces changes. */
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
  /** Resolves when the server has acknowledged the filter, or to its error response. */
  #acknowledged = Promise.withResolvers<Message | undefined>();
  /** The error of a server that has no subscriptions at all. */
  #unsupported: Message | undefined;
  /** The change under way. One at a time: if the server refuses the filter, the last change is the cause. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ListenOptions) {
    this.#options = options;
  }

  /** Reads from the server's capabilities which list changes it announces. */
  declare(capabilities: unknown): void {
    const { tools, prompts, resources } = (capabilities ?? {}) as Declared;
    if (tools?.listChanged === true) this.#lists.push("toolsListChanged");
    if (prompts?.listChanged === true) this.#lists.push("promptsListChanged");
    if (resources?.listChanged === true) this.#lists.push("resourcesListChanged");
  }

  /** Adds or removes a resource; changes run one after another. Resolves when the server has acknowledged it, or to its error response. */
  change(uri: string, isWanted: boolean): Promise<Message | undefined> {
    const changed = this.#turn.then(() => this.#change(uri, isWanted));
    this.#turn = changed;
    return changed;
  }

  async #change(uri: string, isWanted: boolean): Promise<Message | undefined> {
    if (this.#uris.has(uri) === isWanted) return undefined;
    if (this.#unsupported !== undefined) return this.#unsupported;
    this.#acknowledged = Promise.withResolvers();
    this.#set(uri, isWanted);
    if (this.#filter() === undefined) return undefined;
    const { promise } = this.#acknowledged;
    const refusal = await Promise.race([promise, Bun.sleep(acknowledgeMs).then(() => undefined)]);
    if (refusal === undefined || !isWanted) return undefined;
    // The refused resource would keep the whole stream from opening.
    this.#set(uri, false);
    return refusal;
  }

  #set(uri: string, isWanted: boolean): void {
    if (isWanted) this.#uris.add(uri);
    else this.#uris.delete(uri);
    this.#stream.abort({ by: "closing" });
    this.#changed.resolve();
  }

  /** Delivers notifications until the signal; reopens a stream that ends. */
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
      if (this.#unsupported !== undefined) return;
      const isLasting = this.#options.now() - startedAt > lastingMs;
      failures = hasServed || isLasting ? 0 : failures + 1;
      short = isLasting ? 0 : short + 1;
      if (stream.aborted) continue;
      // A restarting server ends a healthy stream. Notifications are lost until the next one is open, so do not wait.
      if (this.#isTaken && short <= shortStreams) continue;
      // Another attempt with the refused credential would only refresh it once more.
      if (this.#isRefused) await this.#options.anotherCredential(either).catch(() => undefined);
      const backoff = Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(failures, 8));
      await sleep(backoff, either).catch(() => undefined);
    }
  }

  /** Reads one stream to its end; true if it delivered a notification. */
  async #listen(filter: string, deliver: Deliver, signal: AbortSignal): Promise<boolean> {
    const { next, log, name, ids, meta } = this.#options;
    const params = `{"_meta":{${meta()}},"notifications":${filter}}`;
    let hasServed = false;
    const take = async (incoming: Message) => {
      if (incoming.head.kind === "response") {
        if (incoming.head.isError !== true) return;
        const code = errorCodeOf(incoming);
        // Subscribers stop waiting for an acknowledgement that will not come.
        this.#acknowledged.resolve(code === internalError ? undefined : incoming);
        if (code === unknownMethod) this.#unsupported = incoming;
        log.warn("not listening", {
          server: name,
          error: String(incoming.value(["error", "message"])),
        });
        return;
      }
      if (incoming.head.method === "notifications/subscriptions/acknowledged") {
        this.#isTaken = true;
        this.#acknowledged.resolve(undefined);
        return;
      }
      this.#isTaken = true;
      hasServed = true;
      await deliver(incoming);
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

  /** The filter of subscriptions/listen, as JSON text; undefined if there is nothing to listen to. */
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
