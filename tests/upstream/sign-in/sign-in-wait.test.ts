import { afterAll, beforeAll, expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import { type BridgeHome, bridgeHome, signIn, startProgram } from "../../support/oauth-bridge.ts";
import {
  type ClientOptions,
  type ClientProcess,
  codexCapabilities,
  handshake,
  startClient,
} from "../../support/oauth-client.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approveDevice, approveInBrowser } from "../../support/oauth-user.ts";

let provider: AuthorizationServer;
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider({ deviceIntervalSec: 0.05 });
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const echo = { name: "echo", arguments: {} };
const done = { result: { content: [{ text: "done: echo" }] } };
const needsSignIn = { error: { code: 1401, data: { kind: "sign-in-required" } } };
/** A user who looks at the prompt and does nothing. */
const never = () => new Promise<object>(() => {});

type Question = { params: { url: string; message: string; elicitationId: string } };

/** Does what the prompt asks for, and accepts. */
async function approve({ params }: Question): Promise<object> {
  await approveDevice(params.url, /the code ([A-Z0-9-]+)/.exec(params.message)![1]!);
  return { action: "accept" };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(5);
}

async function begin(home: BridgeHome, options: ClientOptions): Promise<ClientProcess> {
  const client = startClient(home, options);
  await handshake(client, codexCapabilities);
  return client;
}

/** Ids of the client: initialize is 0. */
const cancel = (client: ClientProcess, requestId: number) =>
  client.notify("notifications/cancelled", { requestId });

const completed = ({ notified }: ClientProcess) =>
  notified.filter(({ method }) => method === "notifications/elicitation/complete").length;

test("a prompt ends with the call that asked: the next call is asked anew, and so is another server of the home", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await home.configure({ kb: { url: resource.url }, other: { url: resource.url } });
  let answer: (question: Question) => Promise<object> = never;
  const client = await begin(home, { answer: (question) => answer(question) });
  void client.request("tools/call", echo);
  await until(() => client.asked.length === 1);
  cancel(client, 1);
  const other = await begin(home, { server: "other", answer: approve });
  expect(await other.request("tools/call", echo)).toMatchObject(done);
  answer = approve;
  expect(await client.request("tools/call", echo)).toMatchObject(done);
  expect([client.asked.length, completed(client)]).toEqual([2, 1]);
  await Promise.all([client.end(), other.end()]);
}, 20_000);

test("an accepted page that nobody uses ends with the call, in words, and the next call is asked anew", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url, timeoutSec: 2 });
  const client = await begin(home, { answer: () => ({ action: "accept" }) });
  for (const prompts of [1, 2]) {
    expect(await client.request("tools/call", echo)).toMatchObject(needsSignIn);
    expect(client.asked).toHaveLength(prompts);
  }
  expect(completed(client)).toBe(0);
  await client.end();
}, 20_000);

test("where the call that asked is cancelled, one that waits with it asks again", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = await begin(home, {
    answer: (question) => (client.asked.length === 1 ? never() : approve(question)),
  });
  void client.request("tools/call", echo);
  await until(() => client.asked.length === 1);
  const before = resource.requests.length;
  const second = client.request("tools/call", echo);
  await until(() => resource.requests.length > before);
  cancel(client, 1);
  expect(await second).toMatchObject(done);
  expect(client.asked).toHaveLength(2);
  await client.end();
}, 20_000);

test("a call that comes after the prompt was accepted shows the page again", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = await begin(home, {
    answer: (question) => (client.asked.length === 1 ? { action: "accept" } : approve(question)),
  });
  const first = client.request("tools/call", echo);
  await until(() => client.asked.length === 1);
  const second = client.request("tools/call", echo);
  expect(await Promise.all([first, second])).toMatchObject([done, done]);
  const [one, two] = client.asked as Question[];
  expect(two!.params).toEqual(one!.params);
  expect([client.asked.length, completed(client)]).toEqual([2, 1]);
  await client.end();
}, 20_000);

