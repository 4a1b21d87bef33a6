import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { listing, listingServer } from "../support/listing-server.ts";
import { Home } from "./support/client.ts";

let home: Home;
let server: ReturnType<typeof listingServer>;
beforeEach(async () => {
  home = new Home();
  server = listingServer({ ...listing(), tokens: ["tok"] });
  // The entry refers to KB_TOKEN in the client's syntax; the client must expand it for the bridge.
  home.variables.KB_TOKEN = "tok";
  await home.bridge("setup", "--server", "kb", "--url", server.url, "--token-env", "KB_TOKEN");
});
afterEach(async () => {
  home[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const write = (client: string) => home.bridge("client-config", "--for", client, "--write");

/** Marks the work folder as trusted: in other folders Gemini CLI starts no server. */
function trustWork(): void {
  home.put(".gemini/trustedFolders.json", JSON.stringify({ [home.work]: "TRUST_FOLDER" }));
}

/** Each client's own command that shows its servers, with the expected output for the written entry. */
const clients: readonly {
  readonly client: string;
  readonly command: readonly string[];
  /** Output if the client reached the server through the bridge; for a command that starts no server, the entry. */
  readonly shows: RegExp;
  readonly before?: () => void;
}[] = [
  {
    client: "claude-code",
    command: ["claude", "mcp", "get", "kb"],
    shows: /Connected[\s\S]*Type: stdio[\s\S]*Args: run --server kb/,
  },
  {
    client: "gemini",
    command: ["gemini", "mcp", "list"],
    shows: /kb: .* run --server kb \(stdio\) - Connected/,
    before: trustWork,
  },
  {
    client: "qwen",
    command: ["qwen", "mcp", "list"],
    shows: /kb: .* run --server kb \(stdio\) - Connected/,
  },
  { client: "opencode", command: ["opencode", "mcp", "list"], shows: /✓ kb\s+connected/ },
  {
    client: "copilot",
    command: ["copilot", "mcp", "get", "kb"],
    shows: /Status: Enabled[\s\S]*Type: local[\s\S]*run --server kb[\s\S]*Tools: \* \(all\)/,
  },
  { client: "cline", command: ["cline", "config", "mcp"], shows: /kb \[stdio\]/ },
];

describe("a real client reads what client-config writes", () => {
  test.each(clients)("$client", async ({ client, command, shows, before }) => {
    before?.();
    await write(client);
    const ended = await home.run(...command);
    expect(ended.text).toMatch(shows);
    expect(ended.code).toBe(0);
    // A second --write changes nothing, although the client has rewritten its file meanwhile.
    expect(await write(client)).toContain("up to date");
    await home.bridge("client-config", "--for", client, "--remove");
    expect((await home.run(...command)).text).not.toMatch(shows);
  });

  test("clients read the project file that --project writes", async () => {
    trustWork();
    for (const client of ["claude-code", "gemini", "qwen", "opencode"]) {
      await home.bridge("client-config", "--for", client, "--project", "--write");
    }
    // Claude Code lists a project's servers, but asks its user before it starts them.
    expect((await home.run("claude", "mcp", "list")).text).toContain("kb:");
    for (const client of ["gemini", "qwen", "opencode"]) {
      const { text } = await home.run(client, "mcp", "list");
      expect(text).toMatch(/kb[\s\S]*[Cc]onnected/);
    }
  });

  test("mcporter and the Inspector read another client's file", async () => {
    await write("claude-code");
    const file = join(home.path, ".claude.json");
    const listed = await home.run("mcporter", "--config", file, "list", "kb");
    expect(listed.text).toContain("function look();");
    const words = ["--cli", "--config", file, "--server", "kb", "--method", "tools/list"];
    // The Inspector passes only five standard variables on; -e adds KB_TOKEN.
    const inspected = await home.run("mcp-inspector", ...words, "-e", "KB_TOKEN=tok");
    expect(inspected.text).toContain('"name": "look"');
  });

  test("import reads the entries that the clients' own commands add", async () => {
    const url = "https://kb.example/mcp";
    await home.run(
      "claude",
      "mcp",
      "add",
      "-s",
      "user",
      "-t",
      "http",
      "a",
      `${url}?a`,
      "-H",
      "X-Key: canary-key",
    );
    await home.run("gemini", "mcp", "add", "-s", "user", "-t", "http", "b", `${url}?b`);
    await home.run("qwen", "mcp", "add", "-s", "user", "-t", "sse", "c", `${url}?c`);
    await home.run("copilot", "mcp", "add", "--transport", "http", "d", `${url}?d`);
    await home.run(
      "mcporter",
      "--config",
      join(home.path, ".mcporter/mcporter.json"),
      "config",
      "add",
      "e",
      `${url}?e`,
    );
    const { found } = JSON.parse(await home.bridge("import", "--json", "--dry-run"));
    const names = found.map(({ name, client }: { name: string; client: string }) => [client, name]);
    expect(names).toEqual([
      ["claude-code", "a"],
      ["gemini", "b"],
      ["qwen", "c"],
      ["copilot", "d"],
      ["mcporter", "e"],
    ]);
    expect(JSON.stringify(found)).not.toContain("canary");
  });
});
