import { afterAll, beforeAll, expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, signIn } from "../../support/oauth-bridge.ts";
import { codexCapabilities, handshake, startClient } from "../../support/oauth-client.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approveDevice, approveInBrowser } from "../../support/oauth-user.ts";

let provider: AuthorizationServer;
let resource: ProtectedServer;
/** The same without a device endpoint. */
let pageOnly: AuthorizationServer;
let pageResource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider({ deviceIntervalSec: 0.05 });
  resource = startProtectedServer(provider);
  pageOnly = await startProvider({
    metadata: (document) => {
      delete document.device_authorization_endpoint;
    },
  });
  pageResource = startProtectedServer(pageOnly);
});

afterAll(async () => {
  await resource.close();
  await pageResource.close();
  await provider.close();
  await pageOnly.close();
});

const echo = { name: "echo", arguments: {} };
const command = "codex-mcp-http-bridge login --server kb";

test("requirement 31: without a sign-in the client gets initialize, one tool sign_in, and no call hangs", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home);
  const hello = await handshake(client);
  expect(hello.result.protocolVersion).toBe("2025-06-18");
  expect(hello.result.instructions).toContain(command);
  const list = await client.request("tools/list");
  expect(list.result.tools.map((tool: { name: string }) => tool.name)).toEqual(["sign_in"]);
  expect(list.result.tools[0].annotations.readOnlyHint).toBe(true);
  const call = await client.request("tools/call", echo);
  expect(call.error.code).toBe(1401);
  expect(call.error.message).toContain(command);
  expect(await client.request("ping")).toMatchObject({ result: {} });
  expect(await client.end()).toBe(0);
});

test("a client that shows URLs signs its user in by a device code, and the waiting call succeeds", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home, {
    async answer({ params }) {
      const code = /the code ([A-Z0-9-]+)/.exec(params.message)?.[1];
      await approveDevice(params.url, code!);
      return { action: "accept" };
    },
  });
  await handshake(client, codexCapabilities);
  const call = await client.request("tools/call", echo);
  expect(call.result.content[0].text).toBe("done: echo");
  expect(client.asked).toHaveLength(1);
  const { method, params } = client.asked[0];
  expect(method).toBe("elicitation/create");
  expect(params.mode).toBe("url");
  expect(params.message).toContain(new URL(resource.url).host);
  expect(params.message).toContain(new URL(provider.issuer).host);
  const complete = client.notified.find(({ method }) => method.endsWith("elicitation/complete"));
  expect(complete.params.elicitationId).toBe(params.elicitationId);
  expect((await client.request("tools/list")).result.tools).toHaveLength(2);
  await client.end();
});

test("without a device grant the page comes back to this machine, and the waiting call succeeds", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: pageResource.url });
  const client = startClient(home, {
    async answer({ params }) {
      await approveInBrowser(params.url);
      return { action: "accept" };
    },
  });
  await handshake(client, codexCapabilities);
  const call = await client.request("tools/call", echo);
  expect(call.result.content[0].text).toBe("done: echo");
  await client.end();
});

test("a user who declines is not asked again for a while, and the calls say why they fail", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home, {
    async answer() {
      await Bun.sleep(1100);
      return { action: "decline" };
    },
  });
  await handshake(client, codexCapabilities);
  for (const cause of ["the user declined to sign in", /declined to sign in less than 5 min/]) {
    const { error } = await client.request("tools/call", echo);
    expect(error.code).toBe(1401);
    expect(error.message).toContain(command);
    expect(error.message).toMatch(cause);
  }
  expect(client.asked).toHaveLength(1);
  const other = startClient(home);
  await handshake(other, codexCapabilities);
  expect((await other.request("tools/call", echo)).error.code).toBe(1401);
  expect(other.asked).toHaveLength(0);
  await other.end();
  await client.end();
});

/** The page and the code in a result's text. */
function pageIn(text: string): [url: string, code: string] {
  return [/https?:\S+/.exec(text)![0], /this code: ([A-Z0-9-]+)/.exec(text)![1]!];
}

