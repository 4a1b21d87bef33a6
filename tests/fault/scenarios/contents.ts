import type { Exchange } from "../support/exchange.ts";
import { token } from "../support/program.ts";
import { type Scenario, struck } from "../support/scenario.ts";

/** Executes the call, then answers 200 with this body. */
const says = (body: string | Uint8Array, type?: string) => (x: Exchange) => {
  x.execute();
  return x.answer(200, body, type === undefined ? {} : { "Content-Type": type });
};

const response = (id: string, text = struck) =>
  `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${text}"}]}}`;

/** Answers that are not what was asked for. */
export const contents: Scenario[] = [
  { name: "answers with a foreign id", fault: says(response('"other"')), answer: "bad-answer" },
  { name: "answers with a number for the id", fault: says(response("1")), answer: "bad-answer" },
  { name: "answers with id null", fault: says(response("null")), answer: "bad-answer" },
  {
    name: "answers a number id with a text of the same digits",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        void says(response('"77"'))(x);
        return true;
      };
      const params = { name: "write", arguments: { key: struck } };
      await trip.ends(trip.client.request("tools/call", params, 77), "any result");
      await trip.next();
    },
  },
  {
    name: "answers with HTML",
    fault: says("<!doctype html><title>502</title>", "text/html"),
    answer: "bad-answer",
  },
  {
    name: "answers with HTML that is called JSON",
    fault: says("<html>"),
    answer: "bad-answer",
  },
  { name: "answers 200 with nothing", fault: says(""), answer: "bad-answer" },
  {
    name: "answers a call with 202",
    fault: (x) => {
      x.execute();
      return x.answer(202);
    },
    answer: ["bad-answer", "outcome-unknown"],
  },
  {
    name: "answers a call with 204",
    fault: (x) => {
      x.execute();
      return x.answer(204);
    },
    answer: ["bad-answer", "outcome-unknown"],
  },
  {
    name: "answers with truncated JSON in whole framing",
    fault: says('{"jsonrpc":"2.0","id":"struck","result":{"content":['),
    answer: "bad-answer",
  },
  { name: "answers with a scalar", fault: says("42"), answer: "bad-answer" },
  {
    name: "answers with neither result nor error",
    fault: says(`{"jsonrpc":"2.0","id":"${struck}"}`),
    answer: "bad-answer",
  },
  {
    name: "answers with invalid UTF-8",
    fault: (x) => {
      const text = new TextEncoder().encode(x.execute());
      text[text.length - 8] = 0xff;
      return x.answer(200, text);
    },
    answer: "bad-answer",
  },
  {
    name: "pretty-prints its answer: it leaves on one line",
    fault: (x) => {
      const pretty = JSON.stringify(JSON.parse(x.execute()), null, 2).replaceAll("\n", "\r\n");
      return x.answer(200, pretty);
    },
  },
  {
    name: "answers in an unknown content type",
    fault: says(response(`"${struck}"`), "application/octet-stream"),
    answer: ["bad-answer", "result"],
  },
  {
    name: "answers in a content coding that nobody asked for",
    fault: (x) => {
      const packed = Bun.gzipSync(new TextEncoder().encode(x.execute()));
      return x.answer(200, packed, { "Content-Encoding": "gzip" });
    },
  },
  {
    name: "answers in a content coding that nobody knows",
    fault: (x) => x.answer(200, x.execute(), { "Content-Encoding": "rot13" }),
    answer: "bad-answer",
  },
  {
    name: "answers in an array of one",
    fault: (x) => x.answer(200, `[${x.execute()}]`),
  },
  {
    name: "sends events that are no messages before the answer",
    fault: async (x) => {
      const text = x.execute();
      await x.events();
      for (const event of ["data: ping", 'data: {"beat":1}', "event: ping\ndata: {}", "data: ["])
        await x.connection.write(`${event}\n\n`);
      await x.event(text);
      x.connection.end();
    },
  },
  {
    name: "sends nothing but events that are no messages",
    fault: async (x) => {
      x.execute();
      await x.events();
      for (let n = 0; n < 100_000; n += 1000)
        await x.connection.write("data: ping\n\n".repeat(1000));
      x.connection.end();
    },
    answer: "bad-answer",
  },
  {
    name: "answers twice on one stream: the first counts",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        void (async () => {
          await x.events();
          await x.event(x.execute());
          await x.event(response(`"${struck}"`, "second"));
          x.connection.end();
        })();
        return true;
      };
      await trip.ends(trip.call(struck), "result");
      await trip.next();
      trip.times(struck, 1);
    },
  },
  {
    name: "answers one call on the stream of another: each gets its own",
    play: async (trip) => {
      await trip.connect();
      const { promise, resolve } = Promise.withResolvers<void>();
      trip.server.respond = (x) => {
        if (x.key === "victim") {
          void promise.then(() => x.json());
          return true;
        }
        if (x.key !== struck) return false;
        void (async () => {
          await x.events();
          await x.event(response('"victim"', "stolen"));
          await x.event(x.execute());
          x.connection.end();
          resolve();
        })();
        return true;
      };
      const victim = trip.call("victim");
      await trip.ends(trip.call(struck), "result");
      await trip.ends(victim, "result");
      await trip.next();
    },
  },
  {
    name: "sends answers nobody asked for on the listening stream: they are dropped",
    server: { listens: true },
    play: async (trip) => {
      await trip.connect();
      await trip.client.until(() => trip.server.streams.length > 0, 3000);
      await trip.server.streams[0]?.event(response("999"));
      await trip.next();
    },
  },
  {
    name: "answers after the client cancelled: nothing more is said",
    play: async (trip) => {
      await trip.connect();
      const { promise, resolve } = Promise.withResolvers<Exchange>();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        resolve(x);
        return true;
      };
      trip.call(struck);
      const held = await promise;
      trip.client.notify("notifications/cancelled", { requestId: struck });
      await trip.client.until(
        () => trip.seen((x) => x.rpc === "notifications/cancelled").length > 0,
        2000,
      );
      await held.json();
      await trip.next();
    },
  },
  {
    name: "reuses an id of the client for a request of its own: both are answered",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        void (async () => {
          await x.events();
          await x.event(`{"jsonrpc":"2.0","id":"${struck}","method":"ping"}`);
          await x.event(x.execute());
          x.connection.end();
        })();
        return true;
      };
      await trip.ends(trip.call(struck), "result");
      const replied = () => trip.seen((x) => x.rpc === "" && x.id === `"${struck}"`).length;
      await trip.client.until(() => replied() > 0, 2000);
      trip.check(replied() === 1, "answer", "the server's request was not answered");
      await trip.next();
    },
  },
  {
    name: "echoes the token in its error: it is not shown",
    fault: (x) => {
      x.execute();
      const said = `bad header: Authorization: Bearer ${token}, ${btoa(token)}, ${token}`;
      return x.answer(403, said, { "Content-Type": "text/plain" });
    },
    answer: "forbidden",
  },
];
