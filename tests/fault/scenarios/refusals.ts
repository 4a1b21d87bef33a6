import type { Exchange } from "../support/exchange.ts";
import { restartBetweenCalls, type Scenario, struck } from "../support/scenario.ts";

const status =
  (code: number, headers: Record<string, string> = {}, body = "no") =>
  (x: Exchange) =>
    x.answer(code, body, { "Content-Type": "text/plain", ...headers });

/** Servers that are down, restart, or say not now. */
export const refusals: Scenario[] = [
  {
    name: "is down at the start and comes up: initialize is answered",
    entry: { timeoutSec: 8 },
    play: async (trip) => {
      trip.server.stop();
      const id = trip.initialize();
      await trip.client.until(() => false, 400);
      trip.server.start();
      await trip.ends(id, "any result");
      await trip.next();
    },
  },
  {
    name: "stays down: the client learns it in time, and finds it when it is up",
    play: async (trip) => {
      trip.server.stop();
      await trip.ends(trip.initialize(), ["connection-refused", "timeout"]);
      trip.server.start();
      await trip.connect();
      await trip.next();
    },
  },
  {
    name: "restarts between two calls",
    play: restartBetweenCalls,
  },
  {
    name: "goes down between two calls and comes back before the deadline",
    entry: { timeoutSec: 6 },
    play: async (trip) => {
      await trip.connect();
      trip.server.stop();
      const id = trip.call(struck);
      await trip.client.until(() => false, 300);
      trip.server.start();
      await trip.ends(id, "result");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "goes down and stays down during a call",
    play: async (trip) => {
      await trip.connect();
      trip.server.stop();
      await trip.ends(trip.call(struck), ["connection-refused", "timeout"]);
      trip.times(struck, 0);
      trip.server.start();
      await trip.next();
    },
  },
  {
    name: "stays down: once the circuit is open, the client is told at once, until the server is back",
    entry: { timeoutSec: 20 },
    play: async (trip) => {
      await trip.connect();
      trip.server.stop();
      await trip.ends(trip.call("first"), "connection-refused");
      const startedAt = performance.now();
      for (let n = 0; n < 5; n += 1) await trip.ends(trip.call(`more-${n}`), "connection-refused");
      const took = Math.round(performance.now() - startedAt);
      // One that waited would take three seconds.
      trip.check(took < 2000, "time", `five calls took ${took} ms`);
      trip.server.start();
      await trip.next();
    },
  },
  {
    name: "503 with Retry-After: repeated",
    strikes: 1,
    fault: status(503, { "Retry-After": "0" }),
    arrived: 2,
  },
  {
    name: "503 with a Retry-After date: repeated",
    strikes: 1,
    fault: (x) => status(503, { "Retry-After": new Date(Date.now()).toUTCString() })(x),
    arrived: 2,
  },
  {
    name: "429 with Retry-After: repeated",
    strikes: 1,
    fault: status(429, { "Retry-After": "0" }),
    arrived: 2,
  },
  { name: "429 without Retry-After: repeated", strikes: 1, fault: status(429), arrived: 2 },
  {
    name: "429 with an error of JSON-RPC for the call: repeated",
    strikes: 1,
    fault: (x) => x.answer(429, x.refusal(-32000, "slow down")),
    arrived: 2,
  },
  {
    name: "503 with Retry-After and an error of JSON-RPC for the call: repeated",
    strikes: 1,
    fault: (x) => x.answer(503, x.refusal(-32000, "not now"), { "Retry-After": "0" }),
    arrived: 2,
  },
  {
    name: "429 with an error of JSON-RPC for ever: it reaches the client as it is",
    fault: (x) => x.answer(429, x.refusal(-32017, "slow down"), { "Retry-After": "0" }),
    answer: "code:-32017",
    executed: 0,
    arrived: 3,
  },
  {
    name: "429 for ever: it ends",
    fault: status(429),
    answer: ["rate-limited", "timeout"],
    executed: 0,
    arrived: [2, 3],
  },
  {
    name: "503 that asks for a day of patience: not waited for",
    fault: status(503, { "Retry-After": "86400" }),
    answer: ["server-error", "rate-limited"],
    executed: 0,
    arrived: [1, 2],
  },
  {
    name: "503 without Retry-After: a call that is not marked is not repeated",
    fault: status(503),
    answer: "server-error",
    executed: 0,
    arrived: 1,
  },
  {
    name: "502 after it executed: a call that is not marked is not repeated",
    fault: (x) => {
      x.execute();
      return status(502)(x);
    },
    answer: "server-error",
  },
  {
    name: "502 after it executed: a read-only call is repeated",
    tool: "read",
    strikes: 1,
    fault: (x) => {
      x.execute();
      return status(502)(x);
    },
    executed: 2,
  },
  {
    name: "504 for an idempotent call: repeated",
    tool: "repeat",
    strikes: 1,
    fault: status(504),
    arrived: 2,
  },
  {
    name: "500 with an error of JSON-RPC: it reaches the client as it is",
    fault: (x) => {
      x.execute();
      return x.answer(500, `{"jsonrpc":"2.0","id":${x.id},"error":{"code":-32042,"message":"m"}}`);
    },
    answer: "code:-32042",
  },
  {
    name: "401: the token was refused",
    fault: status(401, {}, "token expired"),
    answer: "unauthorized",
    executed: 0,
    arrived: [1, 2],
  },
  { name: "403: forbidden", fault: status(403), answer: "forbidden", executed: 0, arrived: 1 },
  {
    name: "404 outside a session: not found",
    fault: status(404),
    answer: "server-not-found",
    executed: 0,
    arrived: 1,
  },
  {
    name: "accepts and closes at once, every time",
    play: async (trip) => {
      await trip.connect();
      for (const connection of trip.server.connections) connection.reset();
      trip.server.opened = (connection) => {
        connection.end();
        return true;
      };
      await trip.ends(trip.call(struck), ["outcome-unknown", "unreachable"]);
      trip.times(struck, 0);
      trip.server.opened = () => false;
      await trip.next();
    },
  },
];
