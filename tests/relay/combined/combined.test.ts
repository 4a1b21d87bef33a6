import { describe, expect, test } from "bun:test";
import { combinedClient, FakeServer } from "../../support/combined.ts";

const text = (text: string) => ({ content: [{ type: "text", text }] });
const tool = (name: string) => ({ name, inputSchema: { type: "object" } });
const listing = (...names: string[]) => ({ "tools/list": () => ({ tools: names.map(tool) }) });
const never = () => new Promise<never>(() => undefined);

describe("names", () => {
  test("tools carry their server's name, and a call reaches the server with its own name", async () => {
    const [a, b] = [new FakeServer(listing("look", "x__y")), new FakeServer(listing("look"))];
    const client = combinedClient({ a, b });
    await client.start();
    expect(await client.tools()).toEqual(["a__look", "a__x__y", "b__look"]);
    const { result } = await client.call("tools/call", { name: "a__x__y", arguments: { n: 1 } });
    expect(result).toEqual(text("x__y"));
    expect(a.got("tools/call")[0].params).toEqual({ name: "x__y", arguments: { n: 1 } });
    expect(b.got("tools/call")).toEqual([]);
  });

  test("a call of a tool that the client never listed fetches the list of its server first", async () => {
    const [a, b] = [new FakeServer({ "tools/list": never }), new FakeServer(listing("look"))];
    const client = combinedClient({ a, b });
    await client.start();
    expect((await client.call("tools/call", { name: "b__look" })).result).toEqual(text("look"));
    expect((await client.call("tools/call", { name: "b__none" })).error.code).toBe(-32602);
    expect((await client.call("tools/call", { name: "none" })).error.code).toBe(-32602);
  });

  test("prompts are named like tools", async () => {
    const a = new FakeServer({
      "prompts/list": () => ({ prompts: [{ name: "greet" }] }),
      "prompts/get": ({ params }) => ({ messages: [], description: params.name }),
      "completion/complete": ({ params }) => ({ completion: { values: [params.ref.name] } }),
    });
    const client = combinedClient({ a, b: new FakeServer() });
    await client.start();
    expect((await client.call("prompts/list")).result.prompts).toEqual([{ name: "a__greet" }]);
    const { result } = await client.call("prompts/get", { name: "a__greet" });
    expect(result.description).toBe("greet");
    const ref = { type: "ref/prompt", name: "a__greet" };
    const argument = { name: "x", value: "y" };
    const completed = await client.call("completion/complete", { ref, argument });
    expect(completed.result.completion.values).toEqual(["greet"]);
  });
});
