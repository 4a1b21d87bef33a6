import { expect, test } from "bun:test";
import fc from "fast-check";
import { ToolTable } from "../../../src/upstream/core/tool-table.ts";
import { IdempotentTools } from "../../../src/upstream/retry/idempotent-tools.ts";
import { type Situation, waitBefore } from "../../../src/upstream/retry/retry.ts";
import { BridgeError, type ErrorDetails, type ErrorKind } from "../../../src/wire/errors.ts";
import { requestOf } from "../../../src/wire/message.ts";

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
])("%s: any call is sent again, since it was not executed", (_, kind, details) => {
  expect(waitBefore(situation(kind, details))).toBeNumber();
});

test.each<[string, ErrorKind, ErrorDetails]>([
  ["a reset", "outcome-unknown", {}],
  ["503 without Retry-After", "server-error", { status: 503 }],
  ["502", "server-error", { status: 502 }],
  ["500", "server-error", { status: 500 }],
])("%s: only a repeatable request is sent again", (_, kind, details) => {
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
])("%s: nothing is sent again", (_, kind, details) => {
  expect(waitBefore(situation(kind, details, { isRepeatable: true }))).toBeUndefined();
});

test("the wait stays within the deadline, the attempts and the longest wait, whatever the server asks for", () => {
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

test("an unreachable server is waited for up to three seconds, then the circuit is open", () => {
  const away = (more: Partial<Situation>) =>
    waitBefore(situation("connection-refused", safeToRetry, more));
  expect(away({ attempt: 30, elapsedMs: 1000 })).toBeNumber();
  expect(away({ attempt: 30, elapsedMs: 3000 })).toBeUndefined();
  expect(away({ circuitOpen: true })).toBeUndefined();
});

test("a server that has never answered in this run is waited for as long as a start may take", () => {
  const starting = (
    kind: ErrorKind,
    details: ErrorDetails,
    elapsedMs: number,
    isRepeatable = true,
  ) =>
    waitBefore(
      situation(kind, details, { attempt: 30, elapsedMs, isRepeatable, startWaitMs: 25_000 }),
    );
  expect(starting("connection-refused", safeToRetry, 20_000)).toBeNumber();
  expect(starting("connection-refused", safeToRetry, 25_000)).toBeUndefined();
  for (const status of [502, 503, 504]) {
    expect(starting("server-error", { status }, 20_000)).toBeNumber();
    expect(starting("server-error", { status }, 25_000)).toBeUndefined();
    expect(starting("server-error", { status }, 0, false)).toBeUndefined();
  }
  expect(starting("server-error", { status: 500 }, 0)).toBeUndefined();
  expect(starting("unreachable", safeToRetry, 20_000)).toBeNumber();
});

test("a host name that does not resolve is reported after three seconds, at a start, too", () => {
  const unknown = (elapsedMs: number) =>
    waitBefore(situation("dns", safeToRetry, { attempt: 30, elapsedMs, startWaitMs: 25_000 }));
  expect(unknown(1000)).toBeNumber();
  expect(unknown(3000)).toBeUndefined();
});

test("attempts: 1 makes exactly one attempt", () => {
  expect(waitBefore(situation("connection-refused", safeToRetry, { attempts: 1 }))).toBeUndefined();
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
  expect(new IdempotentTools(new ToolTable()).isRepeatable(requestOf("1", method))).toBe(expected);
});
