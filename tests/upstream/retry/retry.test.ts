import { expect, test } from "bun:test";
import fc from "fast-check";
import { IdempotentTools } from "../../../src/upstream/retry/idempotent-tools.ts";
import { type Situation, waitBefore } from "../../../src/upstream/retry/retry.ts";
import { BridgeError, type ErrorDetails, type ErrorKind } from "../../../src/wire/errors.ts";
import { notificationOf, requestOf, responseTo } from "../../../src/wire/message.ts";

const situation = (kind: ErrorKind, details: ErrorDetails, more: Partial<Situation> = {}) => ({
  error: new BridgeError(kind, "what failed", details),
  isRepeatable: false,
  attempt: 1,
  attempts: 3,
  elapsedMs: 0,
  timeoutMs: 60_000,
  circuitOpen: false,
  random: () => 0.5,
  ...more,
});

const safeToRetry = { safeToRetry: true };

test.each<[string, ErrorKind, ErrorDetails]>([
  ["a refused connection", "connection-refused", safeToRetry],
  ["an unknown host", "dns", safeToRetry],
  ["no route", "unreachable", safeToRetry],
  ["a certificate", "tls", safeToRetry],
  ["429", "rate-limited", { status: 429 }],
  ["503 with Retry-After", "server-error", { status: 503, retryAfterMs: 10 }],
])("%s: any call is repeated, for nothing of it was executed", (_, kind, details) => {
  expect(waitBefore(situation(kind, details))).toBeNumber();
});

test.each<[string, ErrorKind, ErrorDetails]>([
  ["a reset", "outcome-unknown", {}],
  ["503 without Retry-After", "server-error", { status: 503 }],
  ["502", "server-error", { status: 502 }],
  ["500", "server-error", { status: 500 }],
])("%s: only what may be executed twice is repeated", (_, kind, details) => {
  expect(waitBefore(situation(kind, details))).toBeUndefined();
  expect(waitBefore(situation(kind, details, { isRepeatable: true }))).toBeNumber();
});

test.each<[string, ErrorKind, ErrorDetails]>([
  ["401", "unauthorized", { status: 401 }],
  ["403", "forbidden", { status: 403 }],
  ["404", "server-not-found", { status: 404 }],
  ["a bad answer", "bad-answer", {}],
  ["a redirect", "refused", { status: 302 }],
  ["a configuration", "configuration", safeToRetry],
  ["a proxy that refuses us", "unreachable", { ...safeToRetry, status: 407 }],
  ["silence in place of a connection", "unreachable", {}],
])("%s: nothing is repeated", (_, kind, details) => {
  expect(waitBefore(situation(kind, details, { isRepeatable: true }))).toBeUndefined();
});

