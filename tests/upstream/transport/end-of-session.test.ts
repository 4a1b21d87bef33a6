import { afterEach, expect, jest, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import { RequestIds } from "../../../src/upstream/core/request-ids.ts";
import type { Endpoint } from "../../../src/upstream/transport/endpoint.ts";
import { ReadBudget } from "../../../src/upstream/transport/read-budget.ts";
import { StreamableHttp } from "../../../src/upstream/transport/streamable-http.ts";
import { memoryLog } from "../../support/client.ts";

afterEach(() => void jest.useRealTimers());

/** A transport whose server never answers the DELETE; `asked` are the requests. */
function silentServer(roundTripMs: number, endsSessions = true) {
  const asked: string[] = [];
  const endpoint = {
    url: new URL("https://kb.example/mcp"),
    roundTripMs,
    request: ({ method, signal }: { method: string; signal: AbortSignal }) => {
      asked.push(method);
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  } as unknown as Endpoint;
  const transport = new StreamableHttp({
    name: "kb",
    endpoint,
    session: { id: "s-1", version: "2025-06-18" },
    log: memoryLog(),
    redactor: new Redactor(),
    limit: 1000,
    budget: new ReadBudget(),
    ids: new RequestIds(),
    isRepeatable: () => false,
    beginSession: () => undefined,
    anotherCredential: async () => undefined,
    endsSessions,
  });
  return { transport, asked };
}

test.each([
  [0.2, 10],
  [10, 40],
  [40, 160],
  [500, 300],
  [Number.POSITIVE_INFINITY, 300],
])(
  "with a round trip of %d ms an unanswered DELETE is waited for %d ms",
  async (roundTripMs, waitMs) => {
    jest.useFakeTimers();
    const { transport, asked } = silentServer(roundTripMs);
    let isDone = false;
    const closed = transport.close(300).catch(() => {
      isDone = true;
    });
    jest.advanceTimersByTime(waitMs - 1);
    await Promise.resolve();
    expect([asked, isDone]).toEqual([["DELETE"], false]);
    jest.advanceTimersByTime(2);
    await closed;
    expect(isDone).toBe(true);
  },
);

test("where sessions are not to be ended no DELETE is sent", async () => {
  const { transport, asked } = silentServer(1, false);
  await transport.close(300);
  await transport.end("s-0", 300);
  expect(asked).toEqual([]);
});
