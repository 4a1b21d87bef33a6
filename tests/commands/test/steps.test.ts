import { expect, test } from "bun:test";
import type { Client } from "../../../src/commands/test/requests.ts";
import { type Observer, testServer } from "../../../src/commands/test/steps.ts";

const silent: Observer = { started: () => {}, passed: () => {}, failed: () => {} };
const bytes = new Uint8Array();

test.each([
  ["never advances", () => "1", ["t", "t1"]],
  ["leads back", (cursor: string | undefined) => (cursor === "1" ? "2" : "1"), ["t", "t1", "t2"]],
] as const)(
  "a cursor that %s ends the list, and the test fails as Codex does",
  async (_, next, names) => {
    let lists = 0;
    const client: Client = {
      async request(method, params) {
        const { cursor } = JSON.parse(params) as { readonly cursor?: string };
        const capabilities = { tools: {} };
        const tool = { name: `t${cursor ?? ""}`, inputSchema: {} };
        const list = { tools: [tool], nextCursor: next(cursor) };
        if (method === "tools/list") lists++;
        const error = { code: -32000, message: "asked too often" };
        const sent = { ms: 1, sent: params, bytes };
        if (lists > 10) return { error, ...sent };
        return { result: method === "tools/list" ? list : { capabilities }, ...sent };
      },
      notify: () => undefined,
    };
    const { steps, tools } = await testServer("s", client, silent, undefined);
    expect(steps.map(({ ok }) => ok)).toEqual([true, false]);
    expect(steps[1]?.error?.message).toStartWith(
      "Codex would drop the whole list: its pages do not end",
    );
    expect(tools).toEqual([...names]);
    expect(lists).toBe(names.length);
  },
);

test("stops at a server that returns new cursors for ever", async () => {
  let lists = 0;
  const client: Client = {
    async request(_, params) {
      return { result: { tools: [], nextCursor: String(lists++) }, ms: 1, sent: params, bytes };
    },
    notify: () => undefined,
  };
  const { steps } = await testServer("s", client, silent, undefined);
  expect(steps.at(-1)?.error?.message).toBe("tools/list has more than 1000 pages");
});
