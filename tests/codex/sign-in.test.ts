import { describe, expect, test } from "bun:test";
import { startProgram } from "../support/oauth-bridge.ts";
import { type AuthorizationServer, startProvider } from "../support/oauth-provider.ts";
import { startProtectedServer } from "../support/oauth-resource.ts";
import { approveDevice, approveInBrowser } from "../support/oauth-user.ts";
import { AppServer } from "./support/app-server.ts";
import { callsTool } from "./support/model.ts";
import { endSignIn, exec, type Trip, trip, until } from "./support/trip.ts";

const setup = ["--approval", "approve", "--oauth"];

/** Signs in by the page and ends the sign-in at the authorization server, so that the list of tools is known. */
async function learnTools({ home }: Trip, provider: AuthorizationServer): Promise<void> {
  const login = startProgram(["login", "--server", "kb", "--no-browser"], home.env);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  await approveInBrowser(url);
  expect((await login.ended).code).toBe(0);
  await endSignIn(home, provider);
}

describe("a sign-in inside the real Codex", () => {
  test("by device grant, through the app server's prompt, completes the waiting call", async () => {
    const provider = await startProvider({ deviceIntervalSec: 0.05 });
    const resource = startProtectedServer(provider);
    try {
      await using on = await trip([[callsTool("kb", "echo", {}, "call")]], {
        setup,
        url: () => resource.url,
      });
      await learnTools(on, provider);
      await using app = await AppServer.start(on.home, async (method, params) => {
        if (method !== "mcpServer/elicitation/request") return { decision: "approved" };
        const code = /the code ([A-Z0-9-]+)/.exec(params.message)?.[1];
        await approveDevice(params.url, code!);
        return { action: "accept", content: null, _meta: null };
      });
      const thread = await app.startThread(on.home.work);
      const { turn } = await app.turn(thread, "go on");
      expect(turn.status).toBe("completed");
      const asked = app.asked.filter(({ method }) => method === "mcpServer/elicitation/request");
      expect(asked).toHaveLength(1);
      expect(asked[0]?.params.mode).toBe("url");
      expect(on.model.requests[1]?.outputs.get("call")).toContain("done: echo");
    } finally {
      await resource.close();
      await provider.close();
    }
  });

  test("codex exec, which declines at once, gets the page and the command; the repeated call waits for the sign-in", async () => {
    const provider = await startProvider({ deviceIntervalSec: 0.05 });
    const resource = startProtectedServer(provider);
    try {
      const calls = ["first", "second"].map((id) => [callsTool("kb", "echo", {}, id)]);
      await using on = await trip(calls, { setup, url: () => resource.url });
      await learnTools(on, provider);
      const ended = exec(on.home);
      const textOf = (id: string) => on.model.requests.at(-1)?.outputs.get(id);
      await until("the first result", () => textOf("first") !== undefined);
      const text = textOf("first")!;
      expect(text).toContain("codex-mcp-http-bridge login --server kb");
      const [page] = /http:[^\s"\\]+\/device[^\s"\\]*/.exec(text)!;
      await approveDevice(page, /this code: ([A-Z0-9-]+)/.exec(text)![1]!);
      expect((await ended).code).toBe(0);
      expect(textOf("second")).toContain("done: echo");
    } finally {
      await resource.close();
      await provider.close();
    }
  });

  test("without any earlier sign-in the model gets sign_in, and with it the page and the code", async () => {
    const provider = await startProvider({ deviceIntervalSec: 0.05 });
    const resource = startProtectedServer(provider);
    try {
      await using on = await trip([[callsTool("kb", "sign_in", {}, "call")]], {
        setup,
        url: () => resource.url,
      });
      const { code } = await exec(on.home);
      expect(code).toBe(0);
      const text = on.model.requests[1]?.outputs.get("call");
      expect(text).toContain(`${provider.issuer}/device`);
      expect(text).toMatch(/this code: [A-Z0-9-]{4,16}/);
    } finally {
      await resource.close();
      await provider.close();
    }
  });
});
