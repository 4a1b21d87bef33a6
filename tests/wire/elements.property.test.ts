import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseMessage } from "../../src/wire/message.ts";
import { runsOf } from "../support/property.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const runs = runsOf(import.meta.path);

const element = fc.oneof(fc.json(), fc.constantFrom("1.0", '"a,]"', "[[1],[2]]", '{"a":[1,{}]}'));
const space = fc.constantFrom("", " ", "\t ");
const change = fc.oneof(fc.constant(undefined), fc.constant(null), fc.json());

test("editElements changes the given elements and no byte of the others", () => {
  const list = fc.array(fc.record({ element, change, before: space, after: space }));
  fc.assert(
    fc.property(list, (items) => {
      const written = items.map(({ before, element: text, after }) => before + text + after);
      const text = `{"jsonrpc":"2.0","id":1,"result":{"x":0.10,"list":[${written.join(",")}],"y":[1]}}`;
      const changes = new Map<number, string | null>();
      for (const [index, { change: to }] of items.entries())
        if (to !== undefined) changes.set(index, to);
      const message = parseMessage(encoder.encode(text));
      const changed = message.withElements(["result", "list"], changes);
      const kept = items.flatMap(({ element: own, change: to }) =>
        to === undefined ? [own] : to === null ? [] : [to],
      );
      expect(changed.value(["result", "list"])).toEqual(kept.map((one) => JSON.parse(one)));
      const whole = decoder.decode(changed.bytes);
      for (const { element: own, change: to } of items)
        if (to === undefined) expect(whole).toContain(own);
      expect(whole).toStartWith('{"jsonrpc":"2.0","id":1,"result":{"x":0.10,"list":[');
      expect(whole).toEndWith('],"y":[1]}}');
      if (changes.size === 0) expect(whole).toBe(text);
    }),
    runs,
  );
});
