import { describe, expect, test } from "bun:test";
import { AppServer } from "./support/app-server.ts";
import { callsTool } from "./support/model.ts";
import { trip } from "./support/trip.ts";

const accepted = { action: "accept", content: { name: "Ada", check: true }, _meta: null };

describe("codex app-server", () => {
  test("carries a server's questions to the user and the answers back", async () => {
    await using on = await trip([
      [callsTool("kb", "trigger_elicitation_request", {}, "form")],
      [callsTool("kb", "trigger_url_elicitation", { url: "https://example.com/sign-in" }, "url")],
    ]);
    await using app = await AppServer.start(on.home, () => accepted);
    const thread = await app.startThread(on.home.work);
    const { turn } = await app.turn(thread, "ask me");
    expect(turn.status).toBe("completed");
    expect(app.asked.map(({ method, params }) => [method, params.mode, params.serverName])).toEqual(
      [
        ["mcpServer/elicitation/request", "form", "kb"],
        ["mcpServer/elicitation/request", "url", "kb"],
      ],
    );
    expect(app.asked[1]?.params.url).toBe("https://example.com/sign-in");
    const outputs = on.model.requests[2]?.outputs;
    expect(outputs?.get("form")).toContain("Name: Ada");
    expect(outputs?.get("url")).toContain("User completed the URL elicitation flow");
  });

  test("lists the server's tools, resources and name", async () => {
    await using on = await trip([]);
    await using app = await AppServer.start(on.home, () => accepted);
    const { data } = await app.request("mcpServerStatus/list", {});
    const [kb] = data;
    expect(kb.name).toBe("kb");
    expect(kb.serverInfo.name).toContain("everything");
    expect(Object.keys(kb.tools)).toContain("echo");
    expect(kb.resources.length).toBeGreaterThan(0);
  });
});
