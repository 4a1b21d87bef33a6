import { expect, test } from "bun:test";
import { type Client, type Observer, testServer } from "../../../src/commands/test/steps.ts";

const silent: Observer = { started: () => {}, passed: () => {}, failed: () => {} };

test.each([
  ["never advances", () => "1", ["t", "t1"]],
  ["leads back", (cursor: string | undefined) => (cursor === "1" ? "2" : "1"), ["t", "t1", "t2"]],
] as const)("a cursor that %s ends the list, and each name counts once", async (_, next, names) => {
  let lists = 0;
  const client: Client = {
    async request(method, params) {
      const { cursor } = JSON.parse(params) as { readonly cursor?: string };
      const capabilities = { tools: {} };
      const list = { tools: [{ name: `t${cursor ?? ""}` }], nextCursor: next(cursor) };
      if (method === "tools/list") lists++;
      const error = { code: -32000, message: "asked too often" };
      const sent = { ms: 1, sent: params };
      if (lists > 10) return { error, ...sent };
      return { result: method === "tools/list" ? list : { capabilities }, ...sent };
    },
    notify: () => undefined,
  };
  const { steps, tools } = await testServer("s", client, silent, undefined);
  expect(steps.map(({ ok }) => ok)).toEqual([true, true]);
  expect(tools).toEqual([...names]);
  expect(lists).toBe(names.length);
});

test("stops at a server that returns new cursors for ever", async () => {
  let lists = 0;
  const client: Client = {
    async request(_, params) {
      return { result: { tools: [], nextCursor: String(lists++) }, ms: 1, sent: params };
    },
    notify: () => undefined,
  };
  const { steps } = await testServer("s", client, silent, undefined);
  expect(steps.at(-1)?.error?.message).toBe("tools/list has more than 1000 pages");
});
