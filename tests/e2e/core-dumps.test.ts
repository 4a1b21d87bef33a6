// A crash must not leave a file with the token in the folder that Codex works in.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { programWords } from "../support/program.ts";
import { serveHttp } from "../support/serve-http.ts";

let folder: ReturnType<typeof ownFolder>;
let cwd: string;
beforeEach(() => {
  folder = ownFolder();
  cwd = join(folder.path, "repository");
  mkdirSync(cwd);
});
afterEach(() => folder[Symbol.dispose]());

const initialize =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n';

/** Starts words in the repository, as a shell that wants core dumps does. */
function start(words: readonly string[]) {
  return Bun.spawn(["/bin/sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh", ...words], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: folder.path },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
}

const softLimit = (pid: number) =>
  /^Max core file size\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1];

async function untilForbidden(pid: number): Promise<void> {
  // Before that it is the shell, which had no limit raised yet.
  while (!readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(programWords[0]!))
    await Bun.sleep(1);
  while (softLimit(pid) !== "0") await Bun.sleep(5);
}

function configure(url: URL): string {
  const file = join(folder.path, "config.json");
  const servers = { kb: { url: url.href, token: "canary-token-in-memory" } };
  writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  return file;
}

const silent = () => serveHttp(() => new Promise<Response>(() => undefined));
const dumps = () => readdirSync(cwd).filter((name) => name.startsWith("core"));

/** Whether this machine writes the core dump of a crash into the current directory. */
async function writesDumps(): Promise<boolean> {
  const child = start(["/bin/sh", "-c", "kill -ABRT $$"]);
  await child.exited;
  const found = dumps().length > 0;
  Bun.spawnSync(["/bin/sh", "-c", "rm -f core*"], { cwd });
  return found;
}

describe.if(process.platform === "linux")("a crash leaves no core dump", () => {
  test("of run, after its first answer", async () => {
    const isWritten = await writesDumps();
    await using child = start([...programWords, "run", "--demo"]);
    child.stdin.write(initialize);
    await child.stdout.getReader().read();
    await untilForbidden(child.pid);
    child.kill("SIGABRT");
    await child.exited;
    expect(dumps()).toEqual([]);
    // What this proves depends on the machine; the limit holds on each.
    if (isWritten) expect(child.signalCode).not.toBeNull();
  });

  test("of run whose client sends nothing", async () => {
    await using child = start([...programWords, "run", "--demo"]);
    await untilForbidden(child.pid);
  });

  test("of another command", async () => {
    const words = ["test", "--config-path", configure(silent()), "--server", "kb"];
    await using child = start([...programWords, ...words]);
    await untilForbidden(child.pid);
    child.kill("SIGABRT");
    await child.exited;
    expect(dumps()).toEqual([]);
  });

  test("the kernel is told so: the process is not dumpable", async () => {
    const program = `
      import { dlopen } from "bun:ffi";
      import { forbidCoreDumps } from ${JSON.stringify(join(import.meta.dir, "../../src/platform/core-dumps.ts"))};
      const failed = [];
      forbidCoreDumps({ debug: (event) => failed.push(event) });
      const args = ["i32", "u64", "u64", "u64", "u64"];
      const open = (name) => {
        try { return dlopen(name, { prctl: { args, returns: "i32" } }); } catch { return undefined; }
      };
      const names = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
      const { prctl } = names.map(open).find((each) => each !== undefined).symbols;
      // PR_GET_DUMPABLE
      console.log(JSON.stringify([prctl(3, 0, 0, 0, 0), failed]));`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
    expect([await child.stdout.text(), await child.stderr.text()]).toEqual(["[0,[]]\n", ""]);
  });
});