test("a no within a second is no person's: the call is answered with the page, and the repeated call waits for the sign-in", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home);
  await handshake(client, codexCapabilities);
  const { result } = await client.request("tools/call", echo);
  expect(result.isError).toBe(true);
  expect(result._meta["codex-mcp-http-bridge/error"]).toEqual({
    kind: "sign-in-required",
    code: 1401,
    run: expect.stringMatching(/^[0-9a-f]{12}$/),
  });
  const [{ text }] = result.content;
  expect(text).toContain("then repeat the call");
  const repeated = client.request("tools/call", echo);
  await approveDevice(...pageIn(text));
  expect((await repeated).result.content[0].text).toBe("done: echo");
  expect(client.asked).toHaveLength(1);
  await client.end();
});

test("a repeated call whose time ends before the sign-in is answered with the page once more", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url, timeoutSec: 2 });
  const client = startClient(home);
  await handshake(client, codexCapabilities);
  const pages = [];
  for (let round = 0; round < 2; round++) {
    const { result } = await client.request("tools/call", echo);
    pages.push(pageIn(result.content[0].text));
  }
  expect(pages[1]).toEqual(pages[0]!);
  expect(client.asked).toHaveLength(1);
  await client.end();
});

test("five calls of two processes lead to one prompt, and all of them succeed", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const answer = async ({ params }: { params: { message: string; url: string } }) => {
    const code = /the code ([A-Z0-9-]+)/.exec(params.message)?.[1];
    await approveDevice(params.url, code!);
    return { action: "accept" };
  };
  const clients = [startClient(home, { answer }), startClient(home, { answer })];
  for (const client of clients) await handshake(client, codexCapabilities);
  const calls = clients.flatMap((client) =>
    Array.from({ length: 5 }, () => client.request("tools/call", echo)),
  );
  for (const call of await Promise.all(calls))
    expect(call.result?.content[0].text).toBe("done: echo");
  expect(clients.flatMap(({ asked }) => asked)).toHaveLength(1);
  for (const client of clients) await client.end();
});

test("the tool sign_in returns the page and the code, and the tools are there after the sign-in", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home);
  await handshake(client);
  await client.request("tools/list");
  const call = await client.request("tools/call", { name: "sign_in", arguments: {} });
  const { text } = call.result.content[0];
  const url = /https?:\S+/.exec(text)?.[0];
  const code = /this code: ([A-Z0-9-]+)/.exec(text)?.[1];
  expect(text).toContain("the server's tools appear by themselves");
  await approveDevice(url!, code!);
  while (!client.notified.some(({ method }) => method === "notifications/tools/list_changed")) {
    await Bun.sleep(5);
  }
  const again = await client.request("tools/call", { name: "sign_in", arguments: {} });
  expect(again.result.content[0].text).toContain("is signed in");
  expect((await client.request("tools/list")).result.tools).toHaveLength(2);
  await client.end();
});

test("--sign-in never offers neither prompt nor tool", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home, { words: ["--sign-in", "never"] });
  expect((await handshake(client, codexCapabilities)).error.code).toBe(1401);
  expect((await client.request("tools/list")).error.code).toBe(1401);
  expect((await client.request("tools/call", echo)).error.code).toBe(1401);
  expect(client.asked).toHaveLength(0);
  await client.end();
});

test("requirement 8: --sign-in browser opens one by an argument vector without the state, and the call succeeds", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: pageResource.url });
  const opened = `${folder.path}/opened`;
  const opener = `${folder.path}/opener`;
  await Bun.write(
    opener,
    `#!/bin/sh\nprintf '%s\\n' "$#" "$1" > ${opened}.tmp\nmv ${opened}.tmp ${opened}\n`,
  );
  (await import("node:fs")).chmodSync(opener, 0o755);
  const client = startClient(home, { words: ["--sign-in", "browser"], env: { BROWSER: opener } });
  // The first refused request begins it: initialize, which waits.
  const hello = handshake(client);
  while (!(await Bun.file(opened).exists())) await Bun.sleep(5);
  const [count, url] = (await Bun.file(opened).text()).split("\n");
  expect(count).toBe("1");
  // The arguments of a program are no secret: they hold an address that leads to the page.
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]+$/);
  const { headers } = await fetch(url!, { redirect: "manual" });
  await approveInBrowser(headers.get("location")!);
  expect((await hello).result.serverInfo.name).toBe("protected");
  expect((await client.request("tools/call", echo)).result.content[0].text).toBe("done: echo");
  await client.end();
});

