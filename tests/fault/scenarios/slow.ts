import type { Connection } from "../support/connection.ts";
import type { Exchange } from "../support/exchange.ts";
import { type Scenario, struck } from "../support/scenario.ts";

/** Writes the same piece again and again until the other side leaves. */
async function drip(connection: Connection, piece: string | Uint8Array, everyMs: number) {
  while (!connection.isClosed) {
    await connection.write(piece);
    await Bun.sleep(everyMs);
  }
}

const executed = (x: Exchange) => void x.execute();

/** Servers that take their time, or all of it. */
export const slow: Scenario[] = [
  { name: "executes the call and never answers", fault: executed, answer: "timeout" },
  {
    name: "never answers a read-only call, once: it is ended and repeated within its deadline",
    entry: { timeoutSec: 7 },
    play: async (trip) => {
      await trip.connect();
      let left = 1;
      trip.server.respond = (x) => x.key === struck && left-- > 0;
      await trip.ends(trip.call(struck, "read"), "result");
      trip.times(struck, 1);
      trip.arrivals(struck, 2);
      const cancelled = trip.seen(
        (x) => x.rpc === "notifications/cancelled" && x.body.includes(`"${struck}"`),
      );
      trip.check(cancelled.length === 1, "answer", `${cancelled.length} cancellations`);
      const [lost, again] = trip.seen((x) => x.key === struck);
      trip.check(lost?.connection !== again?.connection, "answer", "the connection is the same");
      await trip.next();
    },
  },
  {
    name: "429 with a body that never ends: repeated",
    strikes: 1,
    entry: { timeoutSec: 6 },
    fault: async (x) => {
      await x.chunked(429, "text/plain");
      await x.chunk("slow");
    },
    executed: 1,
    arrived: 2,
  },
  {
    name: "tells the server when it gives a call up",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => x.key === struck;
      await trip.ends(trip.call(struck), "timeout");
      const cancelled = () =>
        trip.seen((x) => x.rpc === "notifications/cancelled" && x.body.includes(`"${struck}"`));
      await trip.client.until(() => cancelled().length > 0, 2000);
      trip.check(cancelled().length === 1, "answer", "no cancellation reached the server");
      await trip.next();
    },
  },
  {
    name: "drips headers for ever",
    fault: async (x) => {
      x.execute();
      await x.connection.write("HTTP/1.1 200 OK\r\n");
      await drip(x.connection, "X-More: y\r\n", 50);
    },
    answer: ["timeout", "outcome-unknown", "bad-answer"],
  },
  {
    name: "sends interim answers for ever",
    fault: (x) => {
      x.execute();
      return drip(x.connection, "HTTP/1.1 102 Processing\r\n\r\n", 20);
    },
    answer: "timeout",
  },
  {
    name: "drips a JSON body for ever",
    fault: async (x) => {
      x.execute();
      await x.chunked(200, "application/json");
      await drip(x.connection, "1\r\n \r\n", 20);
    },
    answer: "timeout",
  },
  {
    name: "sends an endless JSON body as fast as it can",
    entry: { limits: { messageMB: 1 } },
    fault: async (x) => {
      x.execute();
      await x.chunked(200, "application/json");
      const space = " ".repeat(65536);
      await drip(x.connection, `10000\r\n${space}\r\n`, 0);
    },
    answer: "too-large",
    growthMB: 60,
  },
  {
    name: "sends an endless error body",
    fault: async (x) => {
      x.execute();
      await x.chunked(500, "text/plain");
      await drip(x.connection, `10000\r\n${"e".repeat(65536)}\r\n`, 0);
    },
    answer: "server-error",
    growthMB: 60,
  },
  {
    name: "drips an error body for ever",
    fault: async (x) => {
      x.execute();
      await x.chunked(500, "text/plain");
      await drip(x.connection, "1\r\ne\r\n", 20);
    },
    answer: ["server-error", "timeout"],
  },
  {
    name: "answers a notification with an endless body",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.rpc !== "notifications/roots/list_changed") return false;
        void x
          .chunked(202, "text/plain")
          .then(() => drip(x.connection, `10000\r\n${"n".repeat(65536)}\r\n`, 0));
        return true;
      };
      trip.client.notify("notifications/roots/list_changed");
      await trip.ends(trip.call("beside"), "result");
      await trip.growth(60);
      await trip.next();
    },
  },
  {
    name: "answers slowly, but within the deadline",
    fault: async (x) => {
      const text = x.execute();
      await x.chunked(200, "application/json");
      for (const part of text.match(/.{1,20}/g) ?? []) {
        await x.chunk(part);
        await Bun.sleep(100);
      }
      await x.connection.write("0\r\n\r\n");
    },
    answer: "result",
  },
  {
    name: "opens an event stream and says nothing",
    fault: (x) => {
      x.execute();
      return x.events();
    },
    answer: "timeout",
  },
  {
    name: "keeps an event stream alive with comments and never answers",
    fault: async (x) => {
      x.execute();
      await x.events();
      await drip(x.connection, ": ping\n\n", 50);
    },
    answer: "timeout",
  },
  {
    name: "reports progress beyond the deadline: the call lives on",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = progressing;
      await trip.ends(trip.call(struck, "write", { progressToken: 7 }), "result");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "reports progress beyond the deadline of Codex: the call ends in time all the same",
    clientName: "codex-mcp-client",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = progressing;
      await trip.ends(trip.call(struck, "write", { progressToken: 7 }), "timeout");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "accepts connections and reads nothing",
    play: async (trip) => {
      await trip.connect();
      for (const connection of trip.server.connections) connection.reset();
      trip.server.opened = (connection) => {
        connection.freeze();
        return true;
      };
      await trip.ends(trip.call(struck), "timeout");
      trip.times(struck, 0);
      trip.server.opened = () => false;
      await trip.next();
    },
  },
  {
    name: "never answers initialize: the client learns it in time, and a second one works",
    play: async (trip) => {
      let left = 1;
      trip.server.respond = (x) => x.rpc === "initialize" && left-- > 0;
      await trip.ends(trip.initialize(), "timeout");
      await trip.connect();
      await trip.next();
    },
  },
];

/** Progress every 300 ms for 4.8 s, then the answer: the deadline is 3 s. */
function progressing(x: Exchange): boolean {
  if (x.key !== struck) return false;
  const text = x.execute();
  void (async () => {
    await x.events();
    for (let n = 0; n < 16; n += 1) {
      await x.event(
        `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":${n}}}`,
      );
      await Bun.sleep(300);
    }
    await x.event(text);
    x.connection.end();
  })();
  return true;
}
