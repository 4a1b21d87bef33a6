import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { command } from "../../../src/commands/client-config/client-config.ts";
import { bridge, removeUsers, user } from "../import/import-user.ts";

afterEach(removeUsers);

const url = "https://kb.example/mcp";
const servers = { kb: { url, tokenEnv: "KB_TOKEN" }, crm: { url: "https://crm.example/mcp" } };
const args = ["run", "--server", "kb"];

/** For each client: its file, section and expected entry, from its documentation or its own command (docs/clients.md). */
const entries: Readonly<Record<string, [file: string, section: string, entry: object]>> = {
  "claude-code": [".claude.json", "mcpServers", { type: "stdio", command: bridge, args }],
  "claude-desktop": [
    ".config/Claude/claude_desktop_config.json",
    "mcpServers",
    { command: bridge, args },
  ],
  cursor: [
    ".cursor/mcp.json",
    "mcpServers",
    { command: bridge, args, env: { KB_TOKEN: "${env:KB_TOKEN}" } },
  ],
  vscode: [
    ".config/Code/User/mcp.json",
    "servers",
    { type: "stdio", command: bridge, args, env: { KB_TOKEN: "${env:KB_TOKEN}" } },
  ],
  windsurf: [
    ".codeium/windsurf/mcp_config.json",
    "mcpServers",
    { command: bridge, args, env: { KB_TOKEN: "${env:KB_TOKEN}" } },
  ],
  zed: [".config/zed/settings.json", "context_servers", { command: bridge, args }],
  gemini: [
    ".gemini/settings.json",
    "mcpServers",
    { command: bridge, args, env: { KB_TOKEN: "$KB_TOKEN" } },
  ],
  qwen: [
    ".qwen/settings.json",
    "mcpServers",
    { command: bridge, args, env: { KB_TOKEN: "$KB_TOKEN" } },
  ],
  opencode: [
    ".config/opencode/opencode.json",
    "mcp",
    { type: "local", command: [bridge, ...args], enabled: true },
  ],
  copilot: [
    ".copilot/mcp-config.json",
    "mcpServers",
    { type: "local", command: bridge, args, tools: ["*"] },
  ],
  cline: [
    ".cline/data/settings/cline_mcp_settings.json",
    "mcpServers",
    { transport: { type: "stdio", command: bridge, args } },
  ],
};
const write = (client: string) => ["--for", client, "--command", bridge, "--write"];

