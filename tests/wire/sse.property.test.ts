import { expect, test } from "bun:test";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { EventParser } from "../../src/wire/sse.ts";
import { cut } from "../support/cut.ts";
import { runsOf } from "../support/property.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const runs = runsOf(import.meta.path);
const cuts = fc.array(fc.nat(4000), { maxLength: 12 });

function read(bytes: Uint8Array, at: readonly number[]) {
  const parser = new EventParser(1 << 20);
  return cut(bytes, at)
    .flatMap((chunk) => parser.feed(chunk))
    .map((event) => ({
      ...event,
      data: event.data === undefined ? undefined : decoder.decode(event.data),
    }));
}

const line = fc
  .string({ unit: "grapheme", maxLength: 30 })
  .map((s) => s.replace(/[\r\n\ufeff\0]/g, "x"));
const block = fc.record({
  data: fc.array(line, { minLength: 1, maxLength: 4 }),
  event: fc.option(line, { nil: undefined }),
  id: fc.option(line, { nil: undefined }),
  retry: fc.option(fc.nat(100_000), { nil: undefined }),
  comment: fc.option(line, { nil: undefined }),
});

test("gives back every event that was written, in any line end, however it is cut", () => {
  fc.assert(
    fc.property(
      fc.array(block),
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.constantFrom("", "\ufeff"),
      fc.constantFrom(":", ": "),
      cuts,
      (blocks, end, mark, colon, at) => {
        const field = (name: string, value: string | number | undefined) =>
          // Without the optional space a value's own first space would be lost.
          value === undefined ? [] : [`${name}${String(value)[0] === " " ? ": " : colon}${value}`];
        const text = blocks.map((one) =>
          [
            ...(one.comment === undefined ? [] : [`:${one.comment}`]),
            ...field("event", one.event),
            ...one.data.flatMap((data) => field("data", data)),
            ...field("id", one.id),
            ...field("retry", one.retry),
            "",
            "",
          ].join(end),
        );
        const events = read(encoder.encode(mark + text.join("")), at);
        expect(events).toEqual(
          blocks.map((one) => ({
            event: one.event || "message",
            data: one.data.join("\n"),
            ...(one.id !== undefined && { id: one.id }),
            ...(one.retry !== undefined && { retryMs: one.retry }),
          })),
        );
      },
    ),
    runs,
  );
});

test("finds the same data as eventsource-parser in arbitrary streams", () => {
  const piece = fc.constantFrom(
    "data",
    ":",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "event",
    "id",
    "x",
    "ä",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), cuts, (pieces, at) => {
      const text = pieces.join("");
      const theirs: string[] = [];
      const parser = createParser({ onEvent: (event) => theirs.push(event.data) });
      parser.feed(text);
      const ours = read(encoder.encode(text), at).flatMap((event) => event.data ?? []);
      // It holds a final CR back until the next byte comes; ours ends the line at once, as the standard does.
      if (text.endsWith("\r")) expect(ours.slice(0, theirs.length)).toEqual(theirs);
      else expect(ours).toEqual(theirs);
    }),
    runs,
  );
});

test("throws nothing but too-large, whatever bytes come", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (bytes, at) => {
      read(bytes, at);
    }),
    runs,
  );
});
