import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Context } from "../../../src/cli/command.ts";
import { makeChange } from "../../../src/commands/codex-config/write.ts";
import { homeOf } from "../../../src/platform/paths.ts";
import { bridge, removeUsers, user } from "./codex-config-user.ts";

afterEach(removeUsers);

/** Puts a program named `codex` on the user's PATH. */
function withCodex({ home, env }: ReturnType<typeof user>, script: string): void {
  mkdirSync(join(home, "bin"), { recursive: true });
  const path = join(home, "bin/codex");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  Object.assign(env, { PATH: `${join(home, "bin")}:/usr/bin:/bin` });
}

describe("codex-config", () => {
  test("prints the entries of all servers, each after an empty line", async () => {
    const { run } = user();
    const { code, out } = await run({});
    expect(code).toBe(0);
    expect(out.startsWith("\n[mcp_servers.kb]\n")).toBe(true);
    expect(out).toContain("\n\n[mcp_servers.crm]\n");
    const { mcp_servers: servers } = Bun.TOML.parse(out) as { mcp_servers: object };
    expect(Object.keys(servers)).toEqual(["kb", "crm"]);
  });

  test("prints the chosen servers, whatever the case of their names", async () => {
    const { out } = await user().run({ server: ["CRM", "crm"] });
    expect(out.match(/\[mcp_servers\.\w+\]/g)).toEqual(["[mcp_servers.crm]"]);
  });

  test("an entry for a configuration file that is not the default names it by its absolute path", async () => {
    const { run, configJson } = user();
    const { out } = await run({ server: ["kb"] }, configJson);
    expect(out).toContain(`args = ["run", "--server", "kb", "--config-path", "${configJson}"]`);
  });

  test("--write creates a missing file (0600), and changes nothing the second time", async () => {
    const { run, text, file } = user();
    const first = await run({ write: true });
    expect(first.out).toBe(`✓ Wrote [mcp_servers.kb], [mcp_servers.crm] to ${file}\n`);
    expect(first.notes).toEqual(["restart Codex to see the change"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const once = text();
    const before = statSync(file).ino;
    const second = await run({ write: true });
    expect(second.out).toBe(`✓ [mcp_servers.kb], [mcp_servers.crm]: up to date in ${file}\n`);
    expect(text()).toBe(once);
    expect(statSync(file).ino).toBe(before);
  });

  test("--write saves the old file as a backup, and keeps the file's mode", async () => {
    const { run, file, home } = user('model = "x"');
    chmodSync(file, 0o664);
    const { notes } = await run({ write: true });
    expect(statSync(file).mode & 0o777).toBe(0o664);
    expect(readFileSync(`${file}.codex-mcp-http-bridge.bak`, "utf8")).toBe('model = "x"');
    expect(notes[0]).toContain(`${file}.codex-mcp-http-bridge.bak`);
    expect(readdirSync(join(home, ".codex")).toSorted()).toEqual([
      "config.toml",
      "config.toml.codex-mcp-http-bridge.bak",
    ]);
  });

  test("--write gives an entry of an older version its cwd, and changes nothing else", async () => {
    const { run, text, home, file } = user();
    await run({ write: true });
    const now = text();
    expect(now).toContain(`\ncwd = "${home}"\n`);
    writeFileSync(file, now.replace(`cwd = "${home}"\n`, ""));
    await run({ write: true });
    expect(Bun.TOML.parse(text())).toEqual(Bun.TOML.parse(now));
    expect((await run({ write: true })).out).toContain("up to date");
  });

  test("--write keeps what the user added to the entry", async () => {
    const { run, text, home } = user();
    await run({ write: true, server: ["kb"] });
    const mine = text()
      .replace("# default_tools_approval_mode", "default_tools_approval_mode")
      .replace('LOG_LEVEL = "info"', 'LOG_LEVEL = "debug", MINE = "1"')
      .replace("tool_timeout_sec", 'enabled_tools = ["query"] # mine\ntool_timeout_sec');
    const again = user(mine);
    await again.run({ write: true, server: ["kb"], required: true });
    expect(again.text()).toBe(
      mine
        .replace(home, again.home)
        .replace('"kb"]', '"kb", "--on-failure", "error"]')
        .replace(/(\ndefault_tools_approval_mode.*)\n/, "$1\nrequired = true\n"),
    );
  });

  test("--write keeps options, variables and limits that an entry has, unless the command says otherwise", async () => {
    const { run, text, file } = user();
    await run({ write: true, server: ["kb"], "log-file": "/old.log" });
    const mine = text()
      .replace(
        '"--log-file", "/old.log"',
        '"-l", "debug", "--log-file", "/my.log", "--record=/r.jsonl", "--no-cache"',
      )
      .replace('env_vars = ["', 'env_vars = [{ name = "MINE", source = "local" }, "')
      .replace("startup_timeout_sec = 30", "startup_timeout_sec = 90")
      .replace("tool_timeout_sec = 120", "tool_timeout_sec = 600");
    writeFileSync(file, mine);
    const again = await run({ write: true, server: ["kb"] });
    expect([again.out, text()]).toEqual([expect.stringContaining("up to date"), mine]);
    await run({ write: true, server: ["kb"], "log-file": "/new.log" });
    expect(text()).toContain(
      'args = ["run", "--server", "kb", "--log-file", "/new.log", "-l", "debug", "--record=/r.jsonl", "--no-cache"]',
    );
    // A limit below the server's own would hide the bridge's error.
    writeFileSync(file, text().replace("tool_timeout_sec = 600", "tool_timeout_sec = 5"));
    await run({ write: true, server: ["kb"] });
    expect(text()).toContain("tool_timeout_sec = 120");
  });

  test("--write removes an approval and `required` that config.json no longer sets", async () => {
    const { run, text, file, configJson } = user();
    const write = async (codex: object, required = false) => {
      const servers = { kb: { url: "https://kb.example/mcp", codex } };
      writeFileSync(configJson, JSON.stringify({ version: 1, servers }));
      return (await run({ write: true, required })).out;
    };
    await write({});
    const undecided = text();
    await write({ approval: "approve" }, true);
    expect(text()).toContain('\ndefault_tools_approval_mode = "approve"\n');
    expect(text()).toContain("\nrequired = true\n");
    writeFileSync(file, text().replace("[mcp_servers.kb]\n", "$&enabled = false\n"));
    expect(await write({})).toStartWith("✓ Wrote");
    expect(text()).toBe(undecided.replace("[mcp_servers.kb]\n", "$&enabled = false\n"));
    expect(await write({})).toContain("up to date");
  });

  test("--dry-run shows the lines that would change, and changes nothing", async () => {
    const theirs = '[mcp_servers.other]\nenv = { KEY = "their-secret" }\n';
    const { run, text, file } = user(theirs);
    const { out } = await run({ "dry-run": true, server: ["crm"] });
    expect(out).toStartWith(`--- ${file}\n+++ ${file}\n@@ -2,0 +3,10 @@\n+\n+[mcp_servers.crm]\n`);
    expect(out).not.toContain("their-secret");
    expect(text()).toBe(theirs);
    await run({ write: true });
    expect((await run({ "dry-run": true })).notes).toEqual([`nothing to change in ${file}`]);
  });

  test("--remove removes every entry of this configuration, and nothing else", async () => {
    const theirs = '# theirs\n[mcp_servers.other]\ncommand = "npx"\n';
    const { run, text, file, configJson } = user(theirs);
    await run({ write: true });
    await run({ write: true, server: ["kb"] }, configJson);
    expect((await run({ remove: true, command: undefined })).out).toBe(
      `✓ Removed [mcp_servers.crm] from ${file}\n`,
    );
    await run({ remove: true, command: undefined, server: ["KB"] });
    expect(text()).toBe(theirs);
    const again = await run({ remove: true, command: undefined });
    expect(again.out).toBe(`✓ nothing to remove from ${file}\n`);
  });

  test("--remove --dry-run shows the lines that would be removed; --remove takes no other option", async () => {
    const { run, refused } = user();
    await run({ write: true, server: ["kb"] });
    const { out } = await run({ remove: true, "dry-run": true, command: undefined });
    expect(out).toContain("-[mcp_servers.kb]\n");
    expect((await refused({ remove: true })).message).toBe("--remove does not go with --command");
    const error = await refused({ remove: true, native: true, command: undefined });
    expect(error.message).toBe("--remove does not go with --native");
  });

  test("--remove needs no configuration of the bridge", async () => {
    const { env, home, run, text } = user(
      '[mcp_servers.gone]\ncommand = "codex-mcp-http-bridge"\n',
    );
    Object.assign(env, { CODEX_HOME: join(home, ".codex"), HOME: join(home, "elsewhere") });
    await run({ remove: true, command: undefined });
    expect(text()).toBe("");
  });

  test.each([
    ["npx", '["mcp-remote"]'],
    ["docker", '["run", "-i", "--rm", "img", "--server", "https://x"]'],
    ["podman", '["run", "-i", "--rm", "img", "--server", "https://x"]'],
  ])("an entry that starts %s is neither replaced nor removed", async (program, args) => {
    const theirs = `[mcp_servers.kb]\ncommand = "${program}"\nargs = ${args}\n`;
    const { refused, run, text } = user(theirs);
    expect((await run({ remove: true, command: undefined })).out).toContain("nothing to remove");
    const rows = [
      [{ write: true }, "add --replace, or give the server another name"],
      [
        { remove: true, command: undefined, server: ["kb"] },
        "remove this entry by hand if you no longer need it",
      ],
    ] as const;
    for (const [options, hint] of rows) {
      const error = await refused({ ...options, server: ["kb"] });
      expect([error.kind, error.hint]).toEqual(["configuration", hint]);
    }
    expect(text()).toBe(theirs);
  });

  test.each([
    ["a table of its own", '[mcp_servers.kb.env]\nTHEIR_TOKEN = "canary"\n'],
    ["an inline table", 'env = { THEIR_TOKEN = "canary" }\n'],
  ])(
    "--replace replaces another program's entry together with its variables in %s",
    async (_, env) => {
      const others = '# mine\n[mcp_servers.other]\ncommand = "npx" # keep\n';
      const start = '[mcp_servers.kb]\ncommand = "npx"\nargs = ["mcp-remote"]\n';
      const { run, text } = user(`${others}${start}enabled_tools = ["query"]\n${env}`);
      expect((await run({ write: true, replace: true, server: ["kb"] })).out).toContain("Wrote");
      expect(text()).toStartWith(others);
      expect(text()).not.toContain("canary");
      const { kb } = (Bun.TOML.parse(text()) as { mcp_servers: Record<string, object> })
        .mcp_servers;
      expect(kb).toMatchObject({
        command: bridge,
        args: ["run", "--server", "kb"],
        env: { LOG_LEVEL: "info", BUN_JSC_useFTLJIT: "0" },
        enabled_tools: ["query"],
      });
      const once = text();
      await run({ write: true, server: ["kb"] });
      expect(text()).toBe(once);
    },
  );

  test("--replace goes with --write", async () => {
    expect((await user().refused({ replace: true })).kind).toBe("usage");
  });

  test("--remove prefers an exact name to the entry of another program that differs in case", async () => {
    const theirs = '[mcp_servers.CRM]\ncommand = "npx"\n';
    const { run, text } = user(theirs);
    await run({ write: true, server: ["crm"] });
    await run({ remove: true, command: undefined, server: ["crm"] });
    expect(text()).toBe(theirs);
  });

  test("a file that is read-only is refused, and no backup is left", async () => {
    const { refused, file, text, home } = user('model = "x"');
    chmodSync(file, 0o444);
    const error = await refused({ write: true });
    expect([error.kind, error.message]).toEqual(["configuration", `${file} is read-only`]);
    expect(error.hint).toContain(`chmod u+w ${file}`);
    expect(text()).toBe('model = "x"');
    expect(readdirSync(join(home, ".codex"))).toEqual(["config.toml"]);
  });

  test("a file that Codex can read only in place is checked there, and the new entries on their own", async () => {
    const on = user('model_instructions_file = "base.md"\n');
    // As Codex does: the file must stand beside the configuration that names it.
    withCodex(
      on,
      `grep -q base.md "$CODEX_HOME/config.toml" && ! [ -e "$CODEX_HOME/base.md" ] && { echo "no base.md" >&2; exit 1; }
echo '{}'`,
    );
    const refused = await on.refused({ write: true });
    expect(refused.message).toContain(`Codex refuses the present ${on.file}`);
    expect(refused.message).toContain("no base.md");
    writeFileSync(join(on.home, ".codex/base.md"), "");
    expect((await on.refused({ write: true })).message).toContain('another command of "kb"');
    withCodex(
      on,
      `grep -q base.md "$CODEX_HOME/config.toml" && ! [ -e "$CODEX_HOME/base.md" ] && exit 1
exec ${process.execPath} -e 'const { mcp_servers } = Bun.TOML.parse(await Bun.file(process.env.CODEX_HOME + "/config.toml").text()); console.log(JSON.stringify({ transport: mcp_servers?.[process.argv[3]] }))' -- "$@"`,
    );
    expect((await on.run({ write: true })).out).toContain("Wrote");
  });

  test.each([
    ["broken TOML", "x = 1\n[mcp_servers.kb\n", "config.toml, line "],
    ["a table twice", "[a]\n[a]\n", "line 2"],
    ["a list in place of the table", "[[mcp_servers.kb]]\n", "mcp_servers.kb is not a table"],
    ["a value in place of all tables", "mcp_servers = 1\n", "mcp_servers is not a table"],
    [
      "dotted keys in an inline table",
      'mcp_servers = { kb.command = "codex-mcp-http-bridge" }\n',
      "cannot be edited",
    ],
    [
      "keys of the wrong form",
      '[mcp_servers.kb]\ncommand = "codex-mcp-http-bridge"\nargs.a = 1\n',
      "cannot be edited",
    ],
  ])("%s is refused and not changed", async (_, config, why) => {
    const { refused, text } = user(config);
    const error = await refused({ write: true });
    expect(error.kind).toBe("configuration");
    expect(error.message).toContain(why);
    expect(text()).toBe(config);
  });

  test("a file that is not UTF-8 is refused", async () => {
    const { file, refused } = user();
    writeFileSync(file, new Uint8Array([0xff, 0x0a]));
    expect((await refused({ write: true })).message).toContain("not UTF-8");
  });

  test("--replace --dry-run shows no secret of the other program's entry", async () => {
    const { run } = user(
      '[mcp_servers.kb]\ncommand = "x"\nargs = ["--token", "canary-arg"]\nenv = { A = "canary-env" }\n',
    );
    const { out } = await run({ server: ["kb"], write: true, replace: true, "dry-run": true });
    expect(out).toContain('-command = "x"\n');
    expect(out).not.toContain("canary");
  });

  test("Codex reads the new text before the file is replaced", async () => {
    const bad = user("x = 1\n");
    withCodex(bad, 'case "$2 $3" in "get kb") echo "no good" >&2; exit 1;; *) echo "{}";; esac');
    const error = await bad.refused({ write: true });
    expect(error.message).toContain("Codex refuses the new config.toml");
    expect(error.message).toContain("no good");
    expect(bad.text()).toBe("x = 1\n");
    const other = user();
    withCodex(other, `echo '{"transport": {"command": "else"}}'`);
    expect((await other.refused({ write: true })).message).toContain('another command of "kb"');
  });

  test("a Codex that does not run causes a warning, and the change is made", async () => {
    const on = user();
    withCodex(on, "exit 1");
    const { notes } = await on.run({ write: true });
    expect(notes[0]).toContain("was not checked");
    expect(on.text()).toContain("[mcp_servers.kb]");
  });

  test("a file that keeps changing is not written", async () => {
    const { file, home } = user("0");
    let count = 0;
    const edit = async () => {
      writeFileSync(file, String(++count));
      return "ours";
    };
    const context = { env: {}, paths: () => homeOf({ HOME: home }) } as unknown as Context;
    const change = makeChange({ path: file, edit, expectedFields: new Map() }, context);
    await expect(change).rejects.toThrow("keeps changing");
    expect(readFileSync(file, "utf8")).toBe(String(count));
  });

  test("--native prints the URL and the helper, and warns of a query", async () => {
    const { run, configJson } = user();
    const servers = { kb: { url: "https://kb.example/mcp?key=1", token: "t0ken" } };
    writeFileSync(configJson, JSON.stringify({ version: 1, servers }));
    const { out, notes } = await run({ native: true });
    expect(out).toStartWith('\n[mcp_servers.kb]\nurl = "https://kb.example/mcp?key=1"\n');
    expect(out).toContain(`http_headers_helper = "${bridge} headers --server kb"\n`);
    expect(out).not.toContain("t0ken");
    expect(notes[0]).toContain("query");
  });

  test("of two processes that write at once, both entries end up in the file", async () => {
    const { run, text } = user("# kept\n");
    const servers = ["kb", "crm"];
    await Promise.all(servers.map((name) => run({ write: true, server: [name] })));
    expect(text()).toStartWith("# kept\n");
    for (const name of servers) expect(text()).toContain(`[mcp_servers.${name}]`);
  });

  test("the path of the executable is made absolute, and a bad one causes a warning", async () => {
    const { run, refused, home, env } = user();
    Object.assign(env, { TMPDIR: home });
    const { out, notes } = await run({ command: join(home, "gone"), server: ["crm"] });
    expect(out).toContain(`command = "${home}/gone"`);
    expect(notes[0]).toContain("is not an executable file");
    expect(notes[1]).toContain("in a folder for temporary files");
    expect((await refused({ command: "not-there" })).kind).toBe("usage");
    expect((await refused({ command: undefined })).hint).toContain("./build.sh");
  });
});

describe("codex-config --combined", () => {
  test("writes one entry for all servers, a second time changes nothing, and --remove takes it out", async () => {
    const { run, text, file, home } = user('model = "x"\n');
    // An entry is removed only if its program has the bridge's name.
    const command = join(home, "codex-mcp-http-bridge");
    symlinkSync(bridge, command);
    const first = await run({ combined: "bridge", write: true, command });
    expect(first.out).toBe(`✓ Wrote [mcp_servers.bridge] to ${file}\n`);
    const { mcp_servers: servers } = Bun.TOML.parse(text()) as { mcp_servers: object };
    expect(servers).toMatchObject({ bridge: { args: ["run", "--all"] } });
    const once = text();
    expect((await run({ combined: "bridge", write: true, command })).out).toContain("up to date");
    expect(text()).toBe(once);
    const removed = await run({ combined: "bridge", remove: true, command: undefined });
    expect(removed.out).toBe(`✓ Removed [mcp_servers.bridge] from ${file}\n`);
    expect(text()).not.toContain("[mcp_servers.bridge]");
  });

  test("prints an entry for chosen servers under another name", async () => {
    const { out } = await user().run({ combined: "team", server: ["kb", "crm"] });
    expect(out).toStartWith("\n[mcp_servers.team]\n");
    expect(out).toContain('args = ["run", "--server", "kb", "--server", "crm"]');
    expect(out).toContain('"KB_TOKEN"');
  });

  test("tells of entries that start one of the servers alone", async () => {
    const { run } = user();
    await run({ server: ["kb"], write: true });
    const { notes } = await run({ combined: "bridge", write: true });
    expect(notes.at(-1)).toContain("codex-mcp-http-bridge codex-config --server kb --remove");
  });

  test.each([
    ["a bad name", { combined: "no name" }, "--combined"],
    ["the name of one server", { combined: "KB" }, '"kb" is the name of one server'],
    ["--native", { combined: "bridge", native: true }, "exclude each other"],
  ])("refuses %s", async (_, options, message) => {
    expect((await user().refused(options)).message).toContain(message);
  });
});