test("requirement 22: a login while the prompt stands takes its turn, and the waiting call succeeds", async () => {
  using folder = ownFolder();
  const pages = await startProvider({
    metadata(document) {
      delete document.device_authorization_endpoint;
    },
  });
  const server = startProtectedServer(pages);
  const home = await bridgeHome(folder.path, { url: server.url });
  const client = await begin(home, { answer: never });
  const waiting = client.request("tools/call", echo);
  await until(() => client.asked.length === 1);
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  const place = (address: string) => {
    const { searchParams } = new URL(address);
    return [searchParams.get("client_id"), searchParams.get("redirect_uri")];
  };
  // The port was free again, and so was the client: the first sign-in had ended when the second began.
  expect(place(url)).toEqual(place(client.asked[0].params.url));
  await approveInBrowser(url);
  expect((await login.ended).code).toBe(0);
  expect(await waiting).toMatchObject(done);
  expect(await client.request("tools/call", echo)).toMatchObject(done);
  expect([client.asked.length, completed(client)]).toEqual([1, 1]);
  await client.end();
  await server.close();
  await pages.close();
}, 20_000);

test("a login that took the prompt's turn and fails leaves the call with the command", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = await begin(home, { answer: never });
  const waiting = client.request("tools/call", echo);
  await until(() => client.asked.length === 1);
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  login.kill();
  expect(await waiting).toMatchObject(needsSignIn);
  await client.end();
}, 20_000);

test("a sign-in that appears in the store while the prompt stands ends the wait", async () => {
  using folder = ownFolder();
  using elsewhere = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const source = await bridgeHome(elsewhere.path, { url: resource.url });
  await signIn(source);
  const client = await begin(home, { answer: never });
  const waiting = client.request("tools/call", echo);
  await until(() => client.asked.length === 1);
  await home.store(await source.stored());
  expect(await waiting).toMatchObject(done);
  await client.end();
}, 20_000);

test("the page that the tool sign_in gave stands, but holds up no other prompt and no login", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await home.configure({ kb: { url: resource.url }, other: { url: resource.url } });
  const client = await begin(home, {});
  await client.request("tools/list");
  const call = await client.request("tools/call", { name: "sign_in", arguments: {} });
  const other = await begin(home, { server: "other", answer: approve });
  expect(await other.request("tools/call", echo)).toMatchObject(done);
  const { text } = call.result.content[0];
  await approveDevice(/https?:\S+/.exec(text)![0], /this code: ([A-Z0-9-]+)/.exec(text)![1]!);
  await until(() => client.notified.some(({ method }) => method.endsWith("list_changed")));
  expect(await client.request("tools/call", echo)).toMatchObject(done);
  await Promise.all([client.end(), other.end()]);
}, 20_000);

const inBrowser = {
  words: ["--sign-in", "browser"],
  env: { PATH: "/nowhere", LOG_LEVEL: "error" },
};

test("--sign-in browser where none can be opened names the whole address on stderr, and initialize waits for it", async () => {
  using folder = ownFolder();
  const pages = await startProvider({
    metadata(document) {
      delete document.device_authorization_endpoint;
    },
  });
  const server = startProtectedServer(pages);
  const home = await bridgeHome(folder.path, { url: server.url });
  const client = startClient(home, inBrowser);
  const hello = handshake(client);
  await until(() => /state=[\w-]{43}&/.test(client.stderr()));
  await approveInBrowser(/url="([^"]+)"/.exec(client.stderr())![1]!);
  expect((await hello).result.serverInfo.name).toBe("protected");
  expect(await client.request("tools/call", echo)).toMatchObject(done);
  await client.end();
  await server.close();
  await pages.close();
}, 20_000);

test("--sign-in browser does not hold up Codex's start: the stand-in answers, and the call waits for the same page", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  const client = startClient(home, inBrowser);
  const startedAt = performance.now();
  const params = { protocolVersion: "2025-06-18", capabilities: {} };
  const clientInfo = { name: "codex-mcp-client", version: "1" };
  const hello = await client.request("initialize", { ...params, clientInfo });
  client.notify("notifications/initialized");
  const { result } = await client.request("tools/list");
  expect(performance.now() - startedAt).toBeLessThan(3000);
  expect(hello.result.instructions).toContain("the user must restart Codex");
  expect(result.tools.map(({ name }: { name: string }) => name)).toEqual(["sign_in"]);
  const call = client.request("tools/call", echo);
  const [, url, code] = /url="?(\S+?)"? code=(\S+)/.exec(client.stderr())!;
  await approveDevice(url!, code!);
  expect(await call).toMatchObject(done);
  expect(client.stderr().match(/open this page/g)).toHaveLength(1);
  await until(() => client.notified.some(({ method }) => method.endsWith("list_changed")));
  await client.end();
}, 20_000);
