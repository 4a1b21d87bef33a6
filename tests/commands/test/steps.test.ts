import { expect, test } from "bun:test";
import type { Result } from "../../../src/commands/test/mcp-child.ts";
import type { Client } from "../../../src/commands/test/requests.ts";
import { type Observer, testServer } from "../../../src/commands/test/steps.ts";
import {
  acceptedInitializes,
  fatalInitializes,
  fatalPages,
  goodInitialize,
  goodTool,
} from "../../support/strict-tools.ts";

const silent: Observer = { started: () => {}, passed: () => {}, failed: () => {} };
const bytes = new Uint8Array();

/** The steps of a test of a server with these answers. */
async function stepsOf(answers: Readonly<Record<string, unknown>>) {
  const client: Client = {
    request: async (method, sent) => ({ result: answers[method] as Result, ms: 1, sent, bytes }),
    notify: () => undefined,
  };
  return (await testServer("s", client, silent, undefined)).steps;
}

test.each(fatalInitializes)(
  "an answer to initialize that has %s is refused",
  async (fault, answer) => {
    const [step] = await stepsOf({ initialize: answer });
    expect(step?.error?.message).toBe(
      `Codex would refuse the server: its answer to initialize has ${fault}`,
    );
  },
);

test.each(acceptedInitializes)("the answer %j to initialize is accepted", async (answer) => {
  const steps = await stepsOf({ initialize: answer, "tools/list": { tools: [goodTool] } });
  expect(steps.map(({ ok }) => ok)).toEqual([true, true]);
});

test.each(fatalPages)("a page of which %s costs the whole list", async (fault, page) => {
  const steps = await stepsOf({ initialize: goodInitialize, "tools/list": page });
  expect(steps[1]?.error?.message).toBe(`Codex would drop the whole list: ${fault}`);
});

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
        const tool = { name: `t${cursor ?? ""}`, inputSchema: {} };
        const list = { tools: [tool], nextCursor: next(cursor) };
        if (method === "tools/list") lists++;
        const error = { code: -32000, message: "asked too often" };
        const sent = { ms: 1, sent: params, bytes };
        if (lists > 10) return { error, ...sent };
        return { result: method === "tools/list" ? list : goodInitialize, ...sent };
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
    async request(method, params) {
      const list = { tools: [], nextCursor: String(lists++) };
      const result = method === "tools/list" ? list : goodInitialize;
      return { result, ms: 1, sent: params, bytes };
    },
    notify: () => undefined,
  };
  const { steps } = await testServer("s", client, silent, undefined);
  expect(steps.at(-1)?.error?.message).toBe("tools/list has more than 1000 pages");
});
