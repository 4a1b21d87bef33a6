import { describe, expect, test } from "bun:test";
import { readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBridge } from "../support/binary.ts";
import { Home } from "./support/codex.ts";

const others = `# My settings. Do not touch.
model = "gpt-5"   # the good one

approval_policy = "on-request"

# Mine:
[mcp_servers.docs] # documentation
command = "npx" # from npm
args = [
  "-y",           # yes
  "docs-server",  # [mcp_servers.kb]
]
env = { "API_KEY" = 'not-yours' }

[mcp_servers."figma"]
url = "https://figma.example/mcp"

[projects."/home/me/work"]
trust_level = "trusted"
`;

async function home(config: string): Promise<Home> {
  const made = new Home(config);
  for (const name of ["kb", "crm"]) {
    const url = `https://${name}.example.com/mcp`;
    await made.bridge("setup", "--server", name, "--url", url, "--token-env", "MY_TOKEN");
  }
  return made;
}

interface Transport {
  readonly args?: unknown;
  readonly [name: string]: unknown;
}

async function listed(home: Home): Promise<{ kb?: Transport; crm?: Transport }> {
  const { code, stdout, stderr } = await home.run("codex", "mcp", "list", "--json");
  if (code !== 0) throw new Error(stderr);
  const all = JSON.parse(stdout) as { name: string; transport: Transport }[];
  return Object.fromEntries(all.map(({ name, transport }) => [name, transport]));
}

describe("what codex-config writes", () => {
  test("is read back by codex mcp get as it was meant", async () => {
    using on = await home(others);
    await on.bridge("codex-config", "--server", "kb", "--write");
    const { stdout } = await on.run("codex", "mcp", "get", "kb", "--json");
    const { transport, ...entry } = JSON.parse(stdout);
    expect(entry).toMatchObject({
      name: "kb",
      enabled: true,
      startup_timeout_sec: 30,
      tool_timeout_sec: 120,
    });
    expect(transport).toMatchObject({
      type: "stdio",
      command: compiledBridge(),
      args: ["run", "--server", "kb"],
      env: { LOG_LEVEL: "info", BUN_JSC_useFTLJIT: "0" },
    });
    expect(transport.env_vars).toContain("HTTPS_PROXY");
    expect(transport.env_vars).toContain("MY_TOKEN");
  });

  test("leaves a file full of comments and other servers as it was, and codex mcp list works", async () => {
    using on = await home(others);
    const before = await listed(on);
    await on.bridge("codex-config", "--write");
    const once = on.config;
    expect(once.startsWith(`${others}\n[mcp_servers.kb]\n`)).toBe(true);
    const { kb, crm, ...rest } = await listed(on);
    expect(rest).toEqual(before);
    expect([kb?.args, crm?.args]).toEqual([
      ["run", "--server", "kb"],
      ["run", "--server", "crm"],
    ]);
    expect(await on.bridge("codex-config", "--write")).toContain("up to date");
    expect(on.config).toBe(once);
    await on.bridge("codex-config", "--remove");
    expect(on.config).toBe(others);
  });

  test("is mended after codex mcp add has rewritten the file", async () => {
    using on = await home(others);
    await on.bridge("codex-config", "--write");
    const { kb } = await listed(on);
    await on.run("codex", "mcp", "add", "more", "--", "npx", "more");
    const rewritten = on.config;
    expect(await on.bridge("codex-config", "--server", "kb", "--write")).toContain("up to date");
    expect(on.config).toBe(rewritten);
    await on.bridge("codex-config", "--server", "kb", "--write", "--command", "/opt/bridge");
    expect((await listed(on)).kb).toEqual({ ...kb, command: "/opt/bridge" });
    await on.bridge("codex-config", "--remove");
    expect(Object.keys(await listed(on))).toEqual(["docs", "figma", "more"]);
  });

  test.each([
    ["dotted keys", '[mcp_servers]\nkb.command = "codex-mcp-http-bridge"\nkb.args = ["run"]\n'],
    ["dotted keys of the root", 'mcp_servers.kb.command = "codex-mcp-http-bridge"\n'],
    ["an inline table", '[mcp_servers]\nkb = { command = "codex-mcp-http-bridge" } # mine\n'],
    ["inline tables", 'mcp_servers = { kb = { command = "codex-mcp-http-bridge" } }\n'],
    ["a quoted header", '[ "mcp_servers" . \'kb\' ]\r\ncommand = "codex-mcp-http-bridge"\r\n'],
    ["a byte order mark", '\ufeff[mcp_servers.kb]\ncommand = "codex-mcp-http-bridge"'],
    [
      "the Python package's entry",
      '[mcp_servers.kb]\ncommand = "python"\nargs = ["-m", "codex_mcp_http_bridge", "run"]\ncwd = "/gone"\n',
    ],
  ])("replaces an entry written as %s", async (_, config) => {
    using on = await home(config);
    await on.bridge("codex-config", "--write");
    const { kb, crm } = await listed(on);
    const meant = { type: "stdio", command: compiledBridge(), cwd: on.path };
    expect(kb).toMatchObject({ ...meant, args: ["run", "--server", "kb"] });
    expect(crm).toMatchObject({ ...meant, args: ["run", "--server", "crm"] });
    const once = on.config;
    await on.bridge("codex-config", "--write");
    expect(on.config).toBe(once);
    await on.bridge("codex-config", "--remove");
    expect(await listed(on)).toEqual({});
  });

  test("appended with >> twice stands there once", async () => {
    using on = await home('model = "x"');
    const append = `codex-mcp-http-bridge codex-config --server kb >> '${on.configFile}'`;
    expect((await on.run("sh", "-c", append)).code).toBe(0);
    const once = on.config;
    expect(once.startsWith('model = "x"\n[mcp_servers.kb]\n')).toBe(true);
    const again = await on.run("sh", "-c", append);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/hint: run codex-mcp-http-bridge codex-config .*--write/);
    expect(on.config).toBe(once);
    expect(Object.keys(await listed(on))).toEqual(["kb"]);
  });

  test("is not put in place where Codex refuses the whole file", async () => {
    const broken = '[mcp_servers.docs]\ncommand = "npx"\ntool_timeout_sec = "soon"\n';
    using on = await home(broken);
    const ended = await on.run("codex-mcp-http-bridge", "codex-config", "--write");
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain(`Codex refuses the present ${on.configFile}`);
    expect(ended.stderr).toContain("nothing was changed");
    expect(on.config).toBe(broken);
    expect(readdirSync(join(on.path, ".codex"))).toEqual(["config.toml"]);
  });

  test("goes through a symlink, keeps the mode and a backup", async () => {
    using on = await home("");
    const real = join(on.path, "dotfiles.toml");
    writeFileSync(real, others, { mode: 0o640 });
    const linked = join(on.path, "codex");
    Object.assign(on.variables, { CODEX_HOME: linked });
    await on.run("mkdir", linked);
    symlinkSync("../dotfiles.toml", join(linked, "config.toml"));
    await on.bridge("codex-config", "--write");
    expect(Object.keys(await listed(on))).toEqual(["crm", "docs", "figma", "kb"]);
    expect(statSync(real).mode & 0o777).toBe(0o640);
    expect(await Bun.file(real).text()).toContain("[mcp_servers.kb]");
    const backup = join(linked, "config.toml.codex-mcp-http-bridge.bak");
    expect(await Bun.file(backup).text()).toBe(others);
    expect(statSync(backup).mode & 0o777).toBe(0o600);
  });
});
