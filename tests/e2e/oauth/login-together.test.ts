import { expect, test } from "bun:test";
import { ownFolder } from "../../support/folder.ts";
import {
  bridgeHome,
  callTool,
  signIn,
  startProgram,
  startRun,
} from "../../support/oauth-bridge.ts";
import { handshake, startClient } from "../../support/oauth-client.ts";
import { oauthServers } from "../../support/oauth-servers.ts";
import { approveInBrowser } from "../../support/oauth-user.ts";
import { runProgram } from "../../support/program.ts";

const servers = oauthServers();

test("requirement 22: two logins at once lead to one sign-in: the second waits and takes its result", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  const words = ["login", "-s", "kb", "--no-browser"];
  const first = startProgram(words, home.env);
  const [url] = await first.seen(/http:\/\/127\S+\/auth\?\S+/);
  const second = startProgram(words, home.env);
  await second.seen(/another process is signing in to "kb"/);
  await approveInBrowser(url);
  const [one, two] = await Promise.all([first.ended, second.ended]);
  expect([one.code, two.code]).toEqual([0, 0]);
  expect(two.stdout).not.toContain("/auth?");
  expect(two.stdout).toContain('Signed in to "kb"');
});

test("login gives up after --timeout with exit code 4, and the next one registers anew", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  const words = ["login", "-s", "kb", "--no-browser", "--timeout", "1"];
  const { code, stderr } = await runProgram(words, { env: home.env });
  expect(code).toBe(4);
  expect(stderr).toContain("the sign-in was not completed within 1 s");
  // The page may have said that it does not know the client: nothing tells us.
  const registrations = () =>
    servers.provider.requests.filter(({ path }) => path === "/reg").length;
  const before = registrations();
  await signIn(home);
  expect(registrations() - before).toBe(1);
  // A client that signed somebody in is used again.
  await signIn(home);
  expect(registrations() - before).toBe(1);
});

test("after login the tools are known, so that Codex sees them although the sign-in has expired", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const { grant, ...rest } = await home.stored();
  const { refreshToken: _, ...unrenewed } = grant;
  await home.store({ ...rest, grant: { ...unrenewed, obtainedAt: 0, expiresAt: 1 } });
  const client = startClient(home);
  await handshake(client, {
    experimental: { "codex/auth-change": {} },
    elicitation: { form: {}, url: {} },
  });
  const list = await client.request("tools/list");
  expect(list.result.tools.map(({ name }: { name: string }) => name)).toEqual(["echo", "write"]);
  const call = await client.request("tools/call", { name: "echo", arguments: {} });
  expect(call.result._meta["codex-mcp-http-bridge/error"].code).toBe(1401);
  await client.end();
});

test("a run that started before the sign-in takes it over without a restart", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  const child = await startRun(home);
  expect(await callTool(child)).toStartWith("1401 ");
  await signIn(home);
  expect(await callTool(child)).toBe("done");
  await child.end();
});
