import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { openBrowser } from "../../src/platform/browser.ts";
import {
  type CommandRun,
  programOnPath,
  runCommand,
  runToEnd,
  startChild,
} from "../../src/platform/exec.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ownFolder } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
beforeEach(() => {
  folder = ownFolder();
});
afterEach(() => folder[Symbol.dispose]());

function run(argv: readonly string[], options: Partial<CommandRun> = {}): Promise<string> {
  return runCommand({
    what: 'tokenCommand of server "kb"',
    argv,
    home: folder.path,
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    redactor: new Redactor(),
    signal: new AbortController().signal,
    ...options,
  });
}
const fails = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error("nothing was thrown");
    },
    (error) => error,
  );
const sh = (script: string) => ["/bin/sh", "-c", script];

function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

/** Resolves once no process has that pid any more: a killed one may still wait to be reaped. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
      if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return;
    } catch {
      return;
    }
    await Bun.sleep(5);
  }
}

test("a program is looked up in absolute PATH entries only", () => {
  const program = script(join(folder.path, "tool"), "");
  const nearby = relative(process.cwd(), folder.path);
  expect(programOnPath("tool", `/nowhere:${folder.path}`)).toBe(program);
  expect(programOnPath(program, undefined)).toBe(program);
  expect(programOnPath("tool", nearby)).toBeUndefined();
  expect(programOnPath(join(nearby, "tool"), folder.path)).toBeUndefined();
  expect(programOnPath("tool", "")).toBeUndefined();
});

describe("a child process of a hostile current directory", () => {
  const hostilePaths = [".", "", "bin", "./bin", "..", "~/bin"];
  let before: string;
  let own: string;
  beforeEach(() => {
    before = process.cwd();
    own = join(folder.path, "own");
    for (const each of ["own", "hostile", "hostile/bin"]) mkdirSync(join(folder.path, each));
    for (const each of ["hostile", "hostile/bin"])
      script(join(folder.path, each, "helper"), `echo hostile >${folder.path}/hostile-ran`);
    process.chdir(join(folder.path, "hostile"));
  });
  afterEach(() => {
    process.chdir(before);
    expect(existsSync(join(folder.path, "hostile-ran"))).toBe(false);
  });
  /** Looks its helper up as a shell does, and tells where it runs. */
  const asks = `helper; [ -x helper ] && ./helper; pwd >${"$"}OUT; echo "$PATH" >>${"$"}OUT`;

  test.each(hostilePaths)("looks nothing up there with PATH=%j", async (entry) => {
    const words = [script(join(own, "program"), asks)] as const;
    const OUT = join(folder.path, "out");
    const env = { PATH: [entry, own, "/usr/bin", "/bin", entry].join(":"), OUT };
    const ignored = { stdin: "ignore", stdout: "ignore", stderr: "ignore" } as const;
    await startChild({ words, env }, ignored).exited;
    const expected = `/\n${own}:/usr/bin:/bin\n`;
    expect(readFileSync(OUT, "utf8")).toBe(expected);
    runToEnd({ words, env }, openSync("/dev/null", "r"));
    expect(readFileSync(OUT, "utf8")).toBe(expected);
    await run(words, { env });
    expect(readFileSync(OUT, "utf8")).toBe(`${folder.path}\n${own}:/usr/bin:/bin\n`);
  });

  test("gets a default PATH if our PATH has no absolute entry", async () => {
    for (const PATH of ["", ".", undefined]) {
      const child = startChild(
        { words: ["/bin/sh", "-c", "helper; echo $PATH"], env: { PATH } },
        { stdin: "ignore", stdout: "pipe", stderr: "ignore" },
      );
      expect(await new Response(child.stdout).text()).toBe("/usr/bin:/bin\n");
    }
  });

  test("opens the browser without running a program from the current directory", async () => {
    script(join(own, "xdg-open"), asks);
    const OUT = join(folder.path, "out");
    const env = { PATH: `.:${own}:/usr/bin:/bin`, OUT, BROWSER: "./helper:helper:bin/helper" };
    expect(await openBrowser(new URL("http://127.0.0.1:9/"), env)).toBe(true);
    expect(readFileSync(OUT, "utf8")).toStartWith("/\n");
  });

  test("is never started by a relative path", () => {
    const start = () =>
      startChild(
        { words: ["./helper"], env: {} },
        { stdin: "ignore", stdout: "ignore", stderr: "ignore" },
      );
    expect(start).toThrow("not an absolute path");
  });
});

