// What a client set up in its session, to be set up again in the one that takes its place.
import { asBridgeError } from "../../wire/errors.ts";
import { type Message, requestOf } from "../../wire/message.ts";
import type { Deliver, ServerScope, Upstream } from "../core/types.ts";

const setLevel = "logging/setLevel";
const subscribe = "resources/subscribe";
const unsubscribe = "resources/unsubscribe";
const methods = new Set<string | undefined>([setLevel, subscribe, unsubscribe]);

/** Subscriptions beyond these are not renewed. */
const maxSubscriptions = 1000;
/** Renewed at a time: all at once would take the places of everything else. */
const atOnce = 10;

/** The log level and the subscriptions of one client. */
export class SessionSetup {
  /** `params` of the last logging/setLevel, as JSON text. */
  #level: string | undefined;
  /** `params` of each resources/subscribe, as JSON text, by the resource. */
  readonly #subscriptions = new Map<unknown, string>();

  /** `deliver`, noting what `request` sets up once the server has taken it. */
  noting(request: Message, deliver: Deliver): Deliver {
    if (!methods.has(request.head.method)) return deliver;
    return (said) => {
      if (said.head.kind === "response" && said.head.isError !== true) this.#note(request);
      return deliver(said);
    };
  }

  /** A client that initializes again has set up nothing. */
  clear(): void {
    this.#level = undefined;
    this.#subscriptions.clear();
  }

  /** Sets everything up in a new session; what the server refuses there is left out. */
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
