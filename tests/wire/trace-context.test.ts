import { expect, test } from "bun:test";
import fc from "fast-check";
import { traceFields } from "../../src/wire/trace-context.ts";
import { runsOf } from "../support/property.ts";

const id = "4bf92f3577b34da6a3ce929d0e0e4736";
const parent = "00f067aa0ba902b7";
const traceparent = `00-${id}-${parent}-01`;

test.each([
  [traceparent, true],
  [`00-${id}-${parent}-00`, true],
  [`cc-${id}-${parent}-01`, true],
  [`cc-${id}-${parent}-01-what.the.future-holds`, true],
  [`00-${id}-${parent}-01-more`, false],
  [`cc-${id}-${parent}-01.more`, false],
  [`ff-${id}-${parent}-01`, false],
  [`00-${"0".repeat(32)}-${parent}-01`, false],
  [`00-${id}-${"0".repeat(16)}-01`, false],
  [traceparent.toUpperCase(), false],
  [` ${traceparent}`, false],
  [`${traceparent}\r\nx-evil: 1`, false],
  [`cc-${id}-${parent}-01-a\nb`, false],
  [`cc-${id}-${parent}-01-${"a".repeat(1000)}`, false],
  ["", false],
  [7, false],
  [null, false],
])("traceparent %j is passed on: %p", (value, isPassed) => {
  const fields = traceFields({ traceparent: value }, true);
  expect(fields).toEqual(isPassed ? { traceparent: value as string } : {});
});

test.each([
  ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true],
  ["a=1, b=2 ,,c=3", true],
  ["1tenant@system=x", true],
  ["a= x", true],
  ["", false],
  [" , ", false],
  ["a", false],
  ["a=", false],
  ["A=1", false],
  ["a=1=2", false],
  ["a=1\r\nx: 1", false],
  ["a=é", false],
  [`a=${"x".repeat(257)}`, false],
  [Array.from({ length: 33 }, (_, n) => `a${n}=1`).join(","), false],
  [{}, false],
])("tracestate %j is passed on beside a traceparent: %p", (tracestate, isPassed) => {
  const fields = traceFields({ traceparent, tracestate }, false);
  expect(Object.hasOwn(fields, "tracestate")).toBe(isPassed);
  expect(traceFields({ tracestate }, false)).toEqual({});
  expect(traceFields({ traceparent: "x", tracestate }, false)).toEqual({});
});

test.each([
  ["userId=alice,serverNode=DF%2028,isProduction=false", true],
  ["key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue", true],
  ["a=", true],
  ["", false],
  ["a", false],
  ["a b=1", false],
  ['a="1"', false],
  ["a=1\n", false],
  ["a=é", false],
  [`a=${"x".repeat(9000)}`, false],
  [Array.from({ length: 65 }, (_, n) => `a${n}=1`).join(","), false],
])("baggage %j is passed on where it was asked for: %p", (baggage, isPassed) => {
  expect(traceFields({ baggage }, true)).toEqual(isPassed ? { baggage } : {});
  expect(traceFields({ baggage }, false)).toEqual({});
});

test("whatever stands in _meta becomes valid header values or nothing", () => {
  const value = fc.oneof(
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.constantFrom(traceparent, "a=1"),
    fc
      .tuple(fc.constantFrom(traceparent, "a=1"), fc.string({ unit: "binary", maxLength: 5 }))
      .map((parts) => parts.join("")),
    fc.anything(),
  );
  const meta = fc.record({ traceparent: value, tracestate: value, baggage: value });
  fc.assert(
    fc.property(fc.oneof(meta, fc.anything()), (any) => {
      const fields = traceFields(any, true);
      for (const text of Object.values(fields)) expect(text).toMatch(/^[\x20-\x7e\t]+$/);
      expect([...new Headers(fields).keys()].sort()).toEqual(Object.keys(fields).sort());
    }),
    runsOf(import.meta.file),
  );
});

test("hostile values of their largest size are judged in a moment", () => {
  const texts = [`a=${" ".repeat(8000)}\u0001`, `a=1${" ;a = 1".repeat(1100)} "`, ";".repeat(8192)];
  const more = [
    "a".repeat(1e6),
    `a=${" ".repeat(1e6)}`,
    `${" ".repeat(16_000)}"`,
    `a=x${" ,".repeat(8000)}é`,
  ];
  const startedAt = performance.now();
  for (const text of [...texts, ...more])
    traceFields({ traceparent, tracestate: text, baggage: text }, true);
  // A judgement by the square of the length takes seconds.
  expect(performance.now() - startedAt).toBeLessThan(300);
});
