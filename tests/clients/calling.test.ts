import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { listing, listingServer } from "../support/listing-server.ts";
import { startProvider } from "../support/oauth-provider.ts";
import { startProtectedServer } from "../support/oauth-resource.ts";
import { approveDevice } from "../support/oauth-user.ts";
import { Home } from "./support/client.ts";
import { scriptedModel } from "./support/model.ts";

let home: Home;
let model: ReturnType<typeof scriptedModel>;
let user: Parameters<typeof scriptedModel>[1];
beforeEach(() => {
  home = new Home();
  model = scriptedModel("look", (page, code) => user!(page, code));
});
afterEach(async () => {
  home[Symbol.dispose]();
  await model[Symbol.asyncDispose]();
});

/** Configures each client for the scripted model; returns the command line that runs one prompt. */
const clients: Readonly<Record<string, () => readonly string[]>> = {
  "claude-code": () => {
    Object.assign(home.variables, {
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: "scripted",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    });
    return ["claude", "-p", "look", "--allowedTools", "mcp__kb__look,mcp__kb__sign_in"];
  },
  gemini: () => {
    Object.assign(home.variables, {
      GOOGLE_GEMINI_BASE_URL: model.url,
      GEMINI_API_KEY: "scripted",
    });
    home.put(".gemini/trustedFolders.json", JSON.stringify({ [home.work]: "TRUST_FOLDER" }));
    home.put(
      ".gemini/settings.json",
      JSON.stringify({ security: { auth: { selectedType: "gemini-api-key" } } }),
    );
    return ["gemini", "-m", "gemini-2.5-flash", "-p", "look", "--approval-mode", "yolo"];
  },
  opencode: () => {
    const options = { baseURL: `${model.url}/v1`, apiKey: "scripted" };
    const provider = {
      scripted: { npm: "@ai-sdk/openai-compatible", options, models: { scripted: {} } },
    };
    home.put(
      ".config/opencode/opencode.json",
      JSON.stringify({ provider, model: "scripted/scripted", autoupdate: false }),
    );
    return ["opencode", "run", "look"];
  },
  copilot: () => {
    Object.assign(home.variables, {
      COPILOT_OFFLINE: "true",
      COPILOT_PROVIDER_BASE_URL: `${model.url}/v1`,
      COPILOT_MODEL: "scripted",
    });
    return ["copilot", "-p", "look", "--allow-all-tools"];
  },
};

describe("a real client with a scripted model calls a tool through the entry that client-config wrote", () => {
  test.each(Object.entries(clients))("%s", async (client, prepare) => {
    const state = { ...listing(), tokens: ["tok"] };
    await using server = listingServer(state);
    home.variables.KB_TOKEN = "tok";
    await home.bridge("setup", "kb", server.url, "--token-env", "KB_TOKEN");
    const words = prepare();
    await home.bridge("client-config", "--for", client, "--write");
    const ended = await home.run(...words);
    expect(ended.text).toContain("the end");
    expect([model.state.calls, state.seen.filter((method) => method === "tools/call")]).toEqual([
      1,
      ["tools/call"],
    ]);
  });
});

describe("a real client signs its user in by a call, and calls the server's tool in the same session", () => {
  test.each(Object.entries(clients))("%s", async (client, prepare) => {
    const provider = await startProvider({ deviceIntervalSec: 0.05 });
    const server = startProtectedServer(provider, { tools: ["look"] });
    const isSignedIn = () =>
      server.requests.some(({ rpc, status }) => rpc !== undefined && status === 200);
    user = async (page, code) => {
      await approveDevice(page, code);
      while (!isSignedIn()) await Bun.sleep(20);
    };
    await home.bridge("setup", "kb", server.url, "--oauth");
    const words = prepare();
    await home.bridge("client-config", "--for", client, "--write");
    const ended = await home.run(...words);
    expect(ended.text).toContain("the end");
    expect(model.state.signIns).toBeGreaterThan(0);
    expect(model.state.calls).toBe(1);
    expect(server.calls()).toBe(1);
    await server.close();
    await provider.close();
  });
});
