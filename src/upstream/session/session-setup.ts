// Records the log level and subscriptions that a client set in its session, and sets them again in a new session.
import { asBridgeError } from "../../wire/errors.ts";
import { type Message, requestOf } from "../../wire/message.ts";
import type { Deliver, ServerScope, Upstream } from "../core/types.ts";

const setLevel = "logging/setLevel";
const subscribe = "resources/subscribe";
const unsubscribe = "resources/unsubscribe";
const methods = new Set<string | undefined>([setLevel, subscribe, unsubscribe]);

/** Most subscriptions that are renewed. */
const maxSubscriptions = 1000;
/** Renewed at a time: more would take the connections of other requests. */
const atOnce = 10;

/** The log level and the subscriptions of one client. */
export class SessionSetup {
  /** `params` of the last logging/setLevel, as JSON text. */
  #level: string | undefined;
  /** `params` of each resources/subscribe, as JSON text, by URI. */
  readonly #subscriptions = new Map<unknown, string>();

  /** Wraps `deliver`: records what `request` sets once the server has answered it. */
  noting(request: Message, deliver: Deliver): Deliver {
    if (!methods.has(request.head.method)) return deliver;
    return (incoming) => {
      if (incoming.head.kind === "response" && incoming.head.isError !== true) this.#note(request);
      return deliver(incoming);
    };
  }

  /** Forgets everything: the client initializes again. */
  clear(): void {
    this.#level = undefined;
    this.#subscriptions.clear();
  }

  /** Repeats the recorded requests in a new session; failures are only logged. */
  async renew(next: Upstream, { log, ids }: ServerScope, signal: AbortSignal): Promise<void> {
    const level = this.#level === undefined ? [] : [[setLevel, this.#level] as const];
    const uris = [...this.#subscriptions.values()].map((params) => [subscribe, params] as const);
    const all = [...level, ...uris];
    for (let at = 0; at < all.length && !signal.aborted; at += atOnce)
      await Promise.all(
        all.slice(at, at + atOnce).map(([method, params]) => {
          const request = requestOf(ids.next("renewal"), method, params);
          return next
            .send(request, async () => undefined, signal)
            .catch((error) =>
              log.debug("not renewed", { method, error: asBridgeError(error).message }),
            );
        }),
      );
  }

  #note(request: Message): void {
    const params = request.text(["params"]) ?? "{}";
    if (request.head.method === setLevel) this.#level = params;
    else {
      const uri = request.value(["params", "uri"]);
      this.#subscriptions.delete(uri);
      if (request.head.method === subscribe && this.#subscriptions.size < maxSubscriptions)
        this.#subscriptions.set(uri, params);
    }
  }
}
