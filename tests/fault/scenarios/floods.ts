import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import type { Exchange } from "../support/exchange.ts";
import { type Scenario, struck } from "../support/scenario.ts";

const note = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"flood"}}`;

/** 16 MB of spaces, packed: a few hundred bytes on the wire. */
const blown = new Uint8Array(16 << 20).fill(32);

/** The best packing of 16 MB would hold up every scenario that runs beside this one. */
const fast = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

const bomb = (coding: string, pack: (bytes: Uint8Array) => Uint8Array) => (x: Exchange) => {
  x.execute();
  return x.answer(200, pack(blown), { "Content-Encoding": coding });
};

const small = { limits: { messageMB: 1 } };

/** Too much of everything. */
export const floods: Scenario[] = [
  {
    name: "floods the stream with 100,000 notifications before the answer",
    entry: { timeoutSec: 30 },
    withinMs: 30_000,
    growthMB: 60,
    fault: async (x) => {
      const text = x.execute();
      await x.events();
      // Large enough that their sum would show, were they held.
      const piece = `data: ${note.replace("flood", "flood ".repeat(80))}\n\n`.repeat(100);
      for (let n = 0; n < 1000; n += 1) await x.connection.write(piece);
      await x.event(text);
      x.connection.end();
    },
  },
  {
    name: "floods a client that does not read for a while: the server waits, too",
    entry: { timeoutSec: 30 },
    play: async (trip) => {
      await trip.connect();
      let written = 0;
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        void (async () => {
          const text = x.execute();
          await x.events();
          const large = `data: ${note.replace("flood", "f".repeat(10_000))}\n\n`;
          for (; written < 5000; written += 1) await x.connection.write(large);
          await x.event(text);
          x.connection.end();
        })();
        return true;
      };
      trip.client.pause();
      const id = trip.call(struck);
      await trip.client.until(() => written === 5000, 700);
      trip.check(written < 3000, "memory", `${written} of 5000 were taken from the server`);
      await trip.growth(40);
      trip.client.resume();
      await trip.ends(id, "result", "answer", 30_000);
      await trip.growth(60);
      await trip.next();
    },
  },
  {
    name: "sends a gzip bomb",
    fault: bomb("gzip", gzipSync),
    answer: "bad-answer",
    growthMB: 40,
  },
  {
    name: "sends a brotli bomb",
    fault: bomb("br", (bytes) => brotliCompressSync(bytes, fast)),
    answer: "bad-answer",
    growthMB: 40,
  },
  {
    name: "sends a zstd bomb",
    fault: bomb("zstd", (bytes) => zstdCompressSync(bytes)),
    answer: "bad-answer",
    growthMB: 40,
  },
  {
    name: "sends a bomb as an error",
    fault: (x) => {
      x.execute();
      return x.answer(500, gzipSync(blown), { "Content-Encoding": "gzip" });
    },
    answer: "server-error",
    growthMB: 40,
  },
  {
    name: "sends a thousand headers",
    fault: (x) => {
      const text = x.execute();
      const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`X-${n}`, "v"]));
      return x.answer(200, text, many);
    },
    answer: ["bad-answer", "outcome-unknown"],
  },
  {
    name: "sends a header of 20 MB",
    growthMB: 120,
    fault: async (x) => {
      x.execute();
      await x.connection.write("HTTP/1.1 200 OK\r\nX-Long: ");
      const piece = "h".repeat(1 << 20);
      for (let n = 0; n < 20; n += 1) await x.connection.write(piece);
      await x.connection.write("\r\nContent-Length: 0\r\n\r\n");
    },
    answer: ["bad-answer", "outcome-unknown"],
  },
  {
    name: "sends an event without end",
    entry: small,
    growthMB: 60,
    fault: async (x) => {
      x.execute();
      await x.events();
      await x.connection.write("data: ");
      const piece = "e".repeat(65536);
      while (!x.connection.isClosed) await x.connection.write(piece);
    },
    answer: "too-large",
  },
  {
    name: "sends an event of endless data lines",
    entry: small,
    growthMB: 60,
    fault: async (x) => {
      x.execute();
      await x.events();
      const piece = `data: ${"e".repeat(100)}\n`.repeat(500);
      while (!x.connection.isClosed) await x.connection.write(piece);
    },
    answer: "too-large",
  },
  {
    name: "announces more than the limit",
    entry: small,
    growthMB: 40,
    fault: async (x) => {
      x.execute();
      await x.head(200, { "Content-Type": "application/json", "Content-Length": "900000000" });
      const piece = new Uint8Array(65536).fill(32);
      while (!x.connection.isClosed) await x.connection.write(piece);
    },
    answer: "too-large",
  },
  ...(["a body", "an event"] as const).map(
    (what): Scenario => ({
      name: `sends ${what} without end under the default limit of 64 MB`,
      entry: { timeoutSec: 20 },
      growthMB: 450,
      fault: async (x) => {
        x.execute();
        if (what === "an event") await x.events();
        else await x.head(200, { "Content-Type": "application/json", Connection: "close" });
        await x.connection.write(what === "an event" ? 'data: "' : '"');
        const piece = "e".repeat(1 << 20);
        while (!x.connection.isClosed) await x.connection.write(piece);
      },
      answer: "too-large",
    }),
  ),
  {
    name: "nests 100,000 arrays",
    fault: (x) => {
      const text = x.execute();
      const deep = "[".repeat(100_000) + "]".repeat(100_000);
      return x.answer(200, text.replace('"result":{', `"result":{"deep":${deep},`));
    },
    answer: ["result", "bad-answer"],
  },
  {
    name: "sends 100,000 chunks of one byte",
    entry: { timeoutSec: 5 },
    fault: async (x) => {
      const text = x.execute();
      await x.chunked(200, "application/json");
      await x.connection.write("1\r\n \r\n".repeat(100_000));
      await x.chunk(text);
      await x.connection.write("0\r\n\r\n");
    },
  },
  {
    name: "floods the listening stream while calls are made",
    server: { listens: true },
    play: async (trip) => {
      await trip.connect();
      await trip.client.until(() => trip.server.streams.length > 0, 3000);
      const stream = trip.server.streams[0];
      const piece = `data: ${note}\n\n`.repeat(1000);
      const flood = (async () => {
        for (let n = 0; n < 30; n += 1) await stream?.connection.write(piece);
      })();
      for (let n = 0; n < 10; n += 1) await trip.ends(trip.call(`during-${n}`), "result");
      await flood;
      await trip.growth(60);
      await trip.next();
    },
  },
  {
    name: "asks the client a thousand things that it never answers",
    play: async (trip) => {
      await trip.connect();
      trip.client.reply = () => undefined;
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        void (async () => {
          const text = x.execute();
          await x.events();
          for (let n = 0; n < 1000; n += 1)
            await x.event(`{"jsonrpc":"2.0","id":"ask-${n}","method":"ping"}`);
          await x.event(text);
          x.connection.end();
        })();
        return true;
      };
      await trip.ends(trip.call(struck), "result");
      await trip.next();
    },
  },
  {
    name: "gets 400 calls at once: each is executed once, on at most 64 sockets",
    entry: { timeoutSec: 10 },
    play: async (trip) => {
      await trip.connect();
      // Answered at once, they would follow each other on a few sockets.
      trip.server.respond = (x) => x.rpc === "tools/call" && Bun.sleep(100).then(() => false);
      const ids = Array.from({ length: 400 }, (_, n) => trip.call(`burst-${n}`));
      for (const id of ids) await trip.ends(id, "result");
      for (const id of ids) trip.times(String(id), 1);
      const sockets = trip.server.connections.length;
      trip.check(sockets <= 70, "memory", `${sockets} sockets`);
      await trip.next();
    },
  },
  {
    name: "gets 10,400 calls while it answers none: what is beyond the queue is refused at once",
    entry: { timeoutSec: 8 },
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => x.rpc === "tools/call";
      const ids = Array.from({ length: 10_400 }, (_, n) => trip.call(`crowd-${n}`));
      await trip.ends(ids.at(-1)!, "rate-limited");
      await trip.growth(120);
      await trip.ends(ids[0]!, "timeout");
      await trip.ends(ids[9000]!, "timeout");
      await trip.next();
    },
  },
  {
    name: "gets 5,000 notifications of the client: a call passes them",
    entry: { timeoutSec: 30 },
    play: async (trip) => {
      await trip.connect();
      for (let n = 0; n < 5000; n += 1)
        trip.client.notify("notifications/progress", { progressToken: "t", progress: n });
      await trip.ends(trip.call(struck), "result", "answer", 20_000);
      await trip.growth(100);
      await trip.next();
    },
  },
];
