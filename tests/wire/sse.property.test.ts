import { expect, test } from "bun:test";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { EventParser } from "../../src/wire/sse.ts";
import { abandon } from "../support/cut.ts";
import { runsOf } from "../support/property.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const runs = runsOf(import.meta.path);
const cuts = fc.array(fc.nat(4000), { maxLength: 12 });

function read(bytes: Uint8Array, at: readonly number[]) {
  const parser = new EventParser(1 << 20);
  return abandon(bytes, at)
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

test("returns every event that was written, for any line end and any chunking", () => {
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
            id: one.id,
            retryMs: one.retry,
          })),
        );
      },
    ),
    runs,
  );
});

/** What eventsource-parser makes of a stream: its events, and every id that was set. */
function readElsewhere(text: string) {
  const events: { event: string; data: string; id?: string }[] = [];
  const ids: string[] = [];
  const parser = createParser({
    onEvent: ({ event = "message", data, id }) =>
      events.push({ event, data, ...(id !== undefined && { id }) }),
    onId: (id) => ids.push(id),
  });
  parser.feed(text);
  return { events, ids };
}

test("agrees with eventsource-parser on events and ids in arbitrary streams", () => {
  const end = fc.constantFrom("\n", "\r\n", "\r");
  const text = fc.constantFrom(
    "",
    " ",
    "  x",
    "a",
    "7",
    "ä",
    "日本",
    "\u{1f600}",
    "\ufeff",
    "a\0b",
    ":",
  );
  const field = fc.constantFrom(
    "data",
    "event",
    "id",
    "retry",
    "",
    "other",
    "dat",
    "datax",
    " data",
  );
  const colon = fc.constantFrom(":", ": ", "");
  const whole = fc.tuple(field, colon, text, end).map((parts) => parts.join(""));
  const data = fc.tuple(text, end).map(([value, ends]) => `data: ${value}${ends}`);
  const torn = fc.constantFrom("data:", "\r", "\n", "\r\n", "\ufeff", "x");
  const piece = fc.oneof(
    { arbitrary: data, weight: 3 },
    { arbitrary: whole, weight: 3 },
    { arbitrary: end, weight: 3 },
    { arbitrary: torn, weight: 1 },
  );
  let full = 0;
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 60 }), cuts, (pieces, at) => {
      const stream = pieces.join("");
      const theirs = readElsewhere(stream);
      if (theirs.events.length > 0) full++;
      const ours = read(encoder.encode(stream), at);
      const events = ours.flatMap(({ event, data, id }) =>
        data === undefined ? [] : [{ event, data, ...(id !== undefined && { id }) }],
      );
      expect(events).toEqual(theirs.events);
      expect(ours.flatMap(({ id }) => id ?? [])).toEqual(theirs.ids);
    }),
    runs,
  );
  // Streams without an event would compare nothing.
  expect(full).toBeGreaterThan(runs.numRuns / 2);
});

test("throws only too-large, on arbitrary bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (bytes, at) => {
      read(bytes, at);
    }),
    runs,
  );
});
