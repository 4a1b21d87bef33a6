import type { Exchange } from "../support/exchange.ts";
import { restartBetweenCalls, type Scenario, struck } from "../support/scenario.ts";

const server = { speaks: "sse" } as const;
const entry = { transport: "sse" };
const over = (scenario: Scenario): Scenario => ({
  ...scenario,
  server: { ...server, ...scenario.server },
  entry: { ...entry, ...scenario.entry },
});

/** The one stream that carries every answer. */
const stream = (x: Exchange) => x.server.streams.at(-1)?.connection;

/** Servers of 2024-11-05: what is posted is answered on a stream, which can be lost. */
export const sse: Scenario[] = [
  over({ name: "HTTP+SSE: answers on its stream", strikes: 0 }),
  over({
    name: "HTTP+SSE: found where Streamable HTTP is refused",
    strikes: 0,
    entry: { transport: "auto" },
  }),
  over({
    name: "HTTP+SSE: ends the stream before it executes the call",
    fault: async (x) => {
      await x.answer(202);
      stream(x)?.end();
    },
    answer: "outcome-unknown",
    executed: 0,
    arrived: 1,
  }),
  over({
    name: "HTTP+SSE: executes the call and resets the stream",
    fault: async (x) => {
      x.execute();
      await x.answer(202);
      stream(x)?.reset();
    },
    answer: "outcome-unknown",
  }),
  over({
    name: "HTTP+SSE: executes a read-only call and ends the stream: it is repeated on another",
    tool: "read",
    strikes: 1,
    fault: async (x) => {
      x.execute();
      await x.answer(202);
      stream(x)?.end();
    },
    answer: "result",
    executed: 2,
  }),
  over({
    name: "HTTP+SSE: executes the call and resets the connection it was posted on",
    fault: (x) => {
      x.execute();
      x.connection.reset();
    },
    answer: "outcome-unknown",
  }),
  over({
    name: "HTTP+SSE: executes the call and never answers",
    fault: (x) => {
      x.execute();
      void x.answer(202);
    },
    answer: "timeout",
  }),
  over({
    name: "HTTP+SSE: tells another id first, then the right one, twice",
    fault: async (x) => {
      const text = x.execute();
      await x.answer(202);
      await x.say(x.execute('"another"').replace(struck, "wrong"));
      await x.say(text);
      await x.say(text);
    },
    executed: 2,
    arrived: 1,
  }),
  over({
    name: "HTTP+SSE: 500 for the message after it executed",
    fault: (x) => {
      x.execute();
      return x.answer(500, "broken", { "Content-Type": "text/plain" });
    },
    answer: "server-error",
  }),
  over({
    name: "HTTP+SSE: 429 for the message: repeated",
    strikes: 1,
    fault: (x) => x.answer(429, "later", { "Content-Type": "text/plain", "Retry-After": "0" }),
    arrived: 2,
  }),
  over({
    name: "HTTP+SSE: sends an event that is no message before the answer",
    fault: async (x) => {
      const text = x.execute();
      await x.answer(202);
      await x.say("hello");
      await x.say(text);
    },
    answer: ["result", "outcome-unknown", "bad-answer"],
  }),
  over({
    name: "HTTP+SSE: 429 with an error of JSON-RPC for the call: repeated",
    strikes: 1,
    fault: (x) => x.answer(429, x.refusal(-32000, "slow down")),
    arrived: 2,
  }),
  over({
    name: "HTTP+SSE: restarts between two calls",
    play: restartBetweenCalls,
  }),
  over({
    name: "HTTP+SSE: goes down during a call and comes back",
    entry: { timeoutSec: 6 },
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        void x.answer(202);
        return true;
      };
      const id = trip.call(struck);
      await trip.client.until(() => trip.server.received(struck) > 0, 3000);
      trip.server.stop();
      await trip.ends(id, "outcome-unknown");
      trip.times(struck, 0);
      trip.server.start();
      await trip.next();
    },
  }),
  over({
    name: "HTTP+SSE: names a URL for messages on another origin: refused",
    play: async (trip) => {
      trip.server.respond = (x) => {
        if (x.method !== "GET") return false;
        void x.events();
        void x.connection.write("event: endpoint\ndata: http://127.0.0.1:9/post\n\n");
        return true;
      };
      await trip.ends(trip.initialize(), "refused");
      trip.check(trip.seen((x) => x.method === "POST").length === 0, "executed", "it was posted");
      trip.server.respond = () => false;
      await trip.connect();
      await trip.next();
    },
  }),
];
