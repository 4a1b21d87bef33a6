import { expect, test } from "bun:test";
import type { Upstream } from "../../src/upstream/core/types.ts";
import { parseMessage } from "../../src/wire/message.ts";
import { relayClient } from "../support/client.ts";

const mebibyte = 1024 * 1024;

/** An upstream that answers initialize, and any other request with this text; `before` comes first. */
function answering(result: (id: string) => string, before?: string): Upstream {
  const message = (text: string) => parseMessage(new TextEncoder().encode(text));
  return {
    async send({ head }, deliver) {
      if (head.id === undefined) return;
      if (head.method === "initialize")
        return deliver(message(`{"jsonrpc":"2.0","id":${head.id},"result":{}}`));
      if (before !== undefined) await deliver(message(before));
      await deliver(message(result(head.id)));
    },
    listen: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

async function callAs(name: string, upstream: Upstream, method = "tools/call"): Promise<string> {
  const client = relayClient(upstream);
  client.send({ id: 0, method: "initialize", params: { clientInfo: { name, version: "1" } } });
  await client.line();
  client.send({ id: "c", method, params: { name: "t" } });
  const line = await client.line();
  await client.end();
  return line;
}

/** An answer of `bytes` bytes, its id last. */
function ofSize(bytes: number): (id: string) => string {
  const around = '{"jsonrpc":"2.0","result":{"text":""},"id":"c"}';
  return () => around.replace('""', `"${"x".repeat(bytes - around.length)}"`);
}

test.each([
  ["codex-mcp-client", 16 * mebibyte - 1, 16 * mebibyte - 1],
  ["another", 16 * mebibyte, 16 * mebibyte],
])("%s gets an answer of %d bytes whole", async (name, bytes, length) => {
  expect((await callAs(name, answering(ofSize(bytes)), "tools/list")).length).toBe(length);
});

test("Codex gets a clear error with the same id in place of a line that it would discard", async () => {
  const line = await callAs("codex-mcp-client", answering(ofSize(16 * mebibyte)), "tools/list");
  expect(JSON.parse(line)).toEqual({
    jsonrpc: "2.0",
    id: "c",
    error: {
      code: 1413,
      message:
        "the answer has 16777216 bytes, and Codex reads 16777216 at most: ask the tool for less at a time",
      data: { kind: "too-large" },
    },
  });
});

const mixed =
  '{"jsonrpc":"2.0","id":"c","result":{"content":[{"type":"text","text":"a"},{"type":"chart" , "n":12345678901234567890},{"x":1},{"type":"resource_link","uri":"u","name":"n"}],"isError":false}}';

test("content of a type that Codex does not know becomes text with its JSON; other content is unchanged", async () => {
  const line = await callAs(
    "codex-tui",
    answering(() => mixed),
  );
  expect(line).toBe(
    '{"jsonrpc":"2.0","id":"c","result":{"content":[{"type":"text","text":"a"},{"type":"text","text":"{\\"type\\":\\"chart\\" , \\"n\\":12345678901234567890}"},{"type":"text","text":"{\\"x\\":1}"},{"type":"resource_link","uri":"u","name":"n"}],"isError":false}}',
  );
});

test.each([
  ["another client", "claude", "tools/call"],
  ["an answer to something else than a call", "codex-mcp-client", "prompts/get"],
])("%s passes byte for byte", async (_, name, method) => {
  expect(
    await callAs(
      name,
      answering(() => mixed),
      method,
    ),
  ).toBe(mixed);
});

test.each([
  ["an error", '{"jsonrpc":"2.0","id":"c","error":{"code":-1,"message":"m"}}'],
  ["content that is no list", '{"jsonrpc":"2.0","id":"c","result":{"content":"x"}}'],
  [
    "a type with an escape",
    '{"jsonrpc":"2.0","id":"c","result":{"content":[{"type":"te\\u0078t"}]}}',
  ],
])("%s passes byte for byte to Codex", async (_, answer) => {
  expect(
    await callAs(
      "codex-mcp-client",
      answering(() => answer),
    ),
  ).toBe(answer);
});

test("a notification that Codex cannot read is left out, and the call answered", async () => {
  const flood = `{"jsonrpc":"2.0","method":"notifications/message","params":"${"x".repeat(16 * mebibyte)}"}`;
  const upstream = answering((id) => `{"jsonrpc":"2.0","id":${id},"result":{}}`, flood);
  expect(await callAs("codex-mcp-client", upstream)).toBe('{"jsonrpc":"2.0","id":"c","result":{}}');
});

test.each([
  ["codex-mcp-client", "text"],
  ["claude", "chart"],
])(
  "a client of the stateless protocol is known by its requests: %s gets %s",
  async (name, type) => {
    const client = relayClient(answering(() => mixed));
    const _meta = { "io.modelcontextprotocol/clientInfo": { name, version: "1" } };
    client.send({ id: "c", method: "tools/call", params: { name: "t", _meta } });
    expect((await client.next()).result.content[1].type).toBe(type);
  },
);
