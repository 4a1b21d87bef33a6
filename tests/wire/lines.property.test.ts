import { expect, test } from "bun:test";
import fc from "fast-check";
import { LineSplitter, type Oversize } from "../../src/wire/lines.ts";
import { abandon } from "../support/cut.ts";
import { runsOf } from "../support/property.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const runs = runsOf(import.meta.path);

function split(bytes: Uint8Array, at: readonly number[], limit: number) {
  const splitter = new LineSplitter(limit);
  const lines: (Uint8Array | Oversize)[] = [];
  for (const chunk of abandon(bytes, at)) lines.push(...splitter.feed(chunk));
  lines.push(...splitter.end());
  return lines.map((line) => (line instanceof Uint8Array ? decoder.decode(line) : line));
}

const text = fc
  .string({ unit: "grapheme", maxLength: 40 })
  .map((s) => s.replace(/[\r\n\ufeff]/g, "x"));
const cuts = fc.array(fc.nat(4000), { maxLength: 12 });

test("splits into the same lines for any chunking, without line ends and blank lines", () => {
  const lines = fc.array(fc.tuple(text, fc.constantFrom("\n", "\r\n")));
  fc.assert(
    fc.property(lines, cuts, (written, at) => {
      const bytes = encoder.encode(written.map((pair) => pair.join("")).join(""));
      const expected = written.map(([line]) => line).filter((line) => /[^ \t]/.test(line));
      expect(split(bytes, at, 10_000)).toEqual(expected);
    }),
    runs,
  );
});

test("returns size and id of a line over the limit, for any chunking and any position of the id", () => {
  const padding = fc.integer({ min: 100, max: 3000 });
  const id = fc.oneof(
    fc.integer().map(String),
    fc.string().map((s) => JSON.stringify(s)),
  );
  fc.assert(
    fc.property(id, padding, fc.boolean(), cuts, (idText, size, isLast, at) => {
      const body = `"method":"tools/call","params":{"id":"inner","x":"${"p".repeat(size)}"}`;
      const line = isLast
        ? `{"jsonrpc":"2.0",${body},"id":${idText}}`
        : `{"id":${idText},"jsonrpc":"2.0",${body}}`;
      const bytes = encoder.encode(`${line}\nnext\n`);
      const length = bytes.length - "\nnext\n".length;
      expect(split(bytes, at, 90)).toEqual([{ bytes: length, id: idText }, "next"]);
    }),
    runs,
  );
});

test("never throws on arbitrary bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), cuts, fc.nat(100), (bytes, at, limit) => {
      split(bytes, at, limit);
    }),
    runs,
  );
});
