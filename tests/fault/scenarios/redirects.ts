import type { Exchange } from "../support/exchange.ts";
import { type Scenario, struck } from "../support/scenario.ts";
import { FaultServer } from "../support/server.ts";

const to = (status: number, location?: string) => (x: Exchange) =>
  x.answer(status, "", location === undefined ? {} : { Location: location });

/** Everything but the same scheme, host and port is refused and nothing of the request goes there. */
const elsewhere = (
  name: string,
  status: number,
  location: (other: FaultServer, own: FaultServer) => string,
  arrivals = 1,
): Scenario => ({
  name,
  play: async (trip) => {
    using other = new FaultServer().start();
    await trip.connect();
    trip.server.respond = (x) => {
      if (x.key !== struck) return false;
      void to(status, location(other, trip.server))(x);
      return true;
    };
    await trip.ends(trip.call(struck), "refused");
    trip.check(other.connections.length === 0, "executed", "the other server was contacted");
    trip.times(struck, 0);
    trip.arrivals(struck, arrivals);
    await trip.next();
  },
});

/** Servers that send us away. */
export const redirects: Scenario[] = [
  ...[307, 308].map(
    (status): Scenario => ({
      name: `${status} to another path of its own: followed once and remembered`,
      play: async (trip) => {
        await trip.connect();
        trip.server.respond = (x) => {
          if (x.path !== "/mcp" || x.method !== "POST") return false;
          void to(status, "/other/mcp")(x);
          return true;
        };
        await trip.ends(trip.call(struck), "result");
        await trip.ends(trip.call("again"), "result");
        trip.times(struck, 1);
        trip.arrivals("again", 1);
        await trip.next();
      },
    }),
  ),
  {
    name: "307 on initialize to the path with a slash: the whole session goes there",
    play: async (trip) => {
      trip.server.respond = (x) => {
        if (x.path !== "/mcp" || x.method !== "POST") return false;
        void to(307, trip.server.url.replace(/\/mcp$/, "/mcp/"))(x);
        return true;
      };
      await trip.connect();
      await trip.ends(trip.call(struck), "result");
      trip.arrivals(struck, 1);
      await trip.next();
    },
  },
  elsewhere("307 to another port is refused", 307, (other) => other.url),
  elsewhere("308 to another host is refused", 308, (other) =>
    other.url.replace("127.0.0.1", "localhost"),
  ),
  elsewhere("307 to another scheme is refused", 307, (_, own) =>
    own.url.replace("http:", "https:"),
  ),
  elsewhere("307 to a file is refused", 307, () => "file:///etc/passwd"),
  elsewhere("307 with a user in the URL is refused", 307, (_, own) =>
    own.url.replace("//", "//user:pass@"),
  ),
  elsewhere("302 is refused", 302, (_, own) => own.url),
  elsewhere("301 is refused", 301, (_, own) => own.url),
  elsewhere("303 is refused", 303, (_, own) => own.url),
  elsewhere("307 to itself, again and again, is refused", 307, (_, own) => own.url, 2),
  elsewhere("307 to a megabyte of path is refused", 307, () => `/${"x".repeat(1 << 20)}`, 2),
  {
    name: "307 without a place is an error",
    fault: to(307),
    answer: ["refused", "bad-answer"],
    executed: 0,
    arrived: 1,
  },
  {
    name: "307 to something that is no URL is an error",
    fault: to(307, "http://[::bad"),
    answer: ["refused", "bad-answer"],
    executed: 0,
    arrived: 1,
  },
  {
    name: "a redirected listening stream takes no token elsewhere",
    server: { listens: true },
    play: async (trip) => {
      using other = new FaultServer({ listens: true }).start();
      trip.server.respond = (x) => {
        if (x.method !== "GET") return false;
        void to(307, other.url)(x);
        return true;
      };
      await trip.connect();
      await trip.client.until(() => trip.seen((x) => x.method === "GET").length > 0, 3000);
      await trip.next();
      trip.check(other.connections.length === 0, "executed", "the other server was contacted");
    },
  },
];
