import { expect, test } from "bun:test";
import fc from "fast-check";
import { Message, messageOf, readMessage } from "../../src/wire/message.ts";
import { Scanner } from "../../src/wire/scan.ts";
import { ScanError } from "../../src/wire/scan-states.ts";

const encoder = new TextEncoder();
const runs = { numRuns: Number(process.env.PROPERTY_RUNS ?? 500) };

/** What the scanner alone says, as it reads large messages. */
function scanned(bytes: Uint8Array) {
  const scanner = new Scanner();
  try {
    scanner.feed(bytes);
    scanner.finish();
  } catch (error) {
    if (error instanceof ScanError) return { flaw: "parse", reason: error.message };
    throw error;
  }
  return messageOf(bytes, scanner.envelope);
}

function told(read: ReturnType<typeof scanned>, keys: readonly string[]) {
  if (!(read instanceof Message)) return read;
  return { head: read.head, bytes: read.bytes, spans: keys.map((key) => read.view([key])) };
}

const key = fc.oneof(
  fc.constantFrom("jsonrpc", "id", "method", "params", "result", "error", "__proto__", "i\\u0064"),
  fc.string({ unit: "grapheme" }).map((text) => JSON.stringify(text).slice(1, -1)),
);
const value = fc.oneof(
  fc.constantFrom('"2.0"', "1", "1.0", "1e2", "-0", "12345678901234567890", '"\\u0061"', "null"),
  fc.constantFrom('"\\\\"', '"\\\\\\""', '"\\ud800"', "[[]]", '{"id":1}', '"a\\nb"'),
  fc.json(),
);
const space = fc.constantFrom("", " ", "\n", "\r\n\t");
const member = fc
  .tuple(space, key, space, space, value, space)
  .map(([a, name, b, c, text, d]) => `${a}"${name}"${b}:${c}${text}${d}`);
const object = fc.array(member, { maxLength: 6 }).map((members) => `{${members.join(",")}}`);
const names = ["jsonrpc", "id", "method", "params", "result", "error", "", "a"];

test("the native parser and the scanner read the same message", () => {
  fc.assert(
    fc.property(fc.oneof(object, value), space, (text, around) => {
      const bytes = encoder.encode(around + text + around);
      expect(told(readMessage(bytes.slice()), names)).toEqual(told(scanned(bytes), names));
    }),
    runs,
  );
});

test("the native parser and the scanner agree on a message with a byte changed, removed or added", () => {
  const change = fc.record({
    at: fc.nat(200),
    drop: fc.nat(1),
    add: fc.uint8Array({ maxLength: 2 }),
  });
  fc.assert(
    fc.property(object, change, (text, { at, drop, add }) => {
      const whole = encoder.encode(text);
      const from = at % (whole.length + 1);
      const bytes = Uint8Array.of(...whole.slice(0, from), ...add, ...whole.slice(from + drop));
      expect(told(readMessage(bytes.slice()), names)).toEqual(told(scanned(bytes), names));
    }),
    runs,
  );
});
