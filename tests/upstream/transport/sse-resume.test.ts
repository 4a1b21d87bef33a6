import { expect, test } from "bun:test";
import { ReadBudget } from "../../../src/upstream/transport/read-budget.ts";
import { EventStream } from "../../../src/upstream/transport/sse-resume.ts";
import { memoryLog } from "../../support/client.ts";

/** A stream that says `text` once and then nothing, as a half-open connection does. */
function silentAfter(text: string): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

test("a listening stream that falls silent is opened anew, after the last event it named", async () => {
  const stop = new AbortController();
  const asked: (string | undefined)[] = [];
  const onResponseHeaders: string[] = [];
  const stream = new EventStream({
    name: "s",
    limit: 1000,
    budget: new ReadBudget(),
    log: memoryLog(),
    idleMs: 30,
    get: async (lastEventId) => {
      asked.push(lastEventId);
      if (asked.length === 3) stop.abort({ by: "closing" });
      const n = asked.length;
      return silentAfter(
        `retry: 10\nid: e${n}\ndata: {"jsonrpc":"2.0","method":"notifications/n${n}"}\n\n`,
      );
    },
  });
  await stream.listen(
    async ({ head }) => void onResponseHeaders.push(head.method ?? ""),
    stop.signal,
  );
  expect(asked).toEqual([undefined, "e1", "e2"]);
  expect(onResponseHeaders.slice(0, 2)).toEqual(["notifications/n1", "notifications/n2"]);
});

test.each([400, 404, 410, 416])(
  "an event that the server answers with %p is forgotten, and the next request asks for a new stream",
  async (status) => {
    const stop = new AbortController();
    const asked: (string | undefined)[] = [];
    const stream = new EventStream({
      name: "s",
      limit: 1000,
      budget: new ReadBudget(),
      log: memoryLog(),
      get: async (lastEventId) => {
        asked.push(lastEventId);
        if (lastEventId !== undefined) return new Response("no such event", { status });
        if (asked.length > 2) stop.abort({ by: "closing" });
        const text = "retry: 10\nid: e1\ndata:\n\n";
        return new Response(text, { headers: { "content-type": "text/event-stream" } });
      },
    });
    await stream.listen(async () => undefined, stop.signal);
    expect(asked).toEqual([undefined, "e1", undefined]);
  },
);
