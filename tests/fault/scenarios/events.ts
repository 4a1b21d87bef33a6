import type { Exchange } from "../support/exchange.ts";
import { type Scenario, struck } from "../support/scenario.ts";

/** Answers with an event stream whose text `write` makes of the response. */
const dialect = (write: (text: string) => string | Uint8Array) => async (x: Exchange) => {
  const text = x.execute();
  await x.events();
  await x.connection.write(write(text));
  x.connection.end();
};

const note = (n: number) =>
  `{"jsonrpc":"2.0","method":"notifications/message","params":{"n":${n}}}`;
const encoder = new TextEncoder();

/** Streams that name an event and are cut before the answer; `resumed` counts the GETs that came back. */
function cutStream(cuts: number, resume: (x: Exchange) => unknown) {
  let left = cuts;
  return (x: Exchange): boolean => {
    const last = x.headers["last-event-id"];
    if (x.key !== struck && (x.method !== "GET" || last === undefined)) return false;
    void (async () => {
      if (x.key === struck) x.server.executed.set(struck, x.server.executions(struck) + 1);
      if (left > 0) {
        left -= 1;
        await x.events();
        await x.connection.write(`id: e-${left}\nretry: 50\ndata: ${note(left)}\n\n`);
        x.connection.end();
      } else await resume(x);
    })();
    return true;
  };
}

const answered = `{"jsonrpc":"2.0","id":"${struck}","result":{"content":[{"type":"text","text":"${struck}"}]}}`;

/** Event streams in every dialect of the standard, and cut. */
export const events: Scenario[] = [
  { name: "ends its lines with LF", fault: dialect((text) => `data: ${text}\n\n`) },
  { name: "ends its lines with CR LF", fault: dialect((text) => `data: ${text}\r\n\r\n`) },
  { name: "ends its lines with CR", fault: dialect((text) => `data: ${text}\r\r`) },
  {
    name: "begins with a byte order mark",
    fault: dialect((text) => `\u{feff}data: ${text}\n\n`),
  },
  {
    name: "writes no space after the colon, unknown fields and comments",
    fault: dialect((text) => `: hello\nfoo\nbar:baz\nevent:message\nid:1\ndata:${text}\n:\n\n`),
  },
  {
    name: "spreads one message over several data lines",
    fault: dialect((text) => {
      const at = text.indexOf(",") + 1;
      return `data: ${text.slice(0, at)}\ndata: ${text.slice(at)}\n\n`;
    }),
  },
  {
    name: "sends one byte at a time, UTF-8 cut in the middle",
    fault: async (x) => {
      const text = x.execute().replace('"result":{', '"result":{"note":"grüße 🌉",');
      await x.events();
      for (const byte of encoder.encode(`data: ${text}\n\n`)) {
        await x.connection.write(new Uint8Array([byte]));
        if (byte > 127) await Bun.sleep(1);
      }
      x.connection.end();
    },
  },
  {
    name: "answers and leaves the stream open",
    withinMs: 1000,
    fault: async (x) => {
      await x.events();
      await x.event(x.execute());
    },
  },
  {
    name: "sends events of other names beside the answer",
    fault: dialect((text) => `event: ping\ndata: now\n\nevent: message\ndata: ${text}\n\n`),
  },
  {
    name: "sends a retry that is no number and an id with NUL",
    fault: dialect((text) => `retry: soon\nid: a\0b\ndata: ${text}\n\n`),
  },
  {
    name: "sends notifications before the answer: they come in order, before it",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        const body = `${[...Array(50).keys()].map((n) => `data: ${note(n)}\n\n`).join("")}`;
        void dialect((text) => `${body}data: ${text}\n\n`)(x);
        return true;
      };
      await trip.ends(trip.call(struck), "result");
      const order = trip.client.lines.filter((line) => line.includes("notifications/message"));
      trip.check(order.join() === [...Array(50).keys()].map(note).join(), "output", "disorder");
      await trip.next();
    },
  },
  {
    name: "cuts a stream that named an event: it is resumed, the call is not repeated",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = cutStream(1, async (x) => {
        await x.events();
        await x.event(answered);
        x.connection.end();
      });
      await trip.ends(trip.call(struck), "result");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "cuts it three times: it is resumed with the last id each time",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = cutStream(3, async (x) => {
        await x.events();
        await x.event(answered);
        x.connection.end();
      });
      await trip.ends(trip.call(struck), "result");
      trip.times(struck, 1);
      const ids = trip.seen((x) => x.method === "GET").map((x) => x.headers["last-event-id"]);
      const resumes = ids.filter((id) => id !== undefined).join();
      trip.check(resumes === "e-2,e-1,e-0", "answer", `resumed after ${resumes}`);
      await trip.next();
    },
  },
  {
    name: "cuts it and refuses the resumption: the outcome is unknown",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = cutStream(1, (x) => x.answer(405));
      await trip.ends(trip.call(struck), "outcome-unknown");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "cuts it and never answers the resumption",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = cutStream(1, () => {});
      await trip.ends(trip.call(struck), ["timeout", "outcome-unknown"]);
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "cuts a stream that named no event: the outcome is unknown",
    fault: async (x) => {
      x.execute();
      await x.events();
      await x.event(note(0));
      x.connection.end();
    },
    answer: "outcome-unknown",
  },
  {
    name: "cuts it inside an event",
    fault: async (x) => {
      const text = x.execute();
      await x.events();
      await x.connection.write(`data: ${text.slice(0, 40)}`);
      x.connection.reset();
    },
    answer: "outcome-unknown",
  },
  {
    name: "ends without the blank line after the answer: an unfinished event is none",
    fault: dialect((text) => `data: ${text}`),
    answer: ["outcome-unknown", "result"],
  },
  {
    name: "cuts the event stream of a read-only call once: it is repeated",
    tool: "read",
    strikes: 1,
    fault: async (x) => {
      x.execute();
      await x.events();
      x.connection.reset();
    },
    executed: 2,
  },
  {
    name: "cuts the listening stream again and again: calls go on and it is opened anew",
    server: { listens: true },
    play: async (trip) => {
      await trip.connect();
      const listening = () => trip.server.streams.length;
      await trip.client.until(() => listening() > 0, 3000);
      trip.server.streams[0]?.connection.reset();
      await trip.client.until(() => listening() > 1, 4000);
      trip.check(listening() > 1, "next", "the listening stream was not opened again");
      await trip.next();
    },
  },
];