describe("client-config", () => {
  test.each(Object.entries(entries))(
    "--for %s --write writes the client's entry format, a second time changes nothing, and --remove restores the file",
    async (client, [file, section, entry]) => {
      const { run, text, put } = user(servers);
      const before = `{\n  "theme": "dark", // mine\n  "${section}": {\n    "own": {"command": "x"}\n  }\n}\n`;
      const path = put(file, before);
      const first = await run(command, ...write(client), "--server", "kb");
      expect(first.out).toBe(`✓ Wrote "kb" to ${path}\n`);
      const after = text(file);
      const uncommented = after.replace("// mine", "");
      expect(JSON.parse(uncommented)).toEqual({
        theme: "dark",
        [section]: { own: { command: "x" }, kb: entry },
      });
      const second = await run(command, ...write(client), "--server", "kb");
      expect(second.out).toBe(`✓ "kb": up to date in ${path}\n`);
      expect(text(file)).toBe(after);
      expect(text(`${file}.codex-mcp-http-bridge.bak`)).toBe(before);
      const gone = await run(command, "--for", client, "--remove");
      expect(gone.out).toBe(`✓ Removed "kb" from ${path}\n`);
      expect(text(file)).toBe(before);
    },
  );

  test.each([
    ["cursor", ".cursor/mcp.json"],
    ["goose", ".config/goose/config.yaml"],
    ["opencode", ".config/opencode/opencode.json"],
  ])(
    "--for %s --write keeps the options of run that an entry has, and replaces those that the command names",
    async (client, path) => {
      const { run, text } = user(servers);
      await run(command, ...write(client), "--server", "kb", "--log-file", "/my.log");
      const before = text(path);
      expect(before).toContain("/my.log");
      expect((await run(command, ...write(client), "--server", "kb")).out).toContain("up to date");
      expect(text(path)).toBe(before);
      await run(command, ...write(client), "--server", "kb", "--log-file", "/new.log");
      expect(text(path)).toBe(before.replace("/my.log", "/new.log"));
    },
  );

  test("--for continue and --for goose write YAML, and a second time change nothing", async () => {
    const { run, text, put } = user(servers);
    put(".continue/config.yaml", "name: x # mine\nmcpServers:\n  - name: own\n    command: y\n");
    put(".config/goose/config.yaml", "GOOSE_MODEL: m\nextensions:\n  own: {type: builtin}\n");
    for (const client of ["continue", "goose"]) {
      await run(command, ...write(client), "--server", "kb");
      expect((await run(command, ...write(client), "--server", "kb")).out).toContain("up to date");
    }
    const lines = `args:\n      - run\n      - --server\n      - kb\n`;
    expect(text(".continue/config.yaml")).toBe(
      `name: x # mine\nmcpServers:\n  - name: own\n    command: y\n  - name: kb\n    command: ${bridge}\n    ${lines}`,
    );
    expect(text(".config/goose/config.yaml")).toBe(
      `GOOSE_MODEL: m\nextensions:\n  own: {type: builtin}\n  kb:\n    type: stdio\n    name: kb\n    cmd: ${bridge}\n    ${lines}    enabled: true\n    timeout: 300\n`,
    );
  });

  test("without --write, prints the entries and names the client's file", async () => {
    const { run, home } = user(servers);
    const { out, notes } = await run(command, "--for", "cursor", "--command", bridge);
    expect(JSON.parse(out)).toEqual({
      mcpServers: {
        kb: { command: bridge, args, env: { KB_TOKEN: "${env:KB_TOKEN}" } },
        crm: { command: bridge, args: ["run", "--server", "crm"] },
      },
    });
    expect(notes).toEqual([
      `for Cursor: this belongs in ${join(home, ".cursor/mcp.json")}; --write merges it into that file`,
    ]);
    expect(existsSync(join(home, ".cursor"))).toBe(false);
  });

  test("--combined writes one entry for all servers, with the variables of all", async () => {
    const { run, text } = user(servers);
    for (let n = 0; n < 2; n++) await run(command, ...write("cursor"), "--combined");
    const env = { KB_TOKEN: "${env:KB_TOKEN}" };
    const combined = { command: bridge, args: ["run", "--all"], env };
    expect(JSON.parse(text(".cursor/mcp.json"))).toEqual({ mcpServers: { bridge: combined } });
    const { out } = await run(command, "--for", "codex", "--command", bridge, "--combined", "team");
    expect(out).toStartWith("\n[mcp_servers.team]\n");
  });

  test("--for codex runs codex-config", async () => {
    const { run, text } = user(servers);
    const { out } = await run(command, "--for", "codex", "--command", bridge, "--server", "kb");
    expect(out).toStartWith("\n[mcp_servers.kb]\n");
    await run(command, ...write("codex"), "--server", "crm");
    expect(text(".codex/config.toml")).toContain('args = ["run", "--server", "crm"]');
  });

  test("--write creates a missing file (0600) and prints how to reload the client", async () => {
    const { run, home } = user(servers);
    const { notes } = await run(command, ...write("cursor"), "--server", "crm");
    expect(statSync(join(home, ".cursor/mcp.json")).mode & 0o777).toBe(0o600);
    expect(notes).toEqual([
      "to see the change: switch the server on in Cursor's settings, or restart Cursor",
    ]);
  });

  test("keeps keys and variables that the user added to the entry, and updates the other keys", async () => {
    const { run, text, put } = user(servers);
    const entry = {
      command: "/old/codex-mcp-http-bridge",
      args: ["run", "--server", "kb"],
      env: { KB_TOKEN: "mine", LOG_LEVEL: "debug" },
      alwaysAllow: ["x"],
    };
    put(".cursor/mcp.json", JSON.stringify({ mcpServers: { kb: entry } }, null, 4));
    await run(command, ...write("cursor"), "--server", "kb");
    expect(JSON.parse(text(".cursor/mcp.json")).mcpServers.kb).toEqual({
      ...entry,
      command: bridge,
    });
    expect(text(".cursor/mcp.json")).toContain('\n            "command": "/bin/sh",\n');
  });

  test("an entry of another program is overwritten only with --replace, and never removed", async () => {
    const { run, refused, text, put } = user(servers);
    const own = '{"mcpServers": {"kb": {"url": "https://canary.example/", "disabled": true}}}';
    put(".cursor/mcp.json", own);
    const error = await refused(command, ...write("cursor"), "--server", "kb");
    expect([error.kind, error.hint]).toEqual([
      "configuration",
      "add --replace, or give the server another name",
    ]);
    expect((await refused(command, "--for", "cursor", "--remove", "--server", "kb")).message).toBe(
      `Cursor's server "kb" does not start the bridge`,
    );
    expect((await run(command, "--for", "cursor", "--remove")).out).toContain("nothing to remove");
    expect(text(".cursor/mcp.json")).toBe(own);
    await run(command, ...write("cursor"), "--replace", "--server", "kb");
    expect(JSON.parse(text(".cursor/mcp.json")).mcpServers.kb).toEqual({
      disabled: true,
      command: bridge,
      args,
      env: { KB_TOKEN: "${env:KB_TOKEN}" },
    });
  });

  test.each(["cursor", "codex"])(
    "an entry of %s that starts the bridge for a URL is overwritten only with --replace, and never removed",
    async (client) => {
      const { run, refused, text, put } = user(servers);
      const [file, own] =
        client === "codex"
          ? [
              ".codex/config.toml",
              '[mcp_servers.kb]\ncommand = "codex-mcp-http-bridge"\nargs = ["https://x.example/", "--header", "A:canary"]\n',
            ]
          : [
              ".cursor/mcp.json",
              '{"mcpServers": {"kb": {"command": "codex-mcp-http-bridge", "args": ["https://x.example/", "--header", "A:canary"]}}}',
            ];
      put(file, own);
      const use = "starts the bridge for a URL, with settings that only the entry holds";
      const error = await refused(command, ...write(client), "--server", "kb");
      expect(error.message).toEndWith(`has a server "kb" that ${use}`);
      expect(error.hint).toBe("add --replace, or give the server another name");
      expect(
        (await refused(command, "--for", client, "--remove", "--server", "kb")).message,
      ).toEndWith(use);
      expect((await run(command, "--for", client, "--remove")).out).toContain("nothing to remove");
      expect(text(file)).toBe(own);
      await run(command, ...write(client), "--replace", "--server", "kb");
      expect(text(file)).not.toContain("canary");
    },
  );

  test("warns once of an executable that is not there", async () => {
    const { run } = user(servers);
    const { notes } = await run(command, "--for", "cursor", "--command", "/gone");
    expect(notes.filter((note) => note.includes("/gone is not an executable"))).toHaveLength(1);
  });

  test("adds a server although another program's entry has its name in other case", async () => {
    const { run, text, put } = user(servers);
    put(".cursor/mcp.json", '{"mcpServers": {"CRM": {"url": "https://x.example/"}}}');
    await run(command, ...write("cursor"), "--server", "crm");
    expect(Object.keys(JSON.parse(text(".cursor/mcp.json")).mcpServers)).toEqual(["CRM", "crm"]);
  });

  test("warns if the client neither passes nor expands the server's variables", async () => {
    const { run } = user(servers);
    const { notes } = await run(command, ...write("claude-desktop"), "--server", "kb");
    expect(notes[0]).toBe(
      "warning: Claude Desktop does not pass KB_TOKEN to servers and expands no variables: store the secret itself (codex-mcp-http-bridge setup --server kb)",
    );
  });

  test("--dry-run shows the change and writes no file", async () => {
    const { run, text, put } = user(servers);
    put(".cursor/mcp.json", '{"mcpServers": {}}\n');
    const { out } = await run(
      ...([command, "--for", "cursor", "--command", bridge, "--server", "crm"] as const),
      "--dry-run",
    );
    expect(out).toContain('+{"mcpServers": {"crm"');
    expect(text(".cursor/mcp.json")).toBe('{"mcpServers": {}}\n');
  });

  test("--project fails for a client without a project configuration file", async () => {
    const { refused } = user(servers);
    const error = await refused(command, ...write("windsurf"), "--project");
    expect([error.kind, error.message]).toEqual([
      "usage",
      "Windsurf has no project configuration file",
    ]);
  });

  test("--project refuses a symlink out of the project, to a file or to a folder", async () => {
    const { refused, run, put, text, home } = user(servers);
    put("mine/settings.json", "{}");
    put("project/inside.json", "{}");
    const project = join(home, "project");
    symlinkSync("../mine/settings.json", join(project, ".mcp.json"));
    symlinkSync("../mine", join(project, ".gemini"));
    symlinkSync("../nowhere/at/all", join(project, ".vscode"));
    symlinkSync("inside.json", join(project, "opencode.json"));
    const before = process.cwd();
    process.chdir(project);
    try {
      for (const client of ["claude-code", "gemini", "vscode"]) {
        const error = await refused(command, ...write(client), "--project");
        expect(error.message).toEndWith("is a symlink that leads out of the project");
      }
      expect((await run(command, ...write("opencode"), "--project")).code).toBe(0);
    } finally {
      process.chdir(before);
    }
    expect(text("mine/settings.json")).toBe("{}");
    expect(readdirSync(join(home, "mine"))).toEqual(["settings.json"]);
    expect(text("project/inside.json")).toContain("kb");
  });

  test.each([
    ["{", "ends early"],
    ['{"mcpServers": {"a": 1, "a": 2}}', "the key stands twice"],
    ['{"mcpServers": []}', "not a JSON object"],
    ["[]", "not a JSON object"],
  ])("a file like %p is refused, and neither it nor a backup is written", async (text, problem) => {
    const person = user(servers);
    const path = person.put(".cursor/mcp.json", text);
    const error = await person.refused(command, ...write("cursor"));
    expect([error.kind, error.message.includes(problem)]).toEqual(["configuration", true]);
    expect(person.text(".cursor/mcp.json")).toBe(text);
    expect(readdirSync(join(path, ".."))).toEqual(["mcp.json"]);
  });

  test("an edit is refused if the edited text does not read back as the expected value", async () => {
    const { refused, text, put, home } = user(servers);
    // `...` ends the YAML document: an appended entry would be in a second document.
    put(".continue/config.yaml", "name: x\n...\n");
    const error = await refused(command, ...write("continue"), "--server", "kb");
    expect(error.message).toBe(
      `${home}/.continue/config.yaml is written in a form that the bridge cannot edit`,
    );
    expect(text(".continue/config.yaml")).toBe("name: x\n...\n");
  });

  test("a list keeps items that are no servers of their own", async () => {
    const { run, text, put } = user(servers);
    const before = "mcpServers:\n  - uses: team/wiki\n";
    put(".continue/config.yaml", before);
    await run(command, ...write("continue"), "--server", "kb");
    expect(text(".continue/config.yaml")).toStartWith(`${before}  - name: kb\n`);
  });

  test("--replace --dry-run shows no secret of the other program's entry", async () => {
    const { run, put } = user(servers);
    const kb = {
      ...{
        command: "npx",
        args: ["x", "--token", "canary-arg", "https://a.example/?k=canary-url"],
      },
      ...{ env: { A: "canary-env" }, apiKey: "canary-key" },
    };
    put(".cursor/mcp.json", JSON.stringify({ mcpServers: { kb, other: kb } }));
    const { out } = await run(command, ...write("cursor"), "--replace", "--dry-run");
    expect(out).toContain('"command": "npx"'.replace(": ", ":"));
    expect(out).not.toContain("canary");
  });

  test("writes through a symlink, and refuses a read-only file and a pipe", async () => {
    const { run, refused, text, put, home } = user(servers);
    const real = put("dotfiles/mcp.json", "{}");
    mkdirSync(join(home, ".cursor"));
    symlinkSync(real, join(home, ".cursor/mcp.json"));
    await run(command, ...write("cursor"), "--server", "crm");
    expect(text("dotfiles/mcp.json")).toContain("crm");
    chmodSync(put(".gemini/settings.json", "{}"), 0o400);
    const error = await refused(command, ...write("gemini"));
    expect(error.message).toBe(`${join(home, ".gemini/settings.json")} is read-only`);
    expect(readdirSync(join(home, ".gemini"))).toEqual(["settings.json"]);
    mkdirSync(join(home, ".qwen"));
    Bun.spawnSync(["mkfifo", join(home, ".qwen/settings.json")]);
    expect((await refused(command, ...write("qwen"))).message).toContain("not a regular file");
  });

  test("a missing or unknown client and contradictory options are usage errors", async () => {
    const { refused } = user(servers);
    expect((await refused(command)).hint).toContain("claude-code, claude-desktop, cursor");
    expect((await refused(command, "--for", "cursor", "--write", "--remove")).kind).toBe("usage");
    expect(await refused(command, "--for", "emacs")).toMatchObject({
      kind: "usage",
      message: 'unknown client "emacs"',
      hint: expect.stringMatching(/^one of .*cursor/),
    });
  });
});
