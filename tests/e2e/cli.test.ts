import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { version } from "../../package.json";
import { ownFolder } from "../support/folder.ts";
import { programWords, runProgram } from "../support/program.ts";
import { Session } from "../support/terminal.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());
const run = (...words: string[]) => runProgram(words, { env: { HOME: folder.path } });

describe("the program", () => {
  test("prints its version", async () => {
    const answer = await run("--version");
    expect(answer).toEqual({ code: 0, stdout: `codex-mcp-http-bridge ${version}\n`, stderr: "" });
  });

  test("prints version, commit, target and kind of build as JSON", async () => {
    const { code, stdout } = await run("--version", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      version,
      bun: Bun.version,
      target: expect.any(String),
      commit: expect.any(String),
      build: expect.stringMatching(/^(clean|dirty|source)$/),
      protocolRevisions: expect.arrayContaining(["2025-03-26", "2025-11-25"]),
    });
  });

  test("lists its commands in the help, and prints help for each", async () => {
    const { code, stdout, stderr } = await run("--help");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).not.toContain("\u001b");
    const listed = stdout.slice(stdout.indexOf("COMMANDS")).matchAll(/^ {2}([a-z][a-z-]*) {2,}/gm);
    const names = [...listed].map(([, name]) => name!);
    expect(names).toContain("run");
    for (const name of names) {
      const help = await run(name, "--help");
      expect([name, help.code, help.stderr]).toEqual([name, 0, ""]);
      expect(help.stdout).toContain(`USAGE codex-mcp-http-bridge ${name}`);
      expect(help.stdout).toContain("--log-level");
      expect(
        stdout
          .concat(help.stdout)
          .split("\n")
          .filter((line) => line.length > 80),
      ).toEqual([]);
    }
  });

  test("the help marks a word as required only where the command needs it, and names the form with a URL", async () => {
    const usageOf = async (...words: string[]) => {
      const { stdout } = await run(...words, "--help");
      return [/^USAGE codex-mcp-http-bridge (.*)$/m.exec(stdout)?.[1], stdout] as const;
    };
    for (const [name, usage, isRequired] of [
      ["tools", "tools [OPTIONS] [NAME]", false],
      ["doctor", "doctor [OPTIONS] [NAME]", false],
      ["call", "call [OPTIONS] NAME TOOL [ARGUMENTS]...", false],
      ["rename", "rename [OPTIONS] <OLD> <NEW>", true],
      ["run", "run [--server NAME]... | URL [PORT] [OPTIONS]", false],
    ] as const) {
      const [shown, help] = await usageOf(name);
      expect([name, shown, help.includes("(Required)")]).toEqual([name, usage, isRequired]);
    }
    expect((await usageOf())[1]).toContain("\n      codex-mcp-http-bridge URL [PORT] [OPTIONS]\n");
    expect((await usageOf("https://kb.example/mcp"))[1]).toEndWith(
      "\n\nmcp-remote's options are taken, too: docs/moving-from-mcp-remote.md\n",
    );
  });

  test("the internal word of the completion scripts is not offered", async () => {
    const { code, stderr } = await run("completions", "csh");
    expect(code).toBe(2);
    expect(stderr).toContain("SHELL is one of bash, zsh, fish, powershell, man\n");
    expect((await run("completions", "candidates", "--", "completions", "c")).stdout).toBe("");
  });

  test("help and version are commands, too", async () => {
    for (const [words, option] of [
      [["help"], ["--help"]],
      [
        ["help", "setup"],
        ["setup", "--help"],
      ],
      [["version"], ["--version"]],
      [
        ["version", "--json"],
        ["--version", "--json"],
      ],
    ] as const) {
      const [asCommand, asOption] = [await run(...words), await run(...option)];
      expect(asCommand).toEqual(asOption);
      expect(asCommand.code).toBe(0);
    }
  });

  test("marks only required arguments as required in the help", async () => {
    expect((await run("remove", "--help")).stdout).toContain("remove [OPTIONS] [NAME]\n");
    expect((await run("credentials", "--help")).stdout).toContain("[OPTIONS] <ACTION>\n");
  });

  test.each([
    [[], "error: no command was given"],
    [["tset"], 'error: unknown command "tset"\nhint: did you mean test?'],
    [["help", "tset"], 'error: unknown command "tset"\nhint: did you mean test?'],
    [["toString"], 'error: unknown command "toString"'],
    [["physician"], 'error: unknown command "physician"'],
    [["--bogus"], "error: unknown option --bogus"],
    [["test", "--sever", "x"], "error: unknown option --sever"],
    [["test", "--server"], "error: the option --server needs a value"],
    [["credentials", "exprot"], "hint: see codex-mcp-http-bridge credentials --help"],
    [["demo", "now"], 'error: unexpected word "now" after "demo"'],
    [["demo", "--log-level", "loud"], "error: --log-level is one of"],
    [["demo", "--log-format", "xml"], "error: --log-format is one of text, json"],
  ])("refuses %j on stderr with exit code 2", async (words, said) => {
    const { code, stdout, stderr } = await run(...words);
    expect(stdout).toBe("");
    expect(stderr).toContain(said);
    expect(code).toBe(2);
  });

  test.each([
    [{ TERM: "xterm" }, true],
    [{ TERM: "dumb" }, false],
    [{ TERM: "xterm", NO_COLOR: "1" }, false],
  ])("colours its error only on a terminal with colours: %j", async (env, isPainted) => {
    await using session = new Session(["nonsense"], { HOME: folder.path, ...env });
    await session.sees("error: unknown command");
    expect(await session.ended).toBe(2);
    expect(session.painted.includes("\u001b[31m")).toBe(isPainted);
    expect(session.painted.includes("\u001b")).toBe(isPainted);
  });

  test.each([{ LANG: "C" }, { LC_ALL: "POSIX" }, { NO_COLOR: "1" }, { TERM: "dumb" }])(
    "reports in ASCII, without cursor movements, under %j",
    async (env) => {
      await using session = new Session(["demo"], { HOME: folder.path, ...env });
      await session.sees("steps passed");
      expect(await session.ended).toBe(0);
      expect(session.painted.replaceAll(/[\r\n]/g, "")).toMatch(/^[ -~]*$/);
      expect(session.painted).toContain("[ok] initialize");
    },
  );

  test("warns of an invalid LOG_LEVEL and continues", async () => {
    const env = { HOME: folder.path, LOG_LEVEL: "loud" };
    const { code, stderr } = await runProgram(["demo"], { env });
    expect(stderr).toStartWith("warning: LOG_LEVEL is not one of");
    expect(code).toBe(0);
  });

  // A short text is written by flush(), a long one by write().
  test.each(["--version", "completions man"])(
    "a disk that is full is an error, however long the text is: %s",
    async (words) => {
      await using child = Bun.spawn([...programWords, ...words.split(" ")], {
        env: { PATH: process.env.PATH ?? "", HOME: folder.path },
        stdout: Bun.file("/dev/full"),
        stderr: "pipe",
      });
      expect([await child.exited, await child.stderr.text()]).toEqual([
        3,
        expect.stringContaining("stdout cannot be written to (the disk is full)"),
      ]);
    },
  );

  test("exits without an error if the reader closes the pipe", async () => {
    await using child = Bun.spawn(
      ["sh", "-c", '"$@" --help | head -c 1; exit 0', "sh", ...programWords],
      { env: { HOME: folder.path, PATH: process.env.PATH ?? "" }, stdout: "pipe", stderr: "pipe" },
    );
    expect(await child.stdout.text()).toHaveLength(1);
    expect(await child.stderr.text()).toBe("");
  });

  test("answers initialize with the error of a failed start of run, and exits with its code", async () => {
    const initialize = '{"jsonrpc":"2.0","id":"a","method":"initialize","params":{}}\n';
    for (const words of [
      ["run", "--sever", "x"],
      ["run", "-l", "loud"],
      ["--bogus", "run"],
    ]) {
      const options = { env: { HOME: folder.path }, stdin: initialize };
      const { code, stdout } = await runProgram(words, options);
      const answer = JSON.parse(stdout);
      expect(answer).toMatchObject({ id: "a", error: { code: 1400 } });
      expect(code).toBe(2);
    }
  });

  test("prints the error of a failed start of run once on stderr", async () => {
    const asked = [1, 2, 3].map((id) => `{"jsonrpc":"2.0","id":${id},"method":"ping"}\n`).join("");
    for (const stdin of ["", asked]) {
      const options = { env: { HOME: folder.path }, stdin };
      const { code, stderr } = await runProgram(["run", "--servr", "x"], options);
      expect(stderr.trimEnd().split("\n")).toEqual([
        expect.stringMatching(/Z ERROR start refused error="unknown option .*--servr.* hint=/),
      ]);
      expect(code).toBe(2);
    }
  });

  test("exits with the signal's code after a failed start, too", async () => {
    await using child = Bun.spawn([...programWords, "run", "--servr", "x"], {
      env: { HOME: folder.path },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    });
    child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
    child.stdin.flush();
    // It is there to be signalled once it answers.
    for await (const _ of child.stdout) break;
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
  });

  test("writes the log to a file that only its owner may read", async () => {
    const log = join(folder.path, "bridge.log");
    const options = { env: { HOME: folder.path }, stdin: "not json\n" };
    const words = [
      "run",
      "-l",
      "debug",
      "--log-file",
      log,
      "--config-path",
      `${folder.path}/c.json`,
    ];
    await Bun.write(`${folder.path}/c.json`, '{"servers":{"a":{"url":"http://127.0.0.1:9/mcp"}}}');
    await runProgram(words, options);
    expect(await Bun.file(log).text()).not.toBe("");
    expect((await Bun.file(log).stat()).mode & 0o777).toBe(0o600);
  });
});
