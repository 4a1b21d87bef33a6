import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { bridge, removeUsers, user } from "../commands/codex-config/codex-config-user.ts";
import { compiledBridge } from "../support/binary.ts";
import { ownFolder } from "../support/folder.ts";
import { programWords, runProgram } from "../support/program.ts";

afterEach(removeUsers);

describe("codex-config >> config.toml", () => {
  const isBuilt = programWords.length === 1;
  const launch = isBuilt ? "" : `--command ${bridge}`;
  const append = async ({ env, file }: ReturnType<typeof user>) => {
    const words = [...programWords, "codex-config", "--server", "crm"].join(" ");
    await using child = Bun.spawn(["sh", "-c", `${words} ${launch} >> ${file}`], {
      env: { ...env, PATH: process.env.PATH ?? "" },
      stderr: "pipe",
    });
    return { code: await child.exited, stderr: await child.stderr.text() };
  };

  test("adds the entry once, below a last line without a line end", async () => {
    const on = user('model = "x"');
    expect((await append(on)).code).toBe(0);
    const once = on.text();
    expect(once).toStartWith('model = "x"\n[mcp_servers.crm]\n');
    const again = await append(on);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain(
      "hint: run codex-mcp-http-bridge codex-config --server crm --write",
    );
    expect(on.text()).toBe(once);
  });

  test("names --replace where --write alone would refuse another program's entry", async () => {
    const on = user('[mcp_servers.crm]\nurl = "https://crm.example/mcp"\n');
    const before = on.text();
    const { code, stderr } = await append(on);
    expect([code, on.text()]).toEqual([1, before]);
    const [, hint = ""] = /hint: run codex-mcp-http-bridge (.*)/.exec(stderr) ?? [];
    expect(hint).toEndWith("--write --replace");
    const words = hint.split(" ").concat(isBuilt ? [] : ["--command", bridge]);
    expect((await runProgram(words, { env: on.env })).code).toBe(0);
  });

  test("adds nothing to a file where another table would be invalid TOML", async () => {
    const on = user('mcp_servers = { other = { command = "npx" } }\n');
    const { code, stderr } = await append(on);
    expect(code).toBe(1);
    expect(stderr).toContain("cannot be appended to");
    expect(on.text()).toBe('mcp_servers = { other = { command = "npx" } }\n');
  });

  test("without a configuration exits with 3 and names the command to run", async () => {
    using folder = ownFolder();
    const { code, stdout, stderr } = await runProgram(["codex-config"], {
      env: { HOME: folder.path },
    });
    expect(code).toBe(3);
    expect(stdout).toBe("");
    expect(stderr).toContain("codex-mcp-http-bridge setup");
  });
});

describe("the command of an entry", () => {
  test.each([
    ["by its name on PATH", (_: string) => "linked-bridge"],
    ["by its path", (bin: string) => `${bin}/linked-bridge`],
    ["by a relative path", (_: string) => "../bin/linked-bridge"],
  ])("is the link that started the bridge %s", async (_, word) => {
    const { home, env } = user();
    const bin = join(home, "bin");
    mkdirSync(bin);
    symlinkSync(compiledBridge(), join(bin, "linked-bridge"));
    await using child = Bun.spawn(["sh", "-c", `exec ${word(bin)} codex-config --server kb`], {
      env: { ...env, PATH: `${bin}:${process.env.PATH}` },
      cwd: join(home, ".codex"),
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await child.stdout.text()).toContain(`\ncommand = "${bin}/linked-bridge"\n`);
    expect(await child.stderr.text()).toContain("in a folder for temporary files");
  });
});
