import type { Exchange } from "../support/exchange.ts";
import { type Scenario, struck } from "../support/scenario.ts";

const executeThen = (end: (exchange: Exchange) => unknown) => (exchange: Exchange) => {
  exchange.execute();
  end(exchange);
};

/** Connections that die before or after the server did its work. */
export const drops: Scenario[] = [
  {
    name: "closes before it executes the call",
    fault: (x) => x.connection.end(),
    answer: "outcome-unknown",
    executed: 0,
    arrived: 1,
  },
  {
    name: "resets before it executes the call",
    fault: (x) => x.connection.reset(),
    answer: "outcome-unknown",
    executed: 0,
    arrived: 1,
  },
  {
    name: "executes the call and closes without a byte",
    fault: executeThen((x) => x.connection.end()),
    answer: "outcome-unknown",
  },
  {
    name: "executes the call and resets",
    fault: executeThen((x) => x.connection.reset()),
    answer: "outcome-unknown",
  },
  {
    name: "executes the call and closes inside the status line",
    fault: executeThen(async (x) => {
      await x.connection.write("HTTP/1.1 20");
      x.connection.end();
    }),
    answer: "outcome-unknown",
  },
  {
    name: "executes the call and closes inside the headers",
    fault: executeThen(async (x) => {
      await x.connection.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCont");
      x.connection.end();
    }),
    answer: "outcome-unknown",
  },
  {
    name: "executes a read-only call and closes: it is repeated",
    tool: "read",
    strikes: 1,
    fault: executeThen((x) => x.connection.end()),
    answer: "result",
    executed: 2,
  },
  {
    name: "executes an idempotent call and resets: it is repeated",
    tool: "repeat",
    strikes: 1,
    fault: executeThen((x) => x.connection.reset()),
    answer: "result",
    executed: 2,
  },
  {
    name: "drops a read-only call every time: the attempts end",
    tool: "read",
    fault: (x) => x.connection.end(),
    answer: "outcome-unknown",
    executed: 0,
    arrived: 3,
  },
  {
    name: "drops initialize once: it is repeated",
    play: async (trip) => {
      dropOnce(trip.server, "initialize");
      await trip.connect();
      await trip.next();
    },
  },
  {
    name: "drops tools/list once: it is repeated",
    play: async (trip) => {
      dropOnce(trip.server, "tools/list");
      await trip.connect();
      await trip.next();
    },
  },
  {
    name: "drops a notification: the bridge goes on",
    play: async (trip) => {
      await trip.connect();
      dropOnce(trip.server, "notifications/roots/list_changed");
      trip.client.notify("notifications/roots/list_changed");
      await trip.client.until(
        () => trip.seen((x) => x.rpc === "notifications/roots/list_changed").length > 0,
        2000,
      );
      await trip.next();
    },
  },
  {
    name: "drops one of ten calls in flight: the others are answered",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== "call-4") return false;
        x.execute();
        x.connection.reset();
        return true;
      };
      const ids = Array.from({ length: 10 }, (_, n) => trip.call(`call-${n}`));
      for (const id of ids) await trip.ends(id, id === "call-4" ? "outcome-unknown" : "result");
      for (const id of ids) trip.times(String(id), 1);
      await trip.next();
    },
  },
  {
    name: "a connection that was announced as short-lived carries no call that may not be repeated",
    server: { headers: { "Keep-Alive": "timeout=1" } },
    play: async (trip) => {
      await trip.connect();
      const used = new Set(trip.server.connections);
      // Such a server closes an idle socket just as the next call is written on it.
      trip.server.respond = (x) => {
        if (!used.has(x.connection)) return false;
        x.connection.reset();
        return true;
      };
      await trip.ends(trip.call(struck), "result");
      trip.times(struck, 1);
      trip.arrivals(struck, 1);
      await trip.next();
    },
  },
  {
    name: "a crowd of calls takes no connection that was idle while others kept the server busy",
    server: { headers: { "Keep-Alive": "timeout=2" } },
    play: async (trip) => {
      await trip.connect();
      const usedAt = new Map<Exchange["connection"], number>();
      trip.server.respond = (x) => {
        const idleMs = performance.now() - (usedAt.get(x.connection) ?? performance.now());
        // Idle for longer than we rely on: such a server closes it just as the call is written on it.
        if (x.rpc === "tools/call" && idleMs > 1200) {
          x.connection.reset();
          return true;
        }
        // Answered at once, a crowd would follow each other on one socket.
        void Bun.sleep(50)
          .then(() => x.json())
          .then(() => usedAt.set(x.connection, performance.now()));
        return true;
      };
      const inFlight = async (name: string) => {
        const ids = Array.from({ length: 6 }, (_, n) => trip.call(`${name}-${n}`));
        for (const id of ids) await trip.ends(id, "result");
        for (const id of ids) trip.times(String(id), 1);
      };
      await inFlight("first");
      const until = performance.now() + 1500;
      for (let n = 0; performance.now() < until; n += 1) {
        await trip.ends(trip.call(`single-${n}`), "result");
        await Bun.sleep(50);
      }
      await inFlight("second");
      await trip.next();
    },
  },
];

function dropOnce(server: { respond: (x: Exchange) => boolean | Promise<boolean> }, rpc: string) {
  let left = 1;
  server.respond = (x) => {
    if (x.rpc !== rpc || left === 0) return false;
    left -= 1;
    x.connection.end();
    return true;
  };
}
