import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startProgram } from "../support/oauth-bridge.ts";
import { type AuthorizationServer, startProvider } from "../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../support/oauth-resource.ts";
import { approveDevice, approveInBrowser } from "../support/oauth-user.ts";
import { callsTool, says, type Turn } from "./support/model.ts";
import { bridgesOf, endSignIn, type Trip, trip, until } from "./support/trip.ts";
import { Tui } from "./support/tui.ts";

const certificates = join(import.meta.dir, "../fault/certificates");

interface SignedOut extends AsyncDisposable {
  readonly on: Trip;
  readonly provider: AuthorizationServer;
}

/** A home whose server needs a sign-in at an https authorization server, since an earlier one has ended there: its tools are known. */
async function signedOut(turns: readonly Turn[], codex = ""): Promise<SignedOut> {
  await using stack = new AsyncDisposableStack();
  const file = (name: string) => Bun.file(join(certificates, name));
  const tls = { cert: file("good.pem"), key: file("good.key") };
  const provider = await startProvider({ deviceIntervalSec: 0.05, tls });
  stack.defer(() => provider.close());
  const resource: ProtectedServer = startProtectedServer(provider);
  stack.defer(() => resource.close());
  const setup = ["--approval", "approve", "--oauth"];
  const on = stack.use(await trip(turns, { setup, url: () => resource.url }));
  Object.assign(on.home.variables, { NODE_EXTRA_CA_CERTS: join(certificates, "ca.pem") });
  if (codex !== "") await Bun.write(on.home.configFile, `${codex}\n${on.home.config}`);
  const login = startProgram(["login", "--server", "kb", "--no-browser"], on.home.env);
  const [url] = await login.seen(/https:\/\/localhost\S+\/auth\?\S+/);
  await approveInBrowser(url);
  expect((await login.ended).code).toBe(0);
  await endSignIn(on.home, provider);
  const moved = stack.move();
  return { on, provider, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

const echo = (id: string) => [callsTool("kb", "echo", { message: "hello" }, id)];

describe("the TUI of the real Codex", () => {
  test("calls a tool and shows its result", async () => {
    await using on = await trip([echo("call")]);
    await using tui = await Tui.start(on.home);
    await tui.says("go on");
    await tui.sees(/Called kb\.echo\s+└ Echo: hello/);
  });

  test("shows the words of an error of ours", async () => {
    await using on = await trip([echo("first"), [says("first done")], echo("second")]);
    await using tui = await Tui.start(on.home);
    await tui.says("go on");
    await tui.sees(/first done/);
    await on.everything[Symbol.asyncDispose]();
    await tui.says("once more");
    await tui.sees(/nothing accepts connections at "127\.0\.0\.1:\d+"/);
  });

  test("signs in inside a call: the link is shown, and the call's result appears", async () => {
    await using world = await signedOut([echo("call")]);
    await using tui = await Tui.start(world.on.home);
    await tui.says("go on");
    const [, code] = await tui.sees(/shows the code ([A-Z0-9-]+)/);
    const [url] = await tui.sees(/https:\/\/localhost:\d+\/device\S*/);
    expect(new URL(url).origin).toBe(world.provider.issuer);
    await tui.sees(/› 1\. Open link/);
    await tui.press("Enter");
    await approveDevice(url, code!);
    await tui.press("Enter");
    await tui.sees(/Called kb\.echo\s+└ done: echo/);
  });

  test('with approval_policy "never" the result shows the page, and the repeated call waits for the sign-in', async () => {
    const policy = 'approval_policy = "never"';
    await using world = await signedOut([echo("first"), echo("second")], policy);
    await using tui = await Tui.start(world.on.home);
    await tui.says("go on");
    const { requests } = world.on.model;
    await until("the page reaches the model", () => requests[1]?.outputs.has("first") === true);
    const text = requests[1]!.outputs.get("first")!;
    expect(text).toContain("then repeat the call");
    const [url] = /https:\/\/localhost:\d+\/device[^\s"\\]*/.exec(text)!;
    // The user sees the page, too.
    await tui.sees(new RegExp(`Failed kb\\.echo[^]*${RegExp.escape(url)}`));
    await approveDevice(url, /this code: ([A-Z0-9-]+)/.exec(text)![1]!);
    await tui.sees(/Called kb\.echo\s+└ done: echo/);
  });

  test("a server that fails to start has one tool, whose words the user and the model read", async () => {
    const nowhere = () => new Response(null, { status: 404 });
    await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: nowhere });
    const url = () => `http://127.0.0.1:${server.port}/mcp`;
    await using on = await trip([[callsTool("kb", "kb_problem", {}, "call")]], { url });
    await using tui = await Tui.start(on.home);
    await tui.says("go on");
    await tui.sees(/kb\.kb_problem[\s\S]*Server not found/);
    await until("the model has the result", () => on.model.requests.length > 1);
    expect(on.model.requests[1]?.outputs.get("call")).toContain("Server not found");
    await tui.quit();
  });

  test("a restart sees a changed config.toml, although the background server goes on", async () => {
    await using on = await trip([[says("no tools")], echo("call")]);
    await on.home.bridge("codex-config", "--remove");
    {
      const tui = await Tui.start(on.home);
      await tui.says("go on");
      await until("the model is asked", () => on.model.requests.length === 1);
      expect(on.model.requests[0]?.offered).not.toContain("mcp__kb/echo");
      await tui.quit();
    }
    expect(bridgesOf(on.home)).toEqual([]);
    await on.home.bridge("codex-config", "--write");
    await using tui = await Tui.start(on.home);
    await tui.says("go on");
    await tui.sees(/Called kb\.echo\s+└ Echo: hello/);
    await tui.quit();
    // Codex's background server keeps the thread's bridge.
    expect(bridgesOf(on.home)).toHaveLength(1);
  });
});
