import { type Scenario, struck } from "../support/scenario.ts";
import type { Trip } from "../support/trip.ts";

/** Waits for one error with id null and this code. */
async function nullError(trip: Trip, code: number): Promise<void> {
  const found = () => trip.client.messages.filter((m) => m.id === null && m.error !== undefined);
  await trip.client.until(() => found().length > 0, 3000);
  const codes = found().map((m) => m.error?.code);
  trip.check(codes.length === 1 && codes[0] === code, "answer", `errors with id null: ${codes}`);
}

/** A line that is answered with one error of id null, after which everything works. */
const refusedLine = (name: string, line: string | Uint8Array, code: number): Scenario => ({
  name,
  play: async (trip) => {
    await trip.connect();
    // The listening stream and `initialized` may still be on their way.
    const calls = () =>
      trip.seen((x) => x.method === "POST" && !/^(init|notif)/.test(x.rpc)).length;
    const before = calls();
    trip.client.write(line);
    trip.client.write("\n");
    await nullError(trip, code);
    trip.check(calls() === before, "executed", "it reached the server");
    await trip.next();
  },
});

/** Input around a healthy call that must change nothing. */
const harmless = (name: string, write: (trip: Trip) => void): Scenario => ({
  name,
  play: async (trip) => {
    await trip.connect();
    write(trip);
    await trip.ends(trip.call(struck), "result");
    trip.times(struck, 1);
    await trip.next();
  },
});

