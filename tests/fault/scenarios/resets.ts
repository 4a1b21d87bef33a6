import type { Exchange } from "../support/exchange.ts";
import type { Scenario } from "../support/scenario.ts";

/** Headers of an answer longer than what follows, then a part of it. */
async function half(x: Exchange): Promise<void> {
  const text = x.execute();
  await x.head(200, { "Content-Type": "application/json", "Content-Length": `${text.length}` });
  await x.connection.write(text.slice(0, text.length >> 1));
}

const died = ["outcome-unknown", "bad-answer"];

/** Answers that stop in the middle or whose framing lies. */
export const resets: Scenario[] = [
  {
    name: "resets inside a JSON body",
    fault: async (x) => {
      await half(x);
      x.connection.reset();
    },
    answer: "outcome-unknown",
  },
  {
    name: "closes inside a JSON body",
    fault: async (x) => {
      await half(x);
      x.connection.end();
    },
    answer: "outcome-unknown",
  },
  {
    name: "closes inside the JSON body of a read-only call once: it is repeated",
    tool: "read",
    strikes: 1,
    fault: async (x) => {
      await half(x);
      x.connection.end();
    },
    answer: "result",
    executed: 2,
  },
  {
    name: "resets between headers and body",
    fault: async (x) => {
      x.execute();
      await x.head(200, { "Content-Type": "application/json", "Content-Length": "100" });
      x.connection.reset();
    },
    answer: "outcome-unknown",
  },
  {
    name: "closes a chunked body without its last chunk",
    fault: async (x) => {
      await x.chunked(200, "application/json");
      await x.chunk(x.execute().slice(0, 30));
      x.connection.end();
    },
    answer: died,
  },
  {
    name: "writes a chunk size that is no number",
    fault: async (x) => {
      x.execute();
      await x.chunked(200, "application/json");
      await x.connection.write("zz\r\n{}\r\n0\r\n\r\n");
    },
    answer: died,
  },
  {
    name: "announces fewer bytes than the answer has",
    fault: async (x) => {
      const text = x.execute();
      await x.head(200, { "Content-Type": "application/json", "Content-Length": "20" });
      await x.connection.write(text);
      x.connection.end();
    },
    answer: "bad-answer",
  },
  {
    name: "announces more bytes than come and stays silent",
    fault: half,
    answer: "timeout",
  },
  {
    name: "speaks something that is not HTTP",
    fault: async (x) => {
      x.execute();
      await x.connection.write("SSH-2.0-OpenSSH_9.2\r\n");
      x.connection.end();
    },
    answer: died,
  },
  {
    name: "announces two different lengths",
    fault: async (x) => {
      const text = x.execute();
      await x.connection.write(
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      );
    },
    answer: died,
  },
  {
    name: "announces a negative length",
    fault: async (x) => {
      x.execute();
      await x.connection.write("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}");
    },
    answer: died,
  },
  {
    name: "answers in HTTP/1.0 without a length and closes",
    fault: async (x) => {
      await x.connection.write("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n");
      await x.connection.write(x.execute());
      x.connection.end();
    },
    answer: "result",
  },
  {
    name: "resets while a large request is still being sent",
    play: async (trip) => {
      await trip.connect();
      trip.server.opened = (connection) => {
        connection.freeze();
        setTimeout(() => connection.reset(), 100);
        return true;
      };
      for (const connection of trip.server.connections) connection.reset();
      const id = trip.client.request(
        "tools/call",
        { name: "write", arguments: { key: "large", padding: "x".repeat(4_000_000) } },
        "large",
      );
      await trip.ends(id, "outcome-unknown");
      trip.times("large", 0);
      trip.server.opened = () => false;
      await trip.next();
    },
  },
];