test("the wait stays within the deadline, the attempts and the patience, whatever the server asks for", () => {
  const details = fc.record({
    status: fc.constantFrom(429, 503),
    retryAfterMs: fc.option(fc.nat(200_000), { nil: undefined }),
  });
  fc.assert(
    fc.property(
      details,
      fc.integer({ min: 1, max: 20 }),
      fc.nat(100_000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      ({ status, retryAfterMs }, attempt, elapsedMs, luck) => {
        const given = { status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
        const more = { attempt, elapsedMs, random: () => luck };
        const wait = waitBefore(situation("server-error", given, more));
        if (wait === undefined) return;
        expect(attempt).toBeLessThan(3);
        expect(wait).toBeWithin(retryAfterMs ?? 0, 60_000 - elapsedMs);
      },
    ),
  );
});

test("a server that is away is waited for up to three seconds, then the circuit is open", () => {
  const away = (more: Partial<Situation>) =>
    waitBefore(situation("connection-refused", safeToRetry, more));
  expect(away({ attempt: 30, elapsedMs: 1000 })).toBeNumber();
  expect(away({ attempt: 30, elapsedMs: 3000 })).toBeUndefined();
  expect(away({ circuitOpen: true })).toBeUndefined();
});

test("one attempt means one", () => {
  expect(waitBefore(situation("connection-refused", safeToRetry, { attempts: 1 }))).toBeUndefined();
});

const list = requestOf("1", "tools/list");
const page = (tools: object[]) => responseTo("1", JSON.stringify({ tools }));
const call = (name: string) => requestOf("2", "tools/call", JSON.stringify({ name }));

test("a tool is repeatable where the live list says so, until it changes", () => {
  const idempotentTools = new IdempotentTools();
  expect(idempotentTools.isRepeatable(call("reads"))).toBe(false);
  idempotentTools.learn(
    list,
    page([
      { name: "reads", annotations: { readOnlyHint: true } },
      { name: "sets", annotations: { idempotentHint: true } },
      { name: "adds", annotations: { destructiveHint: false } },
      { name: "lies", annotations: { readOnlyHint: "true" } },
      { name: "bare" },
    ]),
  );
  const known = ["reads", "sets", "adds", "lies", "bare", "unknown"];
  expect(known.filter((name) => idempotentTools.isRepeatable(call(name)))).toEqual([
    "reads",
    "sets",
  ]);
  idempotentTools.hear(notificationOf("notifications/tools/list_changed"));
  expect(idempotentTools.isRepeatable(call("reads"))).toBe(false);
});

test("a list is forgotten with the session that it was given in", () => {
  const idempotentTools = new IdempotentTools();
  idempotentTools.learn(list, page([{ name: "reads", annotations: { readOnlyHint: true } }]));
  expect(idempotentTools.isRepeatable(call("reads"))).toBe(true);
  idempotentTools.learn(requestOf("0", "initialize"), responseTo("0", "{}"));
  expect(idempotentTools.isRepeatable(call("reads"))).toBe(false);
});

const marked = (name: string, size = 0) => ({
  description: "d".repeat(size),
  name,
  annotations: { readOnlyHint: true },
});

test("of large lists only the names are kept", async () => {
  const idempotentTools = new IdempotentTools();
  const pages = Array.from({ length: 20 }, (_, n) => {
    const large = page([marked(`t${n}`, 300_000)]);
    idempotentTools.learn(requestOf("1", "tools/list", '{"cursor":"x"}'), large);
    return new WeakRef(large);
  });
  await Bun.sleep(0);
  Bun.gc(true);
  // The stack may still hold the last.
  expect(pages.filter((one) => one.deref() !== undefined).length).toBeLessThan(5);
  expect(idempotentTools.isRepeatable(call("t0"))).toBe(true);
  expect(idempotentTools.isRepeatable(call("t19"))).toBe(true);
});

test("many small pages are read before they are too many", async () => {
  const idempotentTools = new IdempotentTools();
  const pages = Array.from({ length: 200 }, (_, n) => {
    const small = page([marked(`t${n}`, 10_000)]);
    idempotentTools.learn(requestOf("1", "tools/list", '{"cursor":"x"}'), small);
    return new WeakRef(small);
  });
  await Bun.sleep(0);
  Bun.gc(true);
  expect(pages.filter((one) => one.deref() !== undefined).length).toBeLessThan(60);
  expect(idempotentTools.isRepeatable(call("t0"))).toBe(true);
});

test.each([
  ["the tools are too many", 10_001, "t", "t5", false],
  ["the tools are just not too many", 10_000, "t", "t5", true],
  ["a name is too long", 1, "n".repeat(300), `${"n".repeat(300)}0`, false],
])("a mark counts where %s: as told", (_, count, prefix, name, expected) => {
  const idempotentTools = new IdempotentTools();
  idempotentTools.learn(
    list,
    page(Array.from({ length: count }, (_, n) => marked(`${prefix}${n}`))),
  );
  expect(idempotentTools.isRepeatable(call(name))).toBe(expected);
});

test.each([
  ["small", 0],
  ["large", 300_000],
])("marks are read however a list is written, where it is %s", (_, size) => {
  const idempotentTools = new IdempotentTools();
  const filler = `,{"description":"${"d".repeat(size)}"}`;
  const text = String.raw`{"tools":[{"annotations":{"readOnlyHint":true},"n\u0061me":"\u0061"},7,null,[],
    {"name":"b","annotations":{"readOnlyHint":false,"readOnlyHint":true}},
    {"name":"c","annotations":{"idempotentHint":true}},{"name":"c"},
    {"name":"d","annotations":[true]},{"name":5,"annotations":{"readOnlyHint":true}},
    {"name":"e","annotations":{"readOnlyHint":"true"}}${filler}]}`;
  idempotentTools.learn(list, responseTo("1", text));
  const known = ["a", "b", "c", "d", "5", "e"].filter((name) =>
    idempotentTools.isRepeatable(call(name)),
  );
  expect(known).toEqual(["a", "b"]);
  const none = `{"tools":{"name":"e","annotations":{"readOnlyHint":true},"x":[0${filler}]}}`;
  idempotentTools.learn(list, responseTo("1", none));
  expect(idempotentTools.isRepeatable(call("e"))).toBe(false);
});

test("a second page adds, a new first page begins anew", () => {
  const idempotentTools = new IdempotentTools();
  const readOnly = (name: string) => ({ name, annotations: { readOnlyHint: true } });
  idempotentTools.learn(list, page([readOnly("a")]));
  idempotentTools.learn(requestOf("1", "tools/list", '{"cursor":"x"}'), page([readOnly("b")]));
  expect([call("a"), call("b")].map((one) => idempotentTools.isRepeatable(one))).toEqual([
    true,
    true,
  ]);
  idempotentTools.learn(list, page([readOnly("b")]));
  expect([call("a"), call("b")].map((one) => idempotentTools.isRepeatable(one))).toEqual([
    false,
    true,
  ]);
});

test.each([
  ["initialize", true],
  ["tools/list", true],
  ["resources/templates/list", true],
  ["resources/read", true],
  ["prompts/get", true],
  ["logging/setLevel", false],
  ["resources/subscribe", false],
  ["sampling/createMessage", false],
  ["anything/else", false],
])("%s may be executed twice: %p", (method, expected) => {
  expect(new IdempotentTools().isRepeatable(requestOf("1", method))).toBe(expected);
});
