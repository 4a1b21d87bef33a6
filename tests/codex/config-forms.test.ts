import { describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Home } from "./support/codex.ts";

interface Shape {
  readonly text: string;
  /** Whether the file has a server "kb" that starts another program, or is a URL. */
  readonly isTaken?: true;
}

/** Shapes of public config.toml files, written anew. */
const shapes: Readonly<Record<string, Shape>> = {
  "comments, dotted and quoted keys": {
    text: `# Settings. Do not touch.
model = "gpt-5"   # the good one
tui.notifications = false

# Mine:
[mcp_servers.docs] # documentation
command = "npx"
args = [
  "-y",           # yes
  "docs-server",  # [mcp_servers.kb]
]
env."API_KEY" = 'not-yours'

[mcp_servers."fig ma"]
command = "npx"
`,
  },
  "inline tables": {
    text: `model = "gpt-5"
[mcp_servers]
docs = { command = "npx", args = ["-y", "docs-server"], env = { A = "1" } } # one line
more = { command = "npx" }
`,
  },
  "arrays of tables and blank lines": {
    text: `


[[skills.config]]
path = "/home/me/one"
enabled = true


[[skills.config]]
path = "/home/me/two"
enabled = false

`,
  },
  "profiles with servers of their own": {
    text: `model = "gpt-5"

[mcp_servers.docs]
command = "npx"
\targs = ["-y"]

[profiles.work]
model = "gpt-5"
`,
  },
  "features and projects": {
    text: `[features]
apps = false

[projects."/home/me/my work"]
trust_level = "trusted"

[projects.'C:\\work']
trust_level = "untrusted"
`,
  },
  "a url entry of that name": {
    text: `[mcp_servers.docs]
command = "npx"

[mcp_servers.kb]
url = "https://kb.example/mcp"
bearer_token_env_var = "KB_TOKEN"

[tui]
notifications = false
`,
    isTaken: true,
  },
  "an mcp-remote entry of that name": {
    text: `[mcp_servers.kb] # by hand
command = "npx"
args = ["-y", "mcp-remote@latest", "https://kb.example/mcp"]

[mcp_servers.kb.env]
A = "1"

[mcp_servers.docs]
command = "npx"
`,
    isTaken: true,
  },
  "files beside it": {
    text: `model_instructions_file = "base.md"
experimental_compact_prompt_file = "base.md"

[mcp_servers.docs]
command = "npx"
`,
  },
  "200 servers": {
    text: Array.from(
      { length: 200 },
      (_, at) =>
        `[mcp_servers.s${at}] # number ${at}\ncommand = "npx"\nargs = ["-y", "server-${at}"]\nenabled = false\n\n`,
    ).join(""),
  },
  "another server whose name differs in case": {
    text: `[mcp_servers.KB]
command = "npx"

[mcp_servers.Docs]
command = "npx"
`,
  },
};

const encodings: Readonly<Record<string, (text: string) => string>> = {
  "as it is": (text) => text,
  "with CRLF": (text) => text.replaceAll("\n", "\r\n"),
  "with a byte order mark": (text) => `\ufeff${text}`,
  "without a final newline": (text) => text.trimEnd(),
};

async function listed(
  home: Home,
): Promise<Record<string, { readonly args?: unknown; readonly command?: unknown }>> {
  const { code, stdout, stderr } = await home.run("codex", "mcp", "list", "--json");
  if (code !== 0) throw new Error(stderr);
  const all = JSON.parse(stdout) as { name: string; transport: object }[];
  return Object.fromEntries(all.map(({ name, transport }) => [name, transport]));
}

const cases = Object.entries(shapes).flatMap(([shape, { text, isTaken }]) =>
  Object.entries(encodings).map(([encoding, encode]) => ({
    ...{ shape, encoding, isTaken },
    text: encode(text),
  })),
);

describe("codex-config --write, again, replaced and --remove; the real Codex reads each file", () => {
  test.each(cases)("$shape, $encoding", async ({ text, isTaken }) => {
    using on = new Home(text);
    writeFileSync(join(on.path, ".codex/base.md"), "Be brief.\n");
    await on.bridge("setup", "kb", "https://kb.example.com/mcp", "--no-auth");
    const { kb: _, ...others } = await listed(on);
    if (isTaken) {
      const refused = await on.run("codex-mcp-http-bridge", "codex-config", "--write");
      expect([refused.code, on.config]).toEqual([3, text]);
      expect(refused.stderr).toContain("--replace");
      expect(readdirSync(join(on.path, ".codex")).sort()).toEqual(["base.md", "config.toml"]);
    }
    await on.bridge("codex-config", "--write", ...(isTaken ? ["--replace"] : []));
    const { kb, ...rest } = await listed(on);
    expect(kb?.args).toEqual(["run", "--server", "kb"]);
    expect(rest).toEqual(others);
    const once = on.config;
    expect(await on.bridge("codex-config", "--write")).toContain("up to date");
    expect(on.config).toBe(once);
    await on.bridge("codex-config", "--write", "--command", "/opt/bridge");
    expect(await listed(on)).toEqual({ ...others, kb: { ...kb!, command: "/opt/bridge" } });
    await on.bridge("codex-config", "--remove");
    if (!isTaken) expect(on.config).toBe(text);
    expect(await listed(on)).toEqual(others);
  });
});