describe("a configured command", () => {
  test("is found by bare name in PATH, and its stdout is returned", async () => {
    expect(await run(["printf", "%s", "a b"])).toBe("a b");
  });

  test("runs in the home folder, with stdin closed and our environment", async () => {
    const env = { PATH: "/bin:/usr/bin", VAULT_ADDR: "here" };
    expect(await run(sh("pwd; cat; echo $VAULT_ADDR"), { env })).toBe(`${folder.path}\nhere\n`);
  });

  test("is not taken from the current directory, whatever PATH says", async () => {
    script(join(folder.path, "get-token"), "echo hostile");
    mkdirSync(join(folder.path, "bin"));
    script(join(folder.path, "bin/get-token"), "echo hostile");
    const before = process.cwd();
    process.chdir(folder.path);
    try {
      for (const PATH of ["", ".", ":/bin", "bin:/bin", "./bin", "/bin:"]) {
        const error = await fails(run(["get-token"], { env: { PATH } }));
        expect(error.message).toBe('tokenCommand of server "kb": "get-token" is not in PATH');
      }
      expect((await fails(run(["./get-token"]))).message).toContain("is not in PATH");
    } finally {
      process.chdir(before);
    }
    expect(await run(["get-token"], { env: { PATH: join(folder.path, "bin") } })).toBe("hostile\n");
  });

  test("gets its arguments unchanged, without a shell", async () => {
    expect(await run(["printf", "%s", "$(id); `id` | x"])).toBe("$(id); `id` | x");
  });

  test("that fails shows its stderr, cleaned and without secrets, and not its stdout", async () => {
    const redactor = new Redactor();
    redactor.add("known-secret-1");
    const script = "echo canary-stdout; printf 'no \\033[31mluck known-secret-1\\n' >&2; exit 3";
    const error = await fails(run(sh(script), { redactor }));
    expect(error.kind).toBe("configuration");
    expect(error.message).toBe(
      'tokenCommand of server "kb" failed with exit code 3: no [31mluck ...',
    );
  });

  test("that cannot be started says why", async () => {
    const error = await fails(run(["/no/such/program"]));
    expect(error.message).toBe('tokenCommand of server "kb" could not be started (ENOENT)');
  });

  test("that prints more than 64 KiB is stopped", async () => {
    const error = await fails(run(sh("yes")));
    expect(error.message).toBe('tokenCommand of server "kb" printed more than 64 KiB');
    expect(await run(sh("head -c 65536 /dev/zero | tr '\\0' x"))).toHaveLength(65_536);
  });

  test("that floods stderr is read to its end", async () => {
    expect(await run(sh("head -c 300000 /dev/zero >&2; echo fine"))).toBe("fine\n");
  });

  test("that does not end is killed with its whole process group", async () => {
    const pidFile = join(folder.path, "pid");
    const error = await fails(
      run(sh(`sleep 60 & echo $! > ${pidFile}; sleep 60`), { timeoutMs: 150 }),
    );
    expect(error.message).toBe('tokenCommand of server "kb" did not end within 0.15 s');
    expect(existsSync(pidFile)).toBe(true);
    await gone(Number(readFileSync(pidFile, "utf8")));
  });

  test("that leaves a child holding its stdout open still returns", async () => {
    const pidFile = join(folder.path, "pid");
    expect(await run(sh(`sleep 60 & echo $! > ${pidFile}; echo token`))).toBe("token\n");
    await gone(Number(readFileSync(pidFile, "utf8")));
  });

  test("is killed when the signal is aborted", async () => {
    const controller = new AbortController();
    const waiting = fails(run(sh("sleep 60"), { signal: controller.signal }));
    controller.abort(new Error("left"));
    expect((await waiting).message).toBe("left");
    expect((await fails(run(sh("echo x"), { signal: controller.signal }))).message).toBe("left");
  });

  test("is killed when the bridge exits", async () => {
    const pidFile = join(folder.path, "pid");
    const module = join(import.meta.dir, "../../src/platform/exec.ts");
    const argv = JSON.stringify(sh(`echo $$ > ${pidFile}; sleep 60`));
    const program = `
      import { runCommand } from ${JSON.stringify(module)};
      import { statSync } from "node:fs";
      const signal = new AbortController().signal;
      runCommand({ what: "x", argv: ${argv}, home: "/", env: process.env, redactor: {}, signal });
      const size = () => statSync(${JSON.stringify(pidFile)}, { throwIfNoEntry: false })?.size ?? 0;
      while (size() === 0) await Bun.sleep(2);
      process.exit(0);`;
    expect(await Bun.spawn([process.execPath, "-e", program]).exited).toBe(0);
    await gone(Number(readFileSync(pidFile, "utf8")));
  });
});
