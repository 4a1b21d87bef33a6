import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  calledTool,
  isAmbiguous,
  isDoubtful,
  plainParameters,
} from "../../../src/upstream/tools/named-tool.ts";
import { Message, readMessage } from "../../../src/wire/message.ts";
import { runsOf } from "../../support/property.ts";

const runs = runsOf(import.meta.path);

function callOf(text: string): Message {
  const message = readMessage(new TextEncoder().encode(text));
  if (message instanceof Message) return message;
  throw new Error(message.reason);
}

const call = (params: string, more = "") =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}${more}}`;

test("the calls of common clients are plain", () => {
  for (const params of [
    '{"name":"look","arguments":{"text":"ping","n":[1,2.5,null]}}',
    '{"name":"look","arguments":{"Name":"b","name":"c"},"_meta":{"progressToken":1}}',
    '{"_meta":{"progressToken":"p"},"name":"look"}',
  ])
    expect(plainParameters(callOf(call(params)))).toEqual(JSON.parse(params));
});

/** Keys that a lenient server may mistake for each other, and values that JSON can write in two ways. */
const keys = [
  "name",
  "Name",
  "n\\u0061me",
  "ｎame",
  "arguments",
  "ARGUMENTS",
  "_meta",
  "task",
  "0",
  "",
];
const key = fc.constantFrom(...keys);
const value = fc.constantFrom(
  '"a"',
  '"\\u0061"',
  '"b"',
  "1",
  "1.0",
  "1e2",
  "{}",
  '{"name":"c","name":"d"}',
);
const space = fc.constantFrom("", "", "", " ");
const parameters = fc
  .array(fc.tuple(key, value, space), { maxLength: 4 })
  .map((members) => `{${members.map(([k, v, s]) => `"${k}":${s}${v}`).join(",")}}`);
const outer = fc.constantFrom("", "", ',"Method":"x"', ',"Params":{"name":"b"}', ',"more":1');

test("a plain call is read alike by every server", () => {
  fc.assert(
    fc.property(parameters, outer, (params, more) => {
      const message = callOf(call(params, more));
      const plain = plainParameters(message);
      if (plain === undefined) return;
      const span = message.view(["params"])!;
      expect(isAmbiguous(message, "params")).toBe(false);
      expect(isDoubtful(message.bytes, span, ["name", "arguments"])).toBe(false);
      const { name } = plain;
      expect(typeof name === "string" ? name : undefined).toEqual(calledTool(message));
    }),
    runs,
  );
});
