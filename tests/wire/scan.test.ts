import { expect, test } from "bun:test";
import fc from "fast-check";
import { Scanner } from "../../src/wire/scan.ts";
import { ScanError } from "../../src/wire/scan-states.ts";

const encoder = new TextEncoder();

function accepts(bytes: Uint8Array, cuts: readonly number[] = []): boolean {
  const scanner = new Scanner();
  const at = [
    0,
    ...cuts.map((abandon) => abandon % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ];
  try {
    for (let i = 1; i < at.length; i++) scanner.feed(bytes.subarray(at[i - 1], at[i]));
    scanner.finish();
    return true;
  } catch (error) {
    if (error instanceof ScanError) return false;
    throw error;
  }
}

function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

const cuts = fc.array(fc.nat(200), { maxLength: 5 });

test("accepts every text that JSON.parse accepts, for any chunking", () => {
  const json = fc.oneof(
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify(value, null, 2)),
  );
  fc.assert(
    fc.property(json, cuts, (text, at) => {
      expect(accepts(encoder.encode(text), at)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("refuses damaged text exactly if JSON.parse does", () => {
  const damaged = fc
    .tuple(fc.json(), fc.nat(), fc.nat(255), fc.constantFrom("change", "delete", "insert", "cut"))
    .map(([text, where, byte, how]) => {
      const bytes = [...encoder.encode(text)];
      const at = where % bytes.length;
      if (how === "change") bytes[at] = byte;
      else if (how === "delete") bytes.splice(at, 1);
      else if (how === "insert") bytes.splice(at, 0, byte);
      else bytes.length = at;
      return Uint8Array.from(bytes);
    });
  fc.assert(
    fc.property(damaged, cuts, (bytes, at) => {
      expect(accepts(bytes, at)).toBe(parses(bytes));
    }),
    { numRuns: 3000 },
  );
});

test.each([
  "1",
  "-0",
  "0.5",
  "1e400",
  "-1.5E+3",
  '"a"',
  "true",
  " null ",
  "[]",
  "{}",
  '{"a":[1,{"b":"\\u00e9"}]}',
])("accepts %s", (text) => {
  expect(accepts(encoder.encode(text))).toBe(true);
});

test.each([
  "",
  " ",
  "01",
  "1.",
  "-",
  "+1",
  ".5",
  "1e",
  "tru",
  "nul1",
  "[1,]",
  '{"a":1,}',
  "{a:1}",
  '{"a"}',
  "[1}",
  "1 2",
  '"\t"',
  '"\\x"',
  '"\\u12g4"',
  '"',
  "NaN",
  "'a'",
])("refuses %s", (text) => {
  expect(accepts(encoder.encode(text))).toBe(false);
});

test("records the spans of the outermost members, and the text of short ones", () => {
  const text =
    ' {"jsonrpc":"2.0", "i\\u0064" : 12345678901234567890 ,"params":{"id":3},"x":[{"method":1}]}';
  for (let abandon = 0; abandon < text.length; abandon++) {
    const scanner = new Scanner();
    scanner.feed(encoder.encode(text.slice(0, abandon)));
    scanner.feed(encoder.encode(text.slice(abandon)));
    scanner.finish();
    const { jsonrpc, method, params, ...envelope } = scanner.envelope;
    expect(jsonrpc?.text).toBe('"2.0"');
    expect(method).toBeUndefined();
    const id = envelope.id!;
    expect(id.text).toBe("12345678901234567890");
    expect(text.slice(id.start, id.end)).toBe("12345678901234567890");
    expect(text.slice(params!.start, params!.end)).toBe('{"id":3}');
  }
});

test("reports a repeated id, also if a key is written with an escape", () => {
  const scanner = new Scanner();
  scanner.feed(encoder.encode('{"id":1,"\\u0069d":2}'));
  scanner.finish();
  expect(scanner.envelope.repeated).toBe("id");
});

test("accepts a million levels of nesting", () => {
  const scanner = new Scanner();
  scanner.feed(new Uint8Array(1e6).fill(0x5b));
  scanner.feed(new Uint8Array(1e6).fill(0x5d));
  scanner.finish();
  expect(scanner.envelope.first).toBe(0x5b);
});
