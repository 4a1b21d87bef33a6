import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Listing, listing, listingServer } from "../support/listing-server.ts";
import { Home } from "./support/client.ts";
import { scriptedModel } from "./support/model.ts";

let home: Home;
let state: Listing;
let server: ReturnType<typeof listingServer>;
let model: ReturnType<typeof scriptedModel>;
beforeEach(async () => {
  home = new Home();
  state = { ...listing(), tokens: ["tok"] };
  server = listingServer(state);
  model = scriptedModel("look");
  home.variables.KB_TOKEN = "tok";
  await home.bridge("setup", "--server", "kb", "--url", server.url, "--token-env", "KB_TOKEN");
});
afterEach(async () => {
  home[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
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
    return ["claude", "-p", "look", "--allowedTools", "mcp__kb__look"];
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
