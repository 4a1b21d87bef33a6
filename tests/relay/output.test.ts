import { expect, test } from "bun:test";
import { Output, type Sink } from "../../src/relay/output.ts";
import { notificationOf, responseTo } from "../../src/wire/message.ts";

/** A sink whose reader reads when it is told to. */
function slowSink() {
  const taken: string[] = [];
  let waiting = "";
  let read = Promise.withResolvers<number>();
  const decoder = new TextDecoder();
  const sink: Sink = {
    write: (bytes) => {
      waiting += decoder.decode(bytes);
      return bytes.length;
    },
    flush: () => read.promise,
  };
  const readAll = () => {
    taken.push(waiting);
    waiting = "";
    read.resolve(0);
    read = Promise.withResolvers();
  };
  return { sink, readAll, taken };
}

const quick: Sink = { write: (bytes) => bytes.length, flush: () => 0 };

test("an urgent line is written in the same turn, other lines together and in their order", async () => {
  const flushes: string[] = [];
  let pending = "";
  const decoder = new TextDecoder();
  const output = new Output({
    write: (bytes) => {
      pending += decoder.decode(bytes);
      return bytes.length;
    },
    flush: () => {
      flushes.push(pending);
      pending = "";
      return 0;
    },
  });
  void output.write(responseTo("1", "{}"), true);
  expect(flushes).toEqual(['{"jsonrpc":"2.0","id":1,"result":{}}\n']);
  void output.write(notificationOf("a"));
  void output.write(notificationOf("b"));
  void output.write(responseTo("2", "{}"));
  // What came before leaves before, however urgent it is.
  void output.write(responseTo("3", "{}"), true);
  expect(flushes).toHaveLength(1);
  await output.drain();
  expect(flushes).toHaveLength(2);
  const told = flushes[1]!
    .split("\n")
    .map((line) => line && (JSON.parse(line).id ?? JSON.parse(line).method));
  expect(told).toEqual(["a", "b", 2, 3, ""]);
});

test("lines keep their order around a message that leaves in pieces", async () => {
  const { sink, readAll, taken } = slowSink();
  const output = new Output(sink);
  const large = responseTo("2", `"${"x".repeat(600_000)}"`);
  const writes = [
    output.write(responseTo("1", "{}"), true),
    output.write(large),
    output.write(notificationOf("between")),
    output.write(large),
    output.write(responseTo("3", "{}"), true),
  ];
  const all = Promise.all(writes).then(() => output.drain());
  let isDone = false;
  void all.then(() => {
    isDone = true;
  });
  while (!isDone) {
    readAll();
    await Bun.sleep(0);
  }
  const lines = taken.join("").split("\n");
  expect(lines.pop()).toBe("");
  expect(lines.map((line) => JSON.parse(line).id ?? "between")).toEqual([1, 2, "between", 2, 3]);
  expect(lines[1]).toHaveLength(large.bytes.length);
  expect(lines[3]).toHaveLength(large.bytes.length);
});

test("stops reading once 16 MB of lines wait for a reader that does not read", async () => {
  const { sink, readAll } = slowSink();
  const output = new Output(sink);
  const line = responseTo("1", `"${"x".repeat(200_000)}"`);
  for (let n = 0; n < 80; n++) void output.write(line, n % 2 === 0);
  expect(output.room()).toBeUndefined();
  for (let n = 0; n < 10; n++) void output.write(line);
  let isRoom = false;
  void output.room()?.then(() => {
    isRoom = true;
  });
  await Bun.sleep(0);
  expect(isRoom).toBe(false);
  while (!isRoom) {
    readAll();
    await Bun.sleep(0);
  }
  expect(new Output(quick).room()).toBeUndefined();
});
