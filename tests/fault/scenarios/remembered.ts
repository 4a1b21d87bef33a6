import type { Exchange } from "../support/exchange.ts";
import { type Scenario, struck } from "../support/scenario.ts";
import type { Trip } from "../support/trip.ts";

const over = (scenario: Omit<Scenario, "isRemembered">): Scenario => ({
  server: { sessions: true },
  ...scenario,
  isRemembered: true,
});

/** Hits the first request of a method. */
function once(trip: Trip, rpc: string, fault: (x: Exchange) => unknown): void {
  let left = 1;
  trip.server.respond = (x) => {
    if (x.rpc !== rpc || left === 0) return false;
    left -= 1;
    void fault(x);
    return true;
  };
}

/** The first message of the handshake behind the catalog goes wrong: a call may be told so, the next one works. */
const shaken = (
  name: string,
  rpc: string,
  fault: (x: Exchange) => unknown,
  answer: Scenario["answer"],
): Scenario =>
  over({
    name,
    play: async (trip) => {
      once(trip, rpc, fault);
      await trip.ends(trip.initialize(), "any result");
      trip.client.notify("notifications/initialized");
      await trip.ends(trip.call(struck), answer ?? "result");
      trip.times(struck, [0, 1]);
      await trip.next();
    },
  });

/** A second start, whose initialize and lists the catalog answers while the server is still being reached. */
export const remembered: Scenario[] = [
  over({ name: "remembered: the server is as it was", strikes: 0 }),
  over({
    name: "remembered: executes the call and resets",
    fault: (x) => {
      x.execute();
      x.connection.reset();
    },
    answer: "outcome-unknown",
  }),
  shaken("remembered: never answers initialize, once", "initialize", () => {}, "timeout"),
  shaken(
    "remembered: never answers initialized, once",
    "notifications/initialized",
    () => {},
    "timeout",
  ),
  shaken(
    "remembered: resets initialize, once",
    "initialize",
    (x) => x.connection.reset(),
    "result",
  ),
  shaken(
    "remembered: resets initialized, once",
    "notifications/initialized",
    (x) => x.connection.reset(),
    "result",
  ),
  shaken(
    "remembered: refuses initialize, once",
    "initialize",
    (x) => x.answer(400, x.refusal(-32602, "not now")),
    ["server-error", "bad-answer", "code:-32602"],
  ),
  shaken(
    "remembered: 503 for initialize, once",
    "initialize",
    (x) => x.answer(503, "later", { "Content-Type": "text/plain", "Retry-After": "0" }),
    "result",
  ),
  over({
    name: "remembered: is down: the lists are there, calls are told, and it is found when it is up",
    play: async (trip) => {
      trip.server.stop();
      await trip.connect();
      await trip.ends(trip.call(struck), "connection-refused");
      trip.times(struck, 0);
      trip.server.start();
      await trip.next();
    },
  }),
  over({
    name: "remembered: never answers tools/list: the catalog does, in a second",
    play: async (trip) => {
      once(trip, "tools/list", () => {});
      await trip.ends(trip.initialize(), "any result", "next", 1000);
      trip.client.notify("notifications/initialized");
      await trip.ends(trip.client.request("tools/list", {}), "any result", "next", 1000);
      await trip.ends(trip.call(struck), "result");
      trip.times(struck, 1);
      await trip.next();
    },
  }),
  over({
    name: "remembered: a mark that stands in the catalog alone does not count",
    play: async (trip) => {
      once(trip, "tools/list", () => {});
      await trip.ends(trip.initialize(), "any result");
      trip.client.notify("notifications/initialized");
      await trip.ends(trip.client.request("tools/list", {}), "any result");
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        x.execute();
        x.connection.reset();
        return true;
      };
      await trip.ends(trip.call(struck, "read"), "outcome-unknown");
      trip.times(struck, 1);
      await trip.next();
    },
  }),
  over({
    name: "remembered: gives other tools: the client is told",
    play: async (trip) => {
      const held = Promise.withResolvers<void>();
      trip.server.respond = async (x) => {
        if (x.rpc !== "tools/list") return false;
        await held.promise;
        const tools = [{ name: "new", inputSchema: { type: "object" } }];
        void x.json(JSON.stringify({ jsonrpc: "2.0", id: x.message?.id, result: { tools } }));
        return true;
      };
      await trip.connect();
      held.resolve();
      const told = () =>
        trip.client.messages.some((m) => m.method === "notifications/tools/list_changed");
      await trip.client.until(told, 3000);
      trip.check(told(), "answer", "no tools/list_changed");
      await trip.next();
    },
  }),
];
