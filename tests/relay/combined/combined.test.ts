import { describe, expect, test } from "bun:test";
import { NameTable } from "../../../src/relay/combined/names.ts";
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
    const long = "x".repeat(70);
    const b = new FakeServer(listing("look", long));
    const client = combinedClient({ a: new FakeServer({ "tools/list": never }), b });
    await client.start();
    // Only the list leads from a name with a hash to the tool.
    const name = new NameTable([{ name: "b" }]).nameOf({ name: "b" }, long);
    expect((await client.call("tools/call", { name })).result).toEqual(text(long));
    expect(b.got("tools/list")).toHaveLength(1);
    expect((await client.call("tools/call", { name: "b__look" })).result).toEqual(text("look"));
    expect((await client.call("tools/call", { name: "none" })).error.code).toBe(-32602);
  });

  test("a call of a tool that no server lists reaches the server whose name it begins with, and no other", async () => {
    const server = () =>
      new FakeServer({
        ...listing("look"),
        "tools/call": ({ params }) => ({ error: { code: -32602, message: `no ${params.name}` } }),
      });
    const [a, longer] = [server(), server()];
    const client = combinedClient({ a, a__b: longer });
    await client.start();
    const { error } = await client.call("tools/call", { name: "a__b__none" });
    expect(error.message).toBe("no none");
    expect(a.got("tools/call")).toEqual([]);
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

describe("an item with two names in a list", () => {
  const twins = {
    "tools/list": `{"tools":[{"name":"x","Name":"b__look"},{"n\\u0061me":"ok","inputSchema":{}},"b__look"]}`,
    "prompts/list": `{"prompts":[{"NAME":"b__greet","name":"x"},{"name":"ok"}]}`,
    "resources/list": `{"resources":[{"uri":"x:1","ur\u017fi":"x:2"},{"uri":"x:3","Uri":"b:1"}]}`,
  };

  test("is left out: a client that ignores case would read the name of another server", async () => {
    const a = new FakeServer(
      Object.fromEntries(Object.entries(twins).map(([method, result]) => [method, () => result])),
    );
    const client = combinedClient({ a });
    await client.start();
    expect(await client.tools()).toEqual(["a__ok"]);
    const { prompts } = (await client.call("prompts/list")).result;
    expect(prompts).toEqual([{ name: "a__ok" }]);
    const { resources } = (await client.call("resources/list")).result;
    expect(resources.map(({ uri }: { uri: string }) => uri)).toEqual(["x:1"]);
  });
});

describe("the start", () => {
  test("initialize is answered at once, whatever a server does; capabilities and instructions are merged", async () => {
    const introduced = (capabilities: object, instructions?: string) =>
      new FakeServer({
        initialize: ({ params }) => ({ ...params, capabilities, instructions, serverInfo: {} }),
      });
    const known = { a: introduced({ tools: {} }, "Use a."), b: introduced({ prompts: {} }) };
    const first = combinedClient(known);
    expect(await first.start()).toMatchObject({
      protocolVersion: "2025-06-18",
      capabilities: { tools: { listChanged: true }, prompts: { listChanged: true } },
      instructions: "a: Use a.",
    });
    // A server that has not said what it has may have anything.
    const client = combinedClient({ ...known, c: new FakeServer({ initialize: never }) });
    const { capabilities } = await client.start();
    expect(Object.keys(capabilities).sort()).toEqual([
      ...["completions", "logging", "prompts", "resources", "tools"],
    ]);
  });

  test("a list waits for a server that is connecting, for its connect timeout at most", async () => {
    const slow = Promise.withResolvers<void>();
    const a = new FakeServer();
    const b = new FakeServer({
      ...listing("late"),
      initialize: async ({ params }) => {
        await slow.promise;
        return { ...params, capabilities: { tools: {} }, serverInfo: {} };
      },
    });
    const client = combinedClient({ a, b });
    await client.start();
    const tools = client.tools();
    slow.resolve();
    expect(await tools).toEqual(["a__look", "b__late"]);
  });

  test("a server that is not there in time is present as its problem tool, and its tools follow by list_changed", async () => {
    const slow = Promise.withResolvers<void>();
    const b = new FakeServer({
      ...listing("late"),
      initialize: async ({ params }) => {
        await slow.promise;
        return { ...params, capabilities: { tools: {} }, serverInfo: {} };
      },
    });
    const client = combinedClient({ a: new FakeServer(), b }, { connectTimeoutMs: 10 });
    await client.start();
    const { result } = await client.call("tools/list");
    expect(result.tools.map(({ name }: { name: string }) => name)).toEqual([
      "a__look",
      "b__problem",
    ]);
    expect(result.tools[1].description).toContain('server "b" has not answered yet');
    expect(result.tools[1].description).toContain("appear by themselves");
    slow.resolve();
    await client.other("notifications/tools/list_changed");
    expect(await client.tools()).toEqual(["a__look", "b__late"]);
  });

  test("Codex's first list is answered 0.8 s after the start, and its problem tool speaks of the next session", async () => {
    const servers = { a: new FakeServer(), b: new FakeServer({ initialize: never }) };
    const client = combinedClient(servers, { connectTimeoutMs: 60_000, timeoutMs: 60_000 });
    await client.start("codex-mcp-client");
    // Without the bound for Codex, the list would wait for 60 s.
    const late = Bun.sleep(10_000).then(() => ({}));
    const { result } = await Promise.race([client.call("tools/list"), late]);
    expect(result.tools[1].name).toBe("b__problem");
    expect(result.tools[1].description).toContain("must restart Codex");
  });

  test("a call of the problem tool tries again, and says what came of it", async () => {
    let isUp = false;
    const b = new FakeServer({
      ...listing("late"),
      initialize: ({ params }) =>
        isUp
          ? { ...params, capabilities: { tools: {} }, serverInfo: {} }
          : { error: { code: -32000, message: "out of order" } },
    });
    const client = combinedClient({ a: new FakeServer(), b });
    await client.start();
    expect(await client.tools()).toEqual(["a__look", "b__problem"]);
    const failed = await client.call("tools/call", { name: "b__problem" });
    expect(failed.result.isError).toBe(true);
    expect(failed.result.content[0].text).toContain('"b" refused to initialize: out of order');
    isUp = true;
    const { result } = await client.call("tools/call", { name: "b__problem" });
    expect(result.isError).toBeUndefined();
    expect(result.content[0].text).toContain('Server "b" is available now');
    await client.other("notifications/tools/list_changed");
    expect(await client.tools()).toEqual(["a__look", "b__late"]);
  });

  test("a client that initializes again gets a new session with every server", async () => {
    const [a, b] = [new FakeServer(), new FakeServer()];
    const client = combinedClient({ a, b });
    await client.start();
    await client.start();
    expect(await client.tools()).toEqual(["a__look", "b__look"]);
    for (const server of [a, b]) {
      expect(server.got("initialize")).toHaveLength(2);
      expect(server.got("notifications/initialized")).toHaveLength(2);
    }
  });
});

describe("lists", () => {
  /** A server with its tools on several pages. */
  const paged = (...pages: string[][]) =>
    new FakeServer({
      "tools/list": ({ params }) => {
        const at = Number(params.cursor ?? 0);
        if (pages[at] === undefined) return { error: { code: -32602, message: "no such page" } };
        const isLast = at === pages.length - 1;
        return { tools: pages[at].map(tool), ...(!isLast && { nextCursor: String(at + 1) }) };
      },
    });

  test("one cursor stands for the servers' cursors", async () => {
    const a = paged(["a1"], ["a2"], ["a3"]);
    const client = combinedClient({ a, b: paged(["b1"]), c: paged(["c1"], ["c2"]) });
    await client.start();
    const pages: string[][] = [];
    for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; ) {
      isFirst = false;
      const { result } = await client.call("tools/list", cursor === undefined ? {} : { cursor });
      pages.push(result.tools.map(({ name }: { name: string }) => name));
      cursor = result.nextCursor;
    }
    expect(pages).toEqual([["a__a1", "b__b1", "c__c1"], ["a__a2", "c__c2"], ["a__a3"]]);
    expect((await client.call("tools/call", { name: "a__a3" })).result).toEqual(text("a3"));
  });

  test.each(["nonsense", "", "bnVsbA", "W10", "eyJhIjoxfQ", 7])(
    "the cursor %p, which is none of ours, is refused",
    async (cursor) => {
      const client = combinedClient({ a: paged(["a1"]) });
      await client.start();
      expect((await client.call("tools/list", { cursor })).error.code).toBe(-32602);
    },
  );

  test("a page that one server refuses costs the others nothing", async () => {
    const a = new FakeServer({
      "tools/list": ({ params }) =>
        params.cursor
          ? { error: { code: 5, message: "no" } }
          : { tools: [tool("a1")], nextCursor: "x" },
    });
    const client = combinedClient({ a, b: paged(["b1"], ["b2"]) });
    await client.start();
    const { nextCursor } = (await client.call("tools/list")).result;
    const { result } = await client.call("tools/list", { cursor: nextCursor });
    expect(result.tools.map(({ name }: { name: string }) => name)).toEqual(["b__b2"]);
  });

  test("items pass as they came, but for their names; a server without the list has none", async () => {
    const exact = '{"big":12345678901234567890, "name":"n\\u0061", "inputSchema":{"name":"x"}}';
    const client = combinedClient({
      a: new FakeServer({ "tools/list": () => `{"tools":[${exact}]}` }),
      b: new FakeServer({
        "prompts/list": () => undefined,
        "tools/list": () => ({ tools: [{ name: 5 }, "no tool", null, { title: "no name" }] }),
      }),
    });
    await client.start();
    client.send({ id: 1, method: "tools/list" });
    const shown = exact.replace('"n\\u0061"', '"a__na"');
    expect(await client.line()).toBe(`{"jsonrpc":"2.0","id":1,"result":{"tools":[${shown}]}}`);
    expect((await client.call("tools/call", { name: "a__na" })).result).toEqual(text("na"));
    expect((await client.call("prompts/list")).result).toEqual({ prompts: [] });
  });

  test("a burst of changed lists of several servers is announced once", async () => {
    const servers = { a: new FakeServer(), b: new FakeServer(), c: new FakeServer() };
    const client = combinedClient(servers);
    await client.start();
    await client.tools();
    for (const server of Object.values(servers))
      for (let n = 0; n < 50; n++) await server.say({ method: "notifications/tools/list_changed" });
    await client.other("notifications/tools/list_changed");
    await servers.a.say({ method: "notifications/prompts/list_changed" });
    await client.other("notifications/prompts/list_changed");
    const again = client.others.concat(client.rest.map((line) => JSON.parse(line)));
    expect(again.filter(({ method }) => method?.endsWith("list_changed"))).toEqual([]);
  });
});

describe("resources", () => {
  const library = (...uris: string[]) => ({
    "resources/list": () => ({ resources: uris.map((uri) => ({ uri, name: uri })) }),
    "resources/read": ({ params }: { params: { uri: string } }) =>
      uris.includes(params.uri)
        ? { contents: [{ uri: params.uri, text: "" }] }
        : { error: { code: -32002, message: "not found" } },
  });
  const listed = async (client: ReturnType<typeof combinedClient>) =>
    (await client.call("resources/list")).result.resources.map(({ uri }: { uri: string }) => uri);

  test("a URI goes to the server that listed it; two servers' same URI is told apart by their names", async () => {
    const a = new FakeServer(library("file:///a", "file:///both"));
    const b = new FakeServer(library("file:///b", "file:///both"));
    const client = combinedClient({ a, b });
    await client.start();
    expect(await listed(client)).toEqual([
      ...["file:///a", "a+file:///both", "file:///b", "b+file:///both"],
    ]);
    const read = async (uri: string) => (await client.call("resources/read", { uri })).result;
    expect((await read("file:///b")).contents[0].uri).toBe("file:///b");
    expect((await read("b+file:///both")).contents[0].uri).toBe("b+file:///both");
    expect((await read("a+file:///both")).contents[0].uri).toBe("a+file:///both");
    const uris = (server: FakeServer) =>
      server.got("resources/read").map(({ params }) => params.uri);
    expect(uris(a)).toEqual(["file:///both"]);
    expect(uris(b)).toEqual(["file:///b", "file:///both"]);
  });

  test("a URI in a result goes to the server that mentioned it, also where another server has it, too", async () => {
    const link = (uri: string) => ({ content: [{ type: "resource_link", uri, name: "n" }] });
    const both = {
      "resources/read": ({ params }: { params: { uri: string } }) => ({
        contents: [{ uri: params.uri, text: "here" }],
      }),
    };
    const a = new FakeServer({ ...both, "tools/call": () => link("file:///x") });
    const b = new FakeServer({
      ...both,
      "tools/call": ({ params }) => ({
        content: [{ type: "resource", resource: { uri: params.arguments.uri, text: "t" } }],
      }),
    });
    const client = combinedClient({ a, b });
    await client.start();
    const call = async (name: string, uri: string) =>
      (await client.call("tools/call", { name, arguments: { uri } })).result.content[0];
    expect((await call("a__look", "")).uri).toBe("file:///x");
    expect((await call("b__look", "file:///y")).resource.uri).toBe("file:///y");
    expect((await call("b__look", "file:///x")).resource.uri).toBe("b+file:///x");
    for (const uri of ["file:///y", "b+file:///x", "file:///x"])
      expect((await client.call("resources/read", { uri })).result.contents[0].uri).toBe(uri);
    expect(a.got("resources/read").map(({ params }) => params.uri)).toEqual(["file:///x"]);
    expect(b.got("resources/read").map(({ params }) => params.uri)).toEqual([
      "file:///y",
      "file:///x",
    ]);
  });

  test("a URI that nobody listed is asked of each server in turn; one that hangs holds it up for its connect timeout at most", async () => {
    const a = new FakeServer({ ...library("x://1"), "resources/read": never });
    const b = new FakeServer(library("x://2"));
    const client = combinedClient({ a, b }, { connectTimeoutMs: 20 });
    await client.start();
    const { result } = await client.call("resources/read", { uri: "x://2" });
    expect(result.contents[0].uri).toBe("x://2");
    expect((await client.call("resources/read", { uri: "x://none" })).error.code).toBe(-32002);
    expect((await client.call("resources/read", {})).error.code).toBe(-32602);
  });

  test("templates lead to their server, for reading and for completion", async () => {
    const templates = (template: string) => ({
      ...library(),
      "resources/templates/list": () => ({
        resourceTemplates: [{ uriTemplate: template, name: "t" }],
      }),
      "resources/read": ({ params }: { params: { uri: string } }) => ({
        contents: [{ uri: params.uri, text: "" }],
      }),
      "completion/complete": ({ params }: { params: { ref: { uri: string } } }) => ({
        completion: { values: [params.ref.uri] },
      }),
    });
    const servers = {
      a: new FakeServer(templates("db://{table}/{id}")),
      b: new FakeServer(templates("db://{table}/{id}")),
      c: new FakeServer(templates("only://{x}")),
    };
    const client = combinedClient(servers);
    await client.start();
    const { resourceTemplates } = (await client.call("resources/templates/list")).result;
    expect(
      resourceTemplates.map(({ uriTemplate }: { uriTemplate: string }) => uriTemplate),
    ).toEqual([...["a+db://{table}/{id}", "b+db://{table}/{id}", "only://{x}"]]);
    for (const uri of ["b+db://users/1", "only://1"])
      expect((await client.call("resources/read", { uri })).result.contents[0].uri).toBe(uri);
    expect(servers.a.got("resources/read")).toEqual([]);
    expect(servers.b.got("resources/read")[0].params.uri).toBe("db://users/1");
    const ref = { type: "ref/resource", uri: "b+db://{table}/{id}" };
    const completed = await client.call("completion/complete", { ref, argument: {} });
    expect(completed.result.completion.values).toEqual(["db://{table}/{id}"]);
  });

  test("updates of a subscribed resource carry the URI that the client subscribed to", async () => {
    const subscribing = () =>
      new FakeServer({
        ...library("x://1"),
        "resources/subscribe": () => ({}),
        "resources/unsubscribe": () => ({}),
      });
    const [a, b] = [subscribing(), subscribing()];
    const client = combinedClient({ a, b });
    await client.start();
    await listed(client);
    expect((await client.call("resources/subscribe", { uri: "b+x://1" })).result).toEqual({});
    expect(a.got("resources/subscribe")).toEqual([]);
    await b.say({ method: "notifications/resources/updated", params: { uri: "x://1" } });
    const { params } = await client.other("notifications/resources/updated");
    expect(params.uri).toBe("b+x://1");
    await client.call("resources/unsubscribe", { uri: "b+x://1" });
    expect(b.got("resources/unsubscribe")[0].params.uri).toBe("x://1");
  });
});

describe("requests of the servers", () => {
  /** A server whose tool asks the client, and returns the answer. */
  const asking = (id: unknown, request: object) => {
    const answers: unknown[] = [];
    const server = new FakeServer({
      async "tools/call"({ say }) {
        const answered = Promise.withResolvers<{ result?: unknown; error?: unknown }>();
        waiting = answered.resolve;
        await say({ id, ...request });
        const { result, error } = await answered.promise;
        answers.push(result ?? error);
        return text(JSON.stringify(result ?? error));
      },
    });
    let waiting: (answer: never) => void = () => undefined;
    const send = server.send.bind(server);
    server.send = async (message, ...rest) => {
      await send(message, ...rest);
      const body = server.seen.at(-1);
      if (message.head.kind === "response") waiting(body as never);
    };
    return { server, answers };
  };

  test("two servers that use one id get their own answers, and what they ask the user begins with their names", async () => {
    const question = { method: "elicitation/create", params: { message: "sure?" } };
    const [a, b] = [asking(1, question), asking(1, question)];
    const client = combinedClient({ a: a.server, b: b.server });
    await client.start();
    await client.tools();
    for (const name of ["a", "b"])
      client.send({ id: name, method: "tools/call", params: { name: `${name}__look` } });
    const asked = [await client.next(), await client.next()];
    expect(asked.map(({ params }) => params.message).sort()).toEqual(["a: sure?", "b: sure?"]);
    expect(new Set(asked.map(({ id }) => id)).size).toBe(2);
    // The answers come in the other order.
    for (const { id, params } of asked.reverse())
      client.send({ id, result: { action: "accept", content: { for: params.message } } });
    const results = [await client.next(), await client.next()];
    for (const { id, result } of results)
      expect(JSON.parse(result.content[0].text).content.for).toBe(`${id}: sure?`);
    expect(b.server.seen.at(-1)).toMatchObject({ id: 1 });
  });

  test("a call without an id reaches no server, since it would reach all of them", async () => {
    const [a, b] = [new FakeServer(), new FakeServer()];
    const client = combinedClient({ a, b });
    await client.start();
    await client.tools();
    client.send({ method: "tools/call", params: { name: "look", arguments: { for: "a" } } });
    client.send({ method: "notifications/roots/list_changed" });
    for (const name of ["a__look", "b__look"]) await client.call("tools/call", { name });
    for (const server of [a, b]) {
      expect(server.got("notifications/roots/list_changed")).toHaveLength(1);
      expect(server.got("tools/call")).toMatchObject([{ id: expect.anything() }]);
    }
  });

  test("a server cancels only its own request", async () => {
    const [a, b] = [asking("q", { method: "roots/list" }), new FakeServer()];
    const client = combinedClient({ a: a.server, b });
    await client.start();
    await client.tools();
    client.send({ id: 1, method: "tools/call", params: { name: "a__look" } });
    const { id } = await client.next();
    await b.say({ method: "notifications/cancelled", params: { requestId: "q" } });
    await b.say({ method: "notifications/cancelled", params: { requestId: id } });
    await b.say({ method: "notifications/message", params: { level: "info", data: "next" } });
    expect((await client.next()).method).toBe("notifications/message");
    await a.server.say({ method: "notifications/cancelled", params: { requestId: "q" } });
    expect(await client.next()).toMatchObject({
      method: "notifications/cancelled",
      params: { requestId: id },
    });
  });

  test("a flood of requests of one server is refused beyond its share, and the others can still ask", async () => {
    const [a, b] = [new FakeServer(), asking("b", { method: "roots/list" })];
    const client = combinedClient({ a, b: b.server });
    await client.start();
    await client.tools();
    for (let n = 0; n < 150; n++) await a.say({ id: n, method: "roots/list" });
    for (let n = 0; n < 100; n++) await client.other("roots/list");
    const refused = () => a.seen.filter(({ error }) => error?.code === 1429);
    while (refused().length < 50) await Bun.sleep(1);
    client.send({ id: "call", method: "tools/call", params: { name: "b__look" } });
    const { id } = await client.other("roots/list");
    client.send({ id, result: { roots: [] } });
    expect((await client.next()).id).toBe("call");
  });

  test("progress of a call passes only from the server that runs it", async () => {
    const hold = Promise.withResolvers<void>();
    const progress = (token: unknown) => ({
      method: "notifications/progress",
      params: { progressToken: token, progress: 1 },
    });
    const a = new FakeServer({
      async "tools/call"({ say }) {
        await hold.promise;
        await say(progress("mine"));
        return text("done");
      },
    });
    const b = new FakeServer();
    const client = combinedClient({ a, b });
    await client.start();
    await client.tools();
    const params = { name: "a__look", _meta: { progressToken: "mine" } };
    client.send({ id: 1, method: "tools/call", params });
    while (a.got("tools/call").length === 0) await Bun.sleep(1);
    await b.say(progress("mine"));
    hold.resolve();
    expect(await client.next()).toMatchObject(progress("mine"));
    expect(await client.next()).toMatchObject({ id: 1 });
  });

  test("the client's progress of a server's request goes to that server, under its own token", async () => {
    const token = { _meta: { progressToken: 5 } };
    const [a, b] = [
      asking(1, { method: "sampling/createMessage", params: token }),
      asking(1, { method: "sampling/createMessage", params: token }),
    ];
    const client = combinedClient({ a: a.server, b: b.server });
    await client.start();
    await client.tools();
    client.send({ id: 1, method: "tools/call", params: { name: "b__look" } });
    const { params, id } = await client.next();
    const { progressToken } = params._meta;
    client.send({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    while (b.server.got("notifications/progress").length === 0) await Bun.sleep(1);
    expect(b.server.got("notifications/progress")[0].params).toEqual({
      progressToken: 5,
      progress: 1,
    });
    expect(a.server.got("notifications/progress")).toEqual([]);
    client.send({ id, result: {} });
    await client.next();
  });
});

describe("each server has its own", () => {
  test("deadline", async () => {
    const servers = { a: new FakeServer({ "tools/call": never }), b: new FakeServer() };
    const client = combinedClient(servers, {}, { a: { timeoutMs: 50 } });
    await client.start();
    await client.tools();
    const { error } = await client.call("tools/call", { name: "a__look" });
    expect(error).toMatchObject({ code: 1408, message: expect.stringContaining("within 0.05 s") });
  });

  test("message limit", async () => {
    const client = combinedClient(
      { a: new FakeServer(), b: new FakeServer() },
      {},
      { a: { messageBytes: 200 } },
    );
    await client.start();
    await client.tools();
    const call = (name: string) =>
      client.call("tools/call", { name, arguments: { x: "x".repeat(300) } });
    expect((await call("a__look")).error.code).toBe(1413);
    expect((await call("b__look")).result).toEqual(text("look"));
  });

  test("cancellation: it reaches the server of the call alone", async () => {
    const stopped = Promise.withResolvers<unknown>();
    const a = new FakeServer({
      "tools/call": ({ signal }) => {
        signal.addEventListener("abort", () => stopped.resolve(signal.reason));
        return never();
      },
    });
    const client = combinedClient({ a, b: new FakeServer() });
    await client.start();
    await client.tools();
    client.send({ id: 7, method: "tools/call", params: { name: "a__look" } });
    while (a.got("tools/call").length === 0) await Bun.sleep(1);
    client.send({ method: "notifications/cancelled", params: { requestId: 7 } });
    expect(await stopped.promise).toMatchObject({ by: "client" });
  });

  test("places: many calls that hang at one server leave the others theirs", async () => {
    const servers = { a: new FakeServer({ "tools/call": never }), b: new FakeServer() };
    const client = combinedClient(servers);
    await client.start();
    await client.tools();
    for (let n = 0; n < 200; n++)
      client.send({ id: n, method: "tools/call", params: { name: "a__look" } });
    expect((await client.call("tools/call", { name: "b__look" })).result).toEqual(text("look"));
  });
});

describe("other messages", () => {
  test("logging/setLevel goes to all servers, and to one that comes later", async () => {
    const up = Promise.withResolvers<void>();
    const leveled = { "logging/setLevel": () => ({}) };
    const a = new FakeServer(leveled);
    const b = new FakeServer({
      ...leveled,
      initialize: async ({ params }) => {
        await up.promise;
        return { ...params, capabilities: { logging: {} }, serverInfo: {} };
      },
    });
    const client = combinedClient({ a, b, c: new FakeServer() });
    await client.start();
    expect((await client.call("logging/setLevel", { level: "debug" })).result).toEqual({});
    expect((await client.call("logging/setLevel", { level: "loud" })).error.code).toBe(-32602);
    expect(a.got("logging/setLevel")[0].params).toEqual({ level: "debug" });
    up.resolve();
    while (b.got("logging/setLevel").length === 0) await Bun.sleep(1);
    expect(b.got("logging/setLevel")[0].params).toEqual({ level: "debug" });
  });

  test("ping is answered here; changed roots go to all servers", async () => {
    const servers = { a: new FakeServer(), b: new FakeServer() };
    const client = combinedClient(servers);
    await client.start();
    expect((await client.call("ping")).result).toEqual({});
    client.send({ method: "notifications/roots/list_changed" });
    for (const server of Object.values(servers))
      while (server.got("notifications/roots/list_changed").length === 0) await Bun.sleep(1);
  });

  test("an unknown request goes to the first server that knows it; a task's to the server that began the task", async () => {
    const task = {
      "tasks/get": ({ params }: { params: object }) => ({ ...params, status: "working" }),
    };
    const a = new FakeServer({ ...task, "tools/call": () => ({ task: { taskId: "t-a" } }) });
    const b = new FakeServer({
      ...task,
      "x/custom": () => ({ ok: true }),
      "tools/call": () => ({ task: { taskId: "t-b" } }),
    });
    const client = combinedClient({ a, b });
    await client.start();
    expect((await client.call("x/custom")).result).toEqual({ ok: true });
    expect((await client.call("x/none")).error.code).toBe(-32601);
    await client.call("tools/call", { name: "b__look", task: {} });
    await client.call("tasks/get", { taskId: "t-b" });
    expect(a.got("tasks/get")).toEqual([]);
    expect(b.got("tasks/get")[0].params).toEqual({ taskId: "t-b" });
  });

  test("the calls of a batch go to their servers; a server answers only its own", async () => {
    const a = new FakeServer({
      async "tools/call"({ say }) {
        await say({ id: "for-b", result: { stolen: true } });
        return text("a");
      },
    });
    const hold = Promise.withResolvers<void>();
    const b = new FakeServer({
      async "tools/call"() {
        await hold.promise;
        return text("b");
      },
    });
    const client = combinedClient({ a, b });
    const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "x" } };
    await client.call("initialize", params);
    client.send({ method: "notifications/initialized" });
    await client.tools();
    const one = (id: string, name: string) => ({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name },
    });
    client.write(`${JSON.stringify([one("for-a", "a__look"), one("for-b", "b__look")])}\n`);
    expect(await client.next()).toMatchObject({ id: "for-a", result: text("a") });
    hold.resolve();
    expect(await client.next()).toMatchObject({ id: "for-b", result: text("b") });
  });

  test("closing ends every session", async () => {
    const servers = { a: new FakeServer(), b: new FakeServer() };
    const client = combinedClient(servers);
    await client.start();
    await client.combined.close(10);
    expect(Object.values(servers).map(({ closed }) => closed)).toEqual([1, 1]);
  });
});

