import { expect, test } from "bun:test";
import fc from "fast-check";
import * as v from "valibot";
import { isFastValidEntry, isFastValidTop } from "../../src/config/fast-validate.ts";
import { schemaOf, serverEntry, topLevel } from "../../src/config/schema.ts";

const runs = { numRuns: Number(process.env.PROPERTY_RUNS ?? 2000) };
const odd = fc.constantFrom<unknown>(null, true, 0, 1, 1.5, -1, 86_401, "", " ", "x", [], {}, [
  "x",
]);
const text = fc.constantFrom(
  "https://host.example/mcp",
  "http://127.0.0.1:80/",
  "http://host.example/",
  "https://me@host.example/",
  "https://host.example/#x",
  "https://host.example/a b",
  "ftp://host.example/",
  "token-of-ascii",
  " padded ",
  "Bearer token",
  "NAME",
  "1NAME",
  "${NAME} x",
  "${",
  "käse",
);
const inner = fc.oneof(
  odd,
  text,
  fc.record({ type: fc.constantFrom("oauth", "none", "other") }),
  fc.record({ type: fc.constant("oauth"), clientId: text }),
  fc.record({ messageMB: fc.constantFrom<unknown>(0, 1, 1.5, 1024, 1025, "1") }),
  fc.dictionary(fc.constantFrom("X-One", "Two", "messageMB"), fc.oneof(text, odd)),
);
const keys = (table: object) => fc.constantFrom(...Object.keys(table), "unknown", "constructor");

test.each([
  ["entry", serverEntry, isFastValidEntry],
  ["top level", topLevel, isFastValidTop],
])("the schema accepts, unchanged, every %s that the fast check accepts", (_, table, isPlain) => {
  const schema = schemaOf(table);
  const anything = fc.oneof(odd, fc.dictionary(keys(table), inner, { maxKeys: 4 }));
  const likely = fc
    .record({ url: text })
    .chain((base) => anything.map((more) => ({ ...base, ...(more as object) })));
  let plain = 0;
  fc.assert(
    fc.property(fc.oneof(anything, likely), (value) => {
      if (!isPlain(value)) return;
      plain++;
      expect(v.safeParse(schema, value)).toMatchObject({ success: true, output: value as object });
    }),
    runs,
  );
  expect(plain).toBeGreaterThan(10);
});

test("the fast check accepts usual configurations", () => {
  for (const [key, value] of Object.entries({
    url: "https://host.example/mcp",
    token: "abcdefgh",
    tokenEnv: "TOKEN",
    auth: { type: "oauth" },
    headers: { "X-Key": "${KEY}" },
    description: "for people",
    timeoutSec: 60,
    limits: { messageMB: 16 },
  }))
    expect([key, isFastValidEntry({ url: "https://host.example/", [key]: value })]).toEqual([
      key,
      true,
    ]);
  expect(isFastValidEntry({ token: "abcdefgh" })).toBe(false);
  expect(isFastValidTop({ $schema: "./config.schema.json", version: 1, servers: {} })).toBe(true);
});
