// Work that grows with the square of a message would need minutes for these: the runner's own limit ends it.
import { expect, test } from "bun:test";
import { forCodex } from "../../src/relay/codex-limits.ts";
import { LineSplitter } from "../../src/wire/lines.ts";
import { parseMessage, requestOf } from "../../src/wire/message.ts";
import { commandLineFor } from "../../src/wire/program-facts.ts";
import { EventParser } from "../../src/wire/sse.ts";

const encoder = new TextEncoder();
const limit = 64 * 1024 * 1024;

function answer(result: string) {
  return parseMessage(encoder.encode(`{"jsonrpc":"2.0","id":1,"result":${result}}`));
}

test("a member is found among a million keys, with and without escapes in them", () => {
  const keys = Array.from({ length: 1_000_000 }, (_, n) => `"k${n}":${n}`).join(",");
  const message = answer(`{${keys},"wanted":"here","\\u0061":"\\\\"}`);
  expect(message.value(["result", "wanted"])).toBe("here");
  expect(message.value(["result", "a"])).toBe("\\");
});

test("a hundred thousand content blocks of an unknown type become text", () => {
  const blocks = Array.from({ length: 100_000 }, (_, n) => `{"type":"chart","n":${n}}`).join(",");
  const taken = forCodex(
    answer(`{"content":[${blocks}]}`),
    requestOf("1", "tools/call"),
    commandLineFor(undefined),
  );
  const content = taken.value(["result", "content"]) as { type: string; text: string }[];
  expect(content).toHaveLength(100_000);
  expect(content[99_999]).toEqual({ type: "text", text: '{"type":"chart","n":99999}' });
});

test("a line and an event that arrive byte by byte are read in linear time", () => {
  const text = `{"jsonrpc":"2.0","method":"m","params":{"text":"${"x".repeat(1_000_000)}"}}`;
  const lines = new LineSplitter(limit);
  const events = new EventParser(limit);
  const found: unknown[] = [];
  for (const byte of encoder.encode(`${text}\n`)) found.push(...lines.feed(Uint8Array.of(byte)));
  expect(found).toEqual([encoder.encode(text)]);
  const seen = [...encoder.encode(`data: ${text}\n\n`)].flatMap((byte) =>
    events.feed(Uint8Array.of(byte)),
  );
  expect(seen.map(({ data }) => data?.length)).toEqual([text.length]);
});

test("an event of a million empty data lines is joined to one byte a line", () => {
  const parser = new EventParser(limit);
  const lines = encoder.encode("data:\n".repeat(10_000));
  for (let n = 0; n < 100; n++) expect(parser.feed(lines.slice())).toEqual([]);
  const [event] = parser.feed(encoder.encode("\n"));
  expect(event?.data?.length).toBe(999_999);
});
