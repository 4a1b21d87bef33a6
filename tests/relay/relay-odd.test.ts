import { expect, test } from "bun:test";
import { requestOf, responseTo } from "../../src/wire/message.ts";
import { relayClient } from "../support/client.ts";
import { handUpstream } from "../support/hand-upstream.ts";

const part = (id: unknown) => ({ jsonrpc: "2.0", id, method: "a" });

/** A client that agreed on a revision; what it asked for then is in the test's hands. */
async function agreed(protocolVersion: string, name = "c", options = {}) {
  const hand = handUpstream();
  const client = relayClient(hand.upstream, options);
  const params = { protocolVersion, capabilities: {}, clientInfo: { name } };
  client.send({ id: "i", method: "initialize", params });
  await hand.answer(await hand.next(), JSON.stringify({ protocolVersion }));
  await client.next();
  return { ...hand, client };
}

const never = new AbortController().signal;
const big = JSON.stringify({ message: "x".repeat(16 * 1024 * 1024) });

test("a question of the bridge that is too long for Codex is not sent", async () => {
  const { client } = await agreed("2025-06-18", "codex-mcp-client");
  const asked = client.relay.ask({ method: "elicitation/create", params: big }, never);
  await expect(asked).rejects.toMatchObject({ kind: "too-large" });
  expect(client.rest).toEqual([]);
});

test("a question of the server that is too long for Codex is refused with the reason", async () => {
  const { client, next, answer } = await agreed("2025-06-18", "codex-mcp-client");
  client.send(part(1));
  const call = await next();
  await call.deliver(requestOf('"q"', "elicitation/create", big));
  const { message } = await next();
  expect(message.head.id).toBe('"q"');
  expect(message.value(["error", "message"])).toContain("Codex reads 16777216 at most");
  await answer(call);
  expect((await client.next()).id).toBe(1);
});

test("the bridge's question is cancelled when its call ends, but not once it is answered", async () => {
  const { client } = await agreed("2025-06-18");
  const over = new AbortController();
  const clientRequest = { method: "elicitation/create", params: "{}" };
  const first = client.relay.ask(clientRequest, over.signal);
  const second = client.relay.ask(clientRequest, over.signal);
  const [one, two] = [await client.next(), await client.next()];
  client.send({ id: one.id, result: {} });
  await first;
  over.abort({ by: "deadline" });
  await expect(second).rejects.toEqual({ by: "deadline" });
  const told = await client.next();
  expect(told.method).toBe("notifications/cancelled");
  expect(told.params.requestId).toBe(two.id);
  expect(client.rest).toEqual([]);
});

test("capabilities of any depth are kept unchanged", async () => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  const depth = 200_000;
  const capabilities = `{"x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  client.write(
    `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":${capabilities},"clientInfo":{"name":"deep"}}}\n`,
  );
  await answer(await next());
  expect((await client.next()).id).toBe(1);
  expect(client.facts.name).toBe("deep");
  expect(client.facts.capabilities === capabilities).toBe(true);
});

test.each([
  ["string", JSON.stringify("x".repeat(1100))],
  ["escaped string", `"${"\\u00e9".repeat(300)}"`],
  ["number", "7".repeat(1100)],
])("a %s of any length is an id, and comes back as it was written", async (_, id) => {
  const { upstream, next, answer } = handUpstream();
  const client = relayClient(upstream);
  client.write(`{"jsonrpc":"2.0","id":${id},"method":"a"}\n`);
  const call = await next();
  expect(call.message.head.id).toBe(id);
  await answer(call);
  expect(await client.line()).toBe(`{"jsonrpc":"2.0","id":${id},"result":{}}`);
});

test("two numbers that are equal as doubles are two ids", async () => {
  const { upstream, next } = handUpstream();
  const client = relayClient(upstream);
  const [one, two] = [`1${"0".repeat(400)}`, `2${"0".repeat(400)}`];
  for (const id of [one, two]) client.write(`{"jsonrpc":"2.0","id":${id},"method":"a"}\n`);
  const call = await next();
  await call.deliver(responseTo(two, '"the other\'s"'));
  await call.deliver(responseTo(one, '"its own"'));
  expect(await client.line()).toBe(`{"jsonrpc":"2.0","id":${one},"result":"its own"}`);
  expect(client.rest).toEqual([]);
});

test("an answer inside a batch resumes the deadline and reaches the bridge's question", async () => {
  const { client, next } = await agreed("2025-03-26", "c", { timeoutMs: 100 });
  client.send(part(1));
  const call = await next();
  await call.deliver(requestOf('"q"', "roots/list"));
  const { id: asked } = await client.next();
  const ours = client.relay.ask({ method: "roots/list", params: "{}" }, never);
  const { id } = await client.next();
  const answers = [asked, id].map((one) => ({ jsonrpc: "2.0", id: one, result: { of: one } }));
  client.write(`${JSON.stringify(answers)}\n`);
  expect((await ours).value(["result", "of"])).toBe(id);
  expect((await next()).message.head).toMatchObject({ kind: "response", id: '"q"' });
  expect((await client.next()).error.data.kind).toBe("timeout");
});

test.each<[string, unknown[], unknown[]]>([
  ["with an id in use", [part(2), part(1), part(3)], [2, 1, 3]],
  ["with one id twice", [part(4), part(4)], [4]],
  ["that holds something else", [part(7), 42], [7]],
  ["that holds another batch", [part(8), [part(9)]], [8]],
  ["with a flawed request", [{ ...part(5), jsonrpc: "1.0" }, part(6)], [5, 6]],
  ["without any request", [42], [null]],
])("each request of a batch %s is refused, and no other", async (_, batch, ids) => {
  const { client, next, sent } = await agreed("2025-03-26");
  client.send(part(1));
  const call = await next();
  client.write(`${JSON.stringify(batch)}\n`);
  for (const id of ids) {
    const { error, id: refused } = await client.next();
    expect(refused).toBe(id);
    expect(error.code).toBe(-32600);
  }
  expect(client.rest).toEqual([]);
  expect(sent).toEqual([]);
  await call.deliver(responseTo("1", "{}"));
  expect((await client.next()).result).toEqual({});
});

test("there is one listening stream for each handshake", async () => {
  const { upstream, next, answer, listens } = handUpstream();
  const client = relayClient(upstream);
  const initialize = async () => {
    client.send({ id: "i", method: "initialize", params: {} });
    await answer(await next());
    await client.next();
  };
  const announce = async () => {
    client.send({ method: "notifications/initialized" });
    (await next()).done.resolve();
    // Whatever follows has taken its turn.
    client.send(part("p"));
    await answer(await next());
    await client.next();
  };
  await initialize();
  await announce();
  await announce();
  expect(listens).toHaveLength(1);
  await initialize();
  expect(listens[0]!.aborted).toBe(true);
  await announce();
  expect(listens.map(({ aborted }) => aborted)).toEqual([true, false]);
});