describe("a stateless client", () => {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "stateless", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };

  test("discovers, lists and calls without a handshake", async () => {
    const a = new FakeServer({
      "server/discover": () => ({ supportedVersions: ["2026-07-28"], capabilities: { tools: {} } }),
      "tools/list": () => ({
        resultType: "complete",
        tools: [tool("x")],
        ttlMs: 500,
        cacheScope: "public",
      }),
    });
    const client = combinedClient({ a, b: new FakeServer() });
    const { result } = await client.call("server/discover", { _meta: meta });
    expect(result).toMatchObject({ resultType: "complete", capabilities: { tools: {} } });
    expect(result.supportedVersions).toContain("2026-07-28");
    const listed = (await client.call("tools/list", { _meta: meta })).result;
    expect(listed).toMatchObject({ resultType: "complete", ttlMs: 0, cacheScope: "private" });
    expect(listed.tools.map(({ name }: { name: string }) => name)).toEqual(["a__x", "b__look"]);
    expect(a.got("tools/list")[0].params._meta).toEqual(meta);
    const called = await client.call("tools/call", { name: "a__x", _meta: meta });
    expect(called.result).toEqual(text("x"));
    expect(a.got("initialize")).toEqual([]);
  });

  test("gets what a server asks its user with the server's name", async () => {
    const inputRequests = { q: { method: "elicitation/create", params: { message: "sure?" } } };
    const a = new FakeServer({
      "tools/call": () => ({ resultType: "input_required", inputRequests, requestState: "s" }),
    });
    const client = combinedClient({ a });
    const { result } = await client.call("tools/call", { name: "a__look", _meta: meta });
    expect(result.inputRequests.q.params.message).toBe("a: sure?");
    expect(result.requestState).toBe("s");
  });

  test("subscribes to all servers with one request: changes are merged, updates carry its id", async () => {
    const listening = () => {
      const said = Promise.withResolvers<(message: object) => Promise<void>>();
      const server = new FakeServer({
        "resources/list": () => ({ resources: [{ uri: "x://1", name: "x" }] }),
        "subscriptions/listen": ({ say }) => {
          said.resolve(say);
          return never();
        },
      });
      return { server, said: said.promise };
    };
    const [a, b] = [listening(), listening()];
    const client = combinedClient({ a: a.server, b: b.server });
    await client.call("resources/list", { _meta: meta });
    const notifications = { toolsListChanged: true, resourceSubscriptions: ["b+x://1"] };
    client.send({
      id: "sub",
      method: "subscriptions/listen",
      params: { notifications, _meta: meta },
    });
    const mark = { "io.modelcontextprotocol/subscriptionId": "sub" };
    expect(await client.next()).toMatchObject({
      method: "notifications/subscriptions/acknowledged",
      params: { _meta: mark },
    });
    const says = [await a.said, await b.said];
    for (const say of says) await say({ method: "notifications/tools/list_changed" });
    expect(await client.next()).toMatchObject({
      method: "notifications/tools/list_changed",
      params: { _meta: mark },
    });
    await says[1]!({ method: "notifications/resources/updated", params: { uri: "x://1" } });
    expect(await client.next()).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: "b+x://1", _meta: mark },
    });
    expect(a.server.got("subscriptions/listen")[0].params.notifications).toEqual({
      toolsListChanged: true,
    });
    expect(b.server.got("subscriptions/listen")[0].params.notifications).toEqual({
      toolsListChanged: true,
      resourceSubscriptions: ["x://1"],
    });
  });
});