const callLine = (id: string, key = struck, more = "") =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"write","arguments":{"key":"${key}"${more}}}}`;

/** A call written by hand; its answer must carry the id as text in the line. */
const oddCall = (name: string, line: string, idText: string): Scenario => ({
  name,
  play: async (trip) => {
    await trip.connect();
    trip.client.line(line);
    const mine = () => trip.client.lines.filter((l) => l.includes(`"id":${idText}`));
    await trip.client.until(() => mine().length > 0, 4000);
    trip.check(mine().length === 1, "answer", `${mine().length} answers to ${idText}`);
    trip.client.sent.push(...trip.client.messages.map((m) => m.id as string));
    trip.times(struck, 1);
    await trip.next();
  },
});

/** Clients that write what they should not. */
export const stdin: Scenario[] = [
  refusedLine("writes a line that is no JSON", "hello", -32700),
  refusedLine("writes half an object", '{"jsonrpc":"2.0","id":1,', -32700),
  refusedLine(
    "writes invalid UTF-8",
    new Uint8Array([...new TextEncoder().encode('{"jsonrpc":"2.0","method":"'), 0xff, 0x22, 0x7d]),
    -32700,
  ),
  refusedLine("writes a number", "42", -32600),
  refusedLine("writes an empty batch", "[]", -32600),
  {
    name: "writes a batch to a server of 2025-06-18: each of its requests is refused",
    play: async (trip) => {
      await trip.connect();
      trip.client.line(`[${callLine("71")},${callLine("72")}]`);
      const codes = () =>
        [71, 72].map((id) => trip.client.messages.find((m) => m.id === id)?.error?.code);
      await trip.client.until(() => codes().every((code) => code !== undefined), 3000);
      trip.check(
        codes().every((code) => code === -32600),
        "answer",
        `errors: ${codes()}`,
      );
      trip.times(struck, 0);
      trip.client.sent.push(71, 72);
      await trip.next();
    },
  },
  harmless("writes blank lines and CR LF", (trip) => trip.client.write("\r\n\n  \n\t\r\n")),
  harmless("writes 200,000 blank lines", (trip) => trip.client.write("\n".repeat(200_000))),
  harmless("answers a question nobody asked", (trip) =>
    trip.client.line('{"jsonrpc":"2.0","id":"nobody","result":{}}'),
  ),
  harmless("cancels a call that does not exist", (trip) =>
    trip.client.notify("notifications/cancelled", { requestId: "nobody" }),
  ),
  {
    name: "splits a line into single bytes",
    play: async (trip) => {
      await trip.connect();
      trip.client.sent.push(struck);
      for (const byte of new TextEncoder().encode(`${callLine(`"${struck}"`)}\n`)) {
        trip.client.write(new Uint8Array([byte]));
        await Bun.sleep(0);
      }
      await trip.ends(struck, "result");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "writes eight megabytes in one line",
    entry: { timeoutSec: 10 },
    play: async (trip) => {
      await trip.connect();
      trip.client.sent.push(struck);
      trip.client.line(callLine(`"${struck}"`, struck, `,"padding":"${"p".repeat(8 << 20)}"`));
      await trip.ends(struck, "result");
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "writes a line beyond the limit: it is refused, the next one works",
    entry: { limits: { messageMB: 1 } },
    play: async (trip) => {
      await trip.connect();
      trip.client.sent.push(struck);
      trip.client.line(callLine(`"${struck}"`, struck, `,"padding":"${"p".repeat(4 << 20)}"`));
      const refusals = () => trip.client.messages.filter((m) => m.error !== undefined);
      await trip.client.until(() => refusals().length > 0, 4000);
      trip.check(refusals().length === 1, "answer", `${refusals().length} refusals`);
      trip.times(struck, 0);
      await trip.growth(60);
      await trip.next();
    },
  },
  oddCall("uses an id above 2^53", callLine("9007199254740993123"), "9007199254740993123"),
  oddCall("uses an id with escapes", callLine('"a\\u0041\\"\\/"'), '"a\\u0041\\"\\/"'),
  oddCall(
    "writes U+2028 and a NUL escape inside a text",
    callLine('"sep"', struck, ',"text":"a\u2028b\\u0000c"'),
    '"sep"',
  ),
  {
    name: "sends a hundred calls before initialize is answered",
    entry: { timeoutSec: 5 },
    play: async (trip) => {
      const first = trip.initialize();
      trip.client.notify("notifications/initialized");
      const ids = Array.from({ length: 100 }, (_, n) => trip.call(`early-${n}`));
      await trip.ends(first, "any result");
      for (const id of ids) await trip.ends(id, "result");
      for (const id of ids) trip.times(String(id), 1);
      await trip.next();
    },
  },
  {
    name: "uses the id of a call in flight again",
    play: async (trip) => {
      await trip.connect();
      // The first call stays in flight until the second was answered.
      const second = Promise.withResolvers<void>();
      trip.server.respond = async (x) => {
        if (x.key === struck) await second.promise;
        return false;
      };
      const params = { name: "write", arguments: { key: struck } };
      trip.client.request("tools/call", params, struck);
      trip.client.request("tools/call", params, struck);
      await trip.client.until(() => trip.client.answers(struck).length > 0, 4000);
      second.resolve();
      await trip.client.until(() => trip.client.answers(struck).length === 2, 4000);
      const answers = trip.client.answers(struck);
      const refusals = answers.filter((answer) => answer.error !== undefined).length;
      trip.check(answers.length === 2, "answer", `${answers.length} answers to two requests`);
      trip.check(refusals === 1, "answer", `${refusals} of two requests of one id were refused`);
      trip.times(struck, 1);
      await trip.next();
    },
  },
  {
    name: "closes stdin with a call in flight: it is still answered",
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => {
        if (x.key !== struck) return false;
        const text = x.execute();
        setTimeout(() => void x.json(text), 300);
        return true;
      };
      trip.call(struck);
      await trip.client.until(() => trip.server.received(struck) > 0, 3000);
      const code = await trip.client.end(8000);
      trip.check(code === 0, "end", `exit ${code}`);
      await trip.ends(struck, "result");
      trip.times(struck, 1);
      await trip.nextStart();
    },
  },
  {
    name: "closes stdin with a call in flight that is never answered: the outcome is unknown",
    entry: { timeoutSec: 30 },
    play: async (trip) => {
      await trip.connect();
      trip.server.respond = (x) => x.key === struck;
      trip.call(struck);
      await trip.client.until(() => trip.server.received(struck) > 0, 3000);
      const code = await trip.client.end(8000);
      trip.check(code !== undefined, "end", "it had to be killed");
      await trip.ends(struck, ["outcome-unknown", "timeout"]);
      trip.times(struck, 0);
      trip.arrivals(struck, 1);
      await trip.nextStart([0, 1]);
    },
  },
  {
    name: "ends in the middle of a line",
    play: async (trip) => {
      await trip.connect();
      await trip.next();
      trip.client.write(callLine(`"${struck}"`).slice(0, -1));
      await trip.client.end(8000);
      trip.times(struck, 0);
      await trip.nextStart([0, 1]);
    },
  },
  {
    name: "ends without a line end after a whole message: it counts",
    play: async (trip) => {
      await trip.connect();
      trip.client.sent.push(struck);
      trip.client.write(callLine(`"${struck}"`));
      await trip.client.end(8000);
      await trip.ends(struck, "result");
      trip.times(struck, 1);
      await trip.nextStart();
    },
  },
];
