import type { Exchange } from "../support/exchange.ts";
import { restartBetweenCalls, type Scenario, struck } from "../support/scenario.ts";

const over = (scenario: Scenario): Scenario => ({ server: { speaks: "stateless" }, ...scenario });

const executeThen = (end: (x: Exchange) => unknown) => (x: Exchange) => {
  x.execute();
  end(x);
};

/** What every request of a client of 2026-07-28 carries. */
const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "fault-client", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** Servers of 2026-07-28 that know no session, before clients that initialize and one that does not. */
export const stateless: Scenario[] = [
  over({ name: "stateless: answers a client that initializes", strikes: 0 }),
  over({
    name: "stateless: closes before it executes the call",
    fault: (x) => x.connection.end(),
    answer: "outcome-unknown",
    executed: 0,
    arrived: 1,
  }),
  over({
    name: "stateless: executes the call and resets",
    fault: executeThen((x) => x.connection.reset()),
    answer: "outcome-unknown",
  }),
  over({
    name: "stateless: executes a read-only call and resets: it is repeated",
    tool: "read",
    strikes: 1,
    fault: executeThen((x) => x.connection.reset()),
    answer: "result",
    executed: 2,
  }),
  over({
    name: "stateless: ends an event stream before the answer",
    fault: executeThen(async (x) => {
      await x.events();
      await x.event('{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"x"}}');
      x.connection.end();
    }),
    answer: "outcome-unknown",
  }),
  over({
    name: "stateless: answers another id",
    fault: (x) => x.json(x.execute('"another"')),
    answer: "bad-answer",
  }),
  over({
    name: "stateless: answers with HTML",
    fault: executeThen((x) => x.answer(200, "<html>", { "Content-Type": "text/html" })),
    answer: "bad-answer",
  }),
  over({
    name: "stateless: executes the call and never answers",
    fault: (x) => void x.execute(),
    answer: "timeout",
  }),
  over({
    name: "stateless: 503 with Retry-After: repeated",
    strikes: 1,
    fault: (x) => x.answer(503, "later", { "Content-Type": "text/plain", "Retry-After": "0" }),
    arrived: 2,
  }),
  over({
    name: "stateless: 502 after it executed: a call that is not marked is not repeated",
    fault: executeThen((x) => x.answer(502, "no", { "Content-Type": "text/plain" })),
    answer: "server-error",
  }),
  over({
    name: "stateless: an error of JSON-RPC on 400 reaches the client as it is",
    fault: executeThen((x) => x.answer(400, x.refusal(-32602, "no such thing"))),
    answer: "code:-32602",
  }),
  over({
    name: "stateless: 429 with an error of JSON-RPC for the call: repeated",
    strikes: 1,
    fault: (x) => x.answer(429, x.refusal(-32000, "slow down")),
    arrived: 2,
  }),
  over({
    name: "stateless: restarts between two calls",
    play: restartBetweenCalls,
  }),
  over({
    name: "stateless: resets a call of a client that does not initialize",
    play: async (trip) => {
      await trip.ends(trip.call("first", "write", meta), "result");
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        x.execute();
        x.connection.reset();
        return true;
      };
      await trip.ends(trip.call(struck, "write", meta), "outcome-unknown");
      trip.times(struck, 1);
      trip.server.respond = () => false;
      await trip.ends(trip.call("after", "write", meta), "result");
      trip.times("after", 1);
    },
  }),
  {
    name: "a server of the session protocol that ignores the handshake for a client that makes none",
    server: { sessions: true },
    play: async (trip) => {
      let left = 1;
      trip.server.respond = (x) => {
        if (x.rpc === "server/discover") {
          void x.answer(200, x.refusal(-32601, "no"));
          return true;
        }
        return x.rpc === "initialize" && left-- > 0;
      };
      await trip.ends(trip.call(struck, "write", meta), "timeout");
      trip.times(struck, 0);
      await trip.ends(trip.call("after", "write", meta), "result");
      trip.times("after", 1);
    },
  },
];
