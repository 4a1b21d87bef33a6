import type { Exchange } from "../support/exchange.ts";
import { type Scenario, struck } from "../support/scenario.ts";
import type { FaultServer } from "../support/server.ts";
import type { Trip } from "../support/trip.ts";

const server = { sessions: true };

/** What a restart of the server does: every session it gave out is unknown. */
const forget = (of: FaultServer) => of.sessions.clear();

/** One client sees one answer to initialize, however often the bridge repeated it. */
function checkInitializes(trip: Trip, expected: number): void {
  const seen = trip.server.initializes;
  trip.check(seen === expected, "executed", `${seen} initializes, not ${expected}`);
}

/** Sessions that get lost, and servers that handle them badly. */
export const sessions: Scenario[] = [
  {
    name: "404 for a forgotten session: a new one is made and the call goes out again",
    server,
    play: async (trip) => {
      await trip.connect();
      forget(trip.server);
      await trip.ends(trip.call(struck), "result");
      trip.times(struck, 1);
      checkInitializes(trip, 2);
      await trip.next();
    },
  },
  {
    name: "the replayed handshake ends with notifications/initialized in the new session",
    server,
    play: async (trip) => {
      await trip.connect();
      forget(trip.server);
      await trip.ends(trip.call(struck), "result");
      const marks = trip.seen((x) => x.rpc === "notifications/initialized");
      const ids = marks.map((x) => x.headers["mcp-session-id"]).join();
      trip.check(ids === "s-1,s-2", "answer", `initialized went to ${ids}`);
      const again = trip.seen((x) => x.rpc === "initialize")[1];
      trip.check(again?.headers["mcp-session-id"] === undefined, "answer", "old id sent along");
      await trip.next();
    },
  },
  {
    name: "a session lost by eight calls in flight is made anew once",
    server,
    play: async (trip) => {
      await trip.connect();
      forget(trip.server);
      const ids = Array.from({ length: 8 }, (_, n) => trip.call(`many-${n}`));
      for (const id of ids) await trip.ends(id, "result");
      for (const id of ids) trip.times(String(id), 1);
      checkInitializes(trip, 2);
      await trip.next();
    },
  },
  {
    name: "404 for every session: the call ends after one new one",
    server,
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        void x.answer(404, "no session", { "Content-Type": "text/plain" });
        return true;
      };
      await trip.ends(trip.call(struck), "server-not-found");
      trip.arrivals(struck, [1, 3]);
      trip.times(struck, 0);
      await trip.next();
    },
  },
  {
    name: "the new handshake fails: the call ends in time, the next one works",
    server,
    play: async (trip) => {
      await trip.connect();
      forget(trip.server);
      trip.server.respond = (x) => {
        if (x.rpc !== "initialize") return false;
        void x.answer(500, "broken", { "Content-Type": "text/plain" });
        return true;
      };
      await trip.ends(trip.call(struck), ["server-error", "server-not-found", "timeout"]);
      trip.times(struck, 0);
      await trip.next();
    },
  },
  {
    name: "the new handshake is answered in an event stream",
    server,
    play: async (trip) => {
      await trip.connect();
      forget(trip.server);
      trip.server.respond = (x) => {
        if (x.rpc !== "initialize") return false;
        void (async () => {
          const text = x.execute();
          await x.events();
          await x.event(text);
          x.connection.end();
        })();
        return true;
      };
      await trip.ends(trip.call(struck), "result");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "the new handshake gives no session: calls go on without one",
    server,
    play: async (trip) => {
      await trip.connect();
      forget(trip.server);
      trip.server.options = {};
      trip.server.respond = (x) => {
        if (x.headers["mcp-session-id"] === undefined || x.method !== "POST") return false;
        void x.answer(404);
        return true;
      };
      await trip.ends(trip.call(struck), "result");
      const call = trip.seen((x) => x.key === struck).at(-1);
      trip.check(call?.headers["mcp-session-id"] === undefined, "answer", "old id kept");
      await trip.ends(trip.call("after"), "result");
      await trip.next();
    },
  },
  {
    name: "the session dies between two drops: a call that may have run is not repeated",
    server,
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        x.execute();
        forget(trip.server);
        x.connection.reset();
        return true;
      };
      await trip.ends(trip.call(struck), "outcome-unknown");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "the listening stream loses its session: it is opened in the new one",
    server: { sessions: true, listens: true },
    play: async (trip) => {
      await trip.connect();
      await trip.client.until(() => trip.server.streams.length > 0, 3000);
      forget(trip.server);
      trip.server.streams[0]?.connection.end();
      await trip.ends(trip.call(struck), "result");
      const anew = () => trip.server.streams.some((x) => x.headers["mcp-session-id"] === "s-2");
      await trip.client.until(anew, 4000);
      trip.check(anew(), "next", "no listening stream in the new session");
      await trip.next();
    },
  },
  {
    name: "keepAliveSec: an idle session is pinged, and only an idle one",
    server,
    entry: { keepAliveSec: 0.2 },
    play: async (trip) => {
      await trip.connect();
      const pings = () => trip.seen((x) => x.rpc === "ping");
      await trip.client.until(() => pings().length >= 2, 3000);
      trip.check(pings().length >= 2, "time", `${pings().length} pings`);
      trip.check(pings()[0]?.headers["mcp-session-id"] === "s-1", "answer", "no session");
      await trip.next();
    },
  },
  ...(["hangs", "answers 405", "answers 500", "resets"] as const).map(
    (manner): Scenario => ({
      name: `the server ${manner} when the session is ended: the bridge exits all the same`,
      server,
      play: async (trip) => {
        await trip.connect();
        await trip.next();
        trip.server.respond = (x) => {
          if (x.method !== "DELETE") return false;
          endBadly(x, manner);
          return true;
        };
        const startedAt = performance.now();
        const code = await trip.client.end(3000);
        const took = Math.round(performance.now() - startedAt);
        trip.check(code === 0, "end", `exit ${code} after ${took} ms`);
        trip.check(took < 1000, "time", `exit took ${took} ms`);
        const deletes = trip.seen((x) => x.method === "DELETE");
        // Bun repeats a DELETE that was reset by itself: it does no harm twice.
        trip.check(deletes.length > 0, "end", "no DELETE");
        trip.check(deletes[0]?.headers["mcp-session-id"] === "s-1", "end", "wrong session");
        await trip.nextStart();
      },
    }),
  ),
  {
    name: "a mark of a lost session's list does not count in the next one",
    server,
    play: async (trip) => {
      await trip.connect();
      forget(trip.server);
      await trip.ends(trip.call("renewed"), "result");
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
  },
];

function endBadly(x: Exchange, manner: "hangs" | "answers 405" | "answers 500" | "resets"): void {
  if (manner === "answers 405") void x.answer(405);
  if (manner === "answers 500") void x.answer(500);
  if (manner === "resets") x.connection.reset();
}
