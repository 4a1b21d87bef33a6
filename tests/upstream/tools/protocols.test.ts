import { expect, test } from "bun:test";
import { metaKeys, statelessRevision } from "../../../src/upstream/core/stateless-protocol.ts";
import { listing, listingServer } from "../../support/listing-server.ts";
import { initialize, type OpenedClient, openedClient } from "../../support/open-server.ts";
import { SseServer } from "../../support/sse-server.ts";
import { serveStateless } from "../../support/stateless-server.ts";

const rules = { tools: { allow: ["l*", "work"], deny: ["*k"] } };
const meta = {
  [metaKeys.version]: statelessRevision,
  [metaKeys.clientInfo]: { name: "test", version: "1" },
  [metaKeys.capabilities]: {},
};

async function expectRules(client: OpenedClient, allowed: string, refused: readonly string[]) {
  expect(await client.tools()).toEqual([allowed]);
  for (const name of refused)
    expect((await client.call("tools/call", { name })).error).toMatchObject({
      code: 1451,
      message: expect.stringContaining(`tool "${name}" of server "kb" is not allowed`),
    });
}

test("a session client at a session server", async () => {
  const state = { ...listing(), pages: [["list", "look", "work", "other"]] };
  await using server = listingServer(state);
  const client = openedClient({ url: server.url, ...rules });
  await initialize(client);
  await expectRules(client, "list", ["look", "work", "other"]);
  expect((await client.call("tools/call", { name: "list" })).result).toEqual({ content: [] });
  expect(state.seen.filter((method) => method === "tools/call")).toHaveLength(1);
});

test("a stateless client at a session server", async () => {
  const state = { ...listing(), pages: [["list", "look"]] };
  await using server = listingServer(state);
  const client = openedClient({ url: server.url, ...rules }, { meta });
  await expectRules(client, "list", ["look"]);
  expect(state.seen).not.toContain("tools/call");
});

test.each([
  ["a session client", undefined],
  ["a stateless client", meta],
])("%s at a stateless server", async (_, meta) => {
  await using server = serveStateless();
  const client = openedClient({ url: server.url, ...rules }, meta && { meta });
  if (meta === undefined) await initialize(client);
  await expectRules(client, "locate", ["work", "confirm"]);
  const called = await client.call("tools/call", { name: "locate", arguments: { region: "x" } });
  expect(called.result.content).toEqual([{ type: "text", text: "in x" }]);
  expect(server.seen.filter((method) => method === "POST tools/call")).toHaveLength(1);
});

test("a session client at an HTTP+SSE server", async () => {
  const tools = ["list", "look"].map((name) => ({ name }));
  const server = new SseServer({
    respond: ({ id, method }) => ({ id, result: method === "tools/list" ? { tools } : {} }),
  });
  const client = openedClient({ url: server.url.href, transport: "sse", ...rules });
  await initialize(client);
  await expectRules(client, "list", ["look"]);
  expect(server.posts.map(({ method }) => method)).not.toContain("tools/call");
});

test("the catalog keeps every tool, and new rules apply to what is kept", async () => {
  const state = { ...listing(), pages: [["list", "look"]] };
  await using server = listingServer(state);
  const first = openedClient({ url: server.url });
  await initialize(first);
  expect(await first.tools()).toEqual(["list", "look"]);
  state.answers = false;
  const { cache } = first;
  const second = openedClient({ url: server.url, ...rules }, { cache });
  await initialize(second);
  expect(await second.tools()).toEqual(["list"]);
  expect((await second.call("tools/call", { name: "look" })).error.code).toBe(1451);
  const third = openedClient({ url: server.url }, { cache });
  await initialize(third);
  expect(await third.tools()).toEqual(["list", "look"]);
});

test("a call is judged by the server's list, not by a resumed catalog of another version", async () => {
  const state = { ...listing(), pages: [["look"]] };
  await using server = listingServer(state);
  const first = openedClient({ url: server.url });
  await initialize(first);
  await first.tools();
  state.pages = [["other"]];
  const second = openedClient(
    { url: server.url, tools: { readOnly: true } },
    { cache: first.cache },
  );
  await initialize(second);
  expect((await second.call("tools/call", { name: "look" })).error.code).toBe(1451);
  expect(state.seen).not.toContain("tools/call");
});
