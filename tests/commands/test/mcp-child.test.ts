import { expect, test } from "bun:test";
import { RunChild } from "../../../src/commands/test/mcp-child.ts";

/** A bridge that lets its server ask, and gives what it was told as the result. */
const asking = `
const asked = ["ping", "roots/list", "elicitation/create", "sampling/createMessage"];
const told = [];
let first;
for await (const line of console) {
  if (line === "") break;
  const message = JSON.parse(line);
  if (first === undefined) {
    first = message;
    console.log("no message");
    console.log(JSON.stringify({ jsonrpc: "2.0", id: 99, result: {} }));
    console.log(JSON.stringify({ jsonrpc: "2.0", method: "notifications/message", params: { data: 1 } }));
    for (const method of asked) console.log(JSON.stringify({ jsonrpc: "2.0", id: method, method }));
  } else told.push(message);
  if (told.length === asked.length)
    console.log(JSON.stringify({ jsonrpc: "2.0", id: first.id, result: { told } }));
}
process.exit(7);
`;

test("the client of test and demo answers a server's requests as codex exec does", async () => {
  const notified: unknown[] = [];
  const child = new RunChild(
    { self: [process.execPath, "-e", asking] },
    { words: [], env: {}, notified: (method, params) => void notified.push([method, params]) },
  );
  const { result, ms } = await child.request("initialize", "{}");
  expect((result as { told?: unknown }).told).toEqual([
    { jsonrpc: "2.0", id: "ping", result: {} },
    { jsonrpc: "2.0", id: "roots/list", result: { roots: [] } },
    { jsonrpc: "2.0", id: "elicitation/create", result: { action: "decline" } },
    {
      jsonrpc: "2.0",
      id: "sampling/createMessage",
      error: { code: -32601, message: '"sampling/createMessage" is not offered here' },
    },
  ]);
  expect(ms).toBeGreaterThan(0);
  expect(notified).toEqual([["notifications/message", { data: 1 }]]);
  expect(child.strayLines).toBe(1);
  expect(await child.end()).toBe(7);
});
