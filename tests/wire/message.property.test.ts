import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  errorTo,
  idKey,
  isSameId,
  Message,
  parseMessage,
  readMessage,
} from "../../src/wire/message.ts";
import { runsOf } from "../support/property.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const runs = runsOf(import.meta.path);

const id = fc.oneof(fc.maxSafeInteger(), fc.string({ unit: "grapheme" }));
const params = fc
  .dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue(), { maxKeys: 5 })
  // JSON knows no -0.
  .map((values) => JSON.parse(JSON.stringify(values)) as Record<string, unknown>);
const space = fc.constantFrom(undefined, 1, 2, "\t");

function read(text: string): Message {
  const message = readMessage(encoder.encode(text));
  if (!(message instanceof Message)) throw new Error(message.reason);
  return message;
}

test("reads any request: id as written, method, parameters, one line", () => {
  fc.assert(
    fc.property(id, fc.string({ minLength: 1 }), params, space, (anyId, method, values, indent) => {
      const whole = { jsonrpc: "2.0", id: anyId, method, params: values };
      const message = read(JSON.stringify(whole, null, indent));
      expect(message.head).toEqual({ kind: "request", id: JSON.stringify(anyId), method });
      expect(message.bytes.includes(0x0a)).toBe(false);
      expect(JSON.parse(decoder.decode(message.bytes))).toEqual(whole);
      for (const [key, value] of Object.entries(values))
        expect(message.value(["params", key])).toEqual(value);
    }),
    runs,
  );
});

test("an edit changes the value at its path and no other byte", () => {
  const edits = fc.tuple(fc.constantFrom("a", "b", "_meta"), fc.option(fc.jsonValue()));
  fc.assert(
    fc.property(params, edits, space, (values, [key, value], indent) => {
      const whole = { jsonrpc: "2.0", method: "m", params: values };
      const text = JSON.stringify(whole, null, indent).replaceAll("\n", " ");
      const raw = value === null ? null : JSON.stringify(value);
      const edited = read(text).with([{ path: ["params", key], raw }]);
      const expected: Record<string, unknown> = { ...values };
      if (value === null) delete expected[key];
      else expected[key] = value;
      expect(JSON.parse(decoder.decode(edited.bytes)).params).toEqual(
        JSON.parse(JSON.stringify(expected)),
      );
      // Twice the same edit is once.
      expect(edited.with([{ path: ["params", key], raw }]).bytes).toEqual(edited.bytes);
    }),
    runs,
  );
});

test("numbers keep every digit", () => {
  const digits = fc.stringMatching(/^-?[1-9][0-9]{0,40}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?$/);
  fc.assert(
    fc.property(digits, (number) => {
      const text = `{"jsonrpc":"2.0","id":${number},"method":"m","params":{"n":${number}}}`;
      const message = read(text);
      expect(message.head.id).toBe(number);
      expect(message.text(["params", "n"])).toBe(number);
      expect(decoder.decode(message.bytes)).toBe(text);
    }),
    runs,
  );
});

test("isSameId and idKey treat ids as equal exactly if their JSON values are equal", () => {
  fc.assert(
    fc.property(id, id, (one, other) => {
      const same = one === other;
      expect(idKey(JSON.stringify(one)) === idKey(JSON.stringify(other))).toBe(same);
      expect(isSameId(JSON.stringify(one), JSON.stringify(other))).toBe(same);
      expect(isSameId(JSON.stringify(one), JSON.stringify(one))).toBe(true);
    }),
    runs,
  );
});

test("errorTo builds a valid message from any error text", () => {
  fc.assert(
    fc.property(id, fc.string({ unit: "binary" }), (anyId, message) => {
      const error = errorTo(JSON.stringify(anyId), { code: 1500, message });
      expect(JSON.parse(decoder.decode(error.bytes)).error.code).toBe(1500);
      expect(error.bytes.includes(0x0a)).toBe(false);
      expect(read(decoder.decode(error.bytes)).head).toEqual(error.head);
    }),
    runs,
  );
});

test("arbitrary bytes give a message or a flaw, never an exception", () => {
  const almost = fc.tuple(fc.json(), fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
    const bytes = encoder.encode(`{"jsonrpc":"2.0","id":1,"method":"m","params":${text}}`);
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(almost, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const message = readMessage(bytes);
      if (message instanceof Message && message.head.kind === "batch") message.elements();
    }),
    runs,
  );
});

test("a replaced value changes neither the message it came from nor the place of other bytes", () => {
  const text = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__look","n":1}}';
  const message = parseMessage(Buffer.from(text));
  const span = message.view(["params", "name"])!;
  const shorter = message.replaced(span, new TextEncoder().encode('"look"'));
  expect(new TextDecoder().decode(message.bytes)).toBe(text);
  expect(new TextDecoder().decode(shorter.bytes)).toBe(text.replace('"a__look"', '"look"   '));
  expect([shorter.name, shorter.text(["params", "n"])]).toEqual(["look", "1"]);
  const longer = message.replaced(span, new TextEncoder().encode('"a longer name"'));
  expect([longer.name, longer.text(["params", "n"])]).toEqual(["a longer name", "1"]);
});