test("a stateless client is asked by input_required, and its second call succeeds", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home);
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": codexCapabilities,
  };
  const found = await client.request("server/discover", { _meta });
  expect(found.result.supportedVersions).toEqual(["2026-07-28"]);
  const first = await client.request("tools/call", { ...echo, _meta });
  expect(first.result.resultType).toBe("input_required");
  const question = first.result.inputRequests["bridge-sign-in"];
  expect(question.method).toBe("elicitation/create");
  const code = /the code ([A-Z0-9-]+)/.exec(question.params.message)?.[1];
  await approveDevice(question.params.url, code!);
  const second = await client.request("tools/call", {
    ...echo,
    _meta,
    requestState: first.result.requestState,
    inputResponses: { "bridge-sign-in": { action: "accept" } },
  });
  expect(second.result.content[0].text).toBe("done: echo");
  await client.end();
});

test("the stand-in of the stateless protocol is whole, and its subscription announces the tools after the sign-in", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home);
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const found = await client.request("server/discover", { _meta });
  expect(found.result).toMatchObject({
    resultType: "complete",
    serverInfo: { name: "kb", version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
    instructions: expect.stringContaining(command),
  });
  const filter = { notifications: { toolsListChanged: true } };
  const listening = client.request("subscriptions/listen", { _meta, ...filter });
  const list = await client.request("tools/list", { _meta });
  expect(list.result).toMatchObject({ resultType: "complete", tools: [{ name: "sign_in" }] });
  const call = { name: "sign_in", arguments: {}, _meta };
  const { result } = await client.request("tools/call", call);
  expect(result.resultType).toBe("complete");
  await approveDevice(...pageIn(result.content[0].text));
  const methods = () => client.notified.map(({ method }) => method);
  while (!methods().includes("notifications/tools/list_changed")) await Bun.sleep(5);
  expect(methods()).toEqual([
    "notifications/subscriptions/acknowledged",
    "notifications/tools/list_changed",
  ]);
  const subscription = { "io.modelcontextprotocol/subscriptionId": 1 };
  for (const { params } of client.notified) expect(params._meta).toEqual(subscription);
  const after = await client.request("tools/list", { _meta });
  expect(after.result.tools).toHaveLength(2);
  void listening;
  await client.end();
});

test("a stateless client whose user was done before it calls again is not asked a second time", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home, { env: { LOG_LEVEL: "info" } });
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": codexCapabilities,
  };
  const first = await client.request("tools/call", { ...echo, _meta });
  const question = first.result.inputRequests["bridge-sign-in"];
  const code = /the code ([A-Z0-9-]+)/.exec(question.params.message)?.[1];
  await approveDevice(question.params.url, code!);
  while (!client.stderr().includes("signed in")) await Bun.sleep(10);
  const asked = () => provider.requests.filter(({ path }) => path === "/device/auth").length;
  const before = asked();
  const answered = { "bridge-sign-in": { action: "accept" } };
  const again = { ...echo, _meta, inputResponses: answered };
  const { requestState } = first.result;
  const second = await client.request("tools/call", { ...again, requestState });
  expect(second.result.content[0].text).toBe("done: echo");
  // A bridge that was started anew knows the question as little.
  const other = startClient(home);
  const third = await other.request("tools/call", { ...again, requestState });
  expect(third.result.content[0].text).toBe("done: echo");
  expect(asked() - before).toBe(0);
  await Promise.all([client.end(), other.end()]);
}, 20_000);

test("a sign-in from before is used without any prompt", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  const client = startClient(home);
  await handshake(client, codexCapabilities);
  expect((await client.request("tools/call", echo)).result.content[0].text).toBe("done: echo");
  expect(client.asked).toHaveLength(0);
  await client.end();
});

test("the command that an error names carries the configuration's path where one was given", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const path = `${folder.path}/.codex-mcp-bridge/config.json`;
  const client = startClient(home, { words: ["--config-path", path] });
  await handshake(client);
  const call = await client.request("tools/call", echo);
  expect(call.error.message).toEndWith(`run ${command} --config-path ${path}`);
  await client.end();
});

test("initialize is answered in under 100 ms although nobody is signed in", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url, auth: { type: "oauth" } });
  const times: number[] = [];
  // The best of several: other tests run beside this one.
  for (let turn = 0; turn < 10 && Math.min(...times) >= 100; turn++) {
    const startedAt = performance.now();
    const client = startClient(home);
    await handshake(client);
    times.push(performance.now() - startedAt);
    await client.end();
  }
  expect(Math.min(...times)).toBeLessThan(100);
});
