import type { Deliver, Upstream } from "../../src/upstream/core/types.ts";
import { type Message, responseTo } from "../../src/wire/message.ts";

interface Sent {
  readonly message: Message;
  readonly deliver: Deliver;
  readonly signal: AbortSignal;
  readonly done: PromiseWithResolvers<void>;
}

/** An upstream that the test answers by hand. */
export function handUpstream() {
  const sent: Sent[] = [];
  const waiting: ((one: Sent) => void)[] = [];
  const listens: AbortSignal[] = [];
  const heard = Promise.withResolvers<Deliver>();
  const upstream: Upstream = {
    send(message, deliver, signal) {
      const one = { message, deliver, signal, done: Promise.withResolvers<void>() };
      signal.addEventListener("abort", () => one.done.reject(signal.reason));
      const taker = waiting.shift();
      if (taker) taker(one);
      else sent.push(one);
      return one.done.promise;
    },
    listen: (deliver, signal) => {
      listens.push(signal);
      heard.resolve(deliver);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const next = () => {
    const ready = sent.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise<Sent>((resolve) => waiting.push(resolve));
  };
  const answer = async (one: Sent, result = "{}") => {
    await one.deliver(responseTo(one.message.head.id!, result));
    one.done.resolve();
  };
  /** The receiver of messages on the first listening stream. */
  const listening = () => heard.promise;
  return { upstream, next, answer, sent, listens, listening };
}
