// Faults that scripts/install.sh meets: of the network, the machine's tools, the target folder, the signature.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import { programWords } from "../support/program.ts";
import {
  certificates,
  gzipForms,
  type InstallOptions,
  install,
  name,
  plainForms,
  programOf,
  ReleaseServer,
  script,
  sumOf,
  sumsOf,
} from "../support/release-server.ts";

const version = "2.0.0";
const program = programOf(version);
/** Comments that do not compress, so that a download has several pieces. */
const noise = Array.from({ length: 4000 }, (_, index) => `# ${sumOf(String(index))}\n`).join("");
const largeProgram = `${program}${noise}`;

let folder: ReturnType<typeof ownFolder>;
let server: ReleaseServer;
beforeEach(async () => {
  folder = ownFolder();
  server = await new ReleaseServer().start();
  server.publish(gzipForms(version));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const bin = () => join(folder.path, "bin");
const target = () => join(bin(), name);
const installed = () => readFileSync(target(), "utf8");
const run = (words: readonly string[] = [], options: Partial<InstallOptions> = {}) =>
  install(["--to", bin(), ...words], { home: folder.path, address: server.address, ...options });

/** Puts an executable into the target folder as if it had been installed before. */
function preinstall(content: string, at = target()): void {
  mkdirSync(join(at, ".."), { recursive: true });
  writeFileSync(at, content, { mode: 0o755 });
}

/** Runs a program to its end; throws with its stderr if it fails. */
function output(...words: string[]): string {
  const child = Bun.spawnSync(words, { stdin: "ignore", stderr: "pipe" });
  if (child.exitCode !== 0) throw new Error(`${words.join(" ")}: ${child.stderr}`);
  return child.stdout.toString();
}

const basicTools =
  "uname sed grep tr cut head tail wc mktemp mkdir mv cp rm chmod dirname cat sleep sh".split(" ");

/** Makes a folder for PATH that holds nothing but the given tools; `busybox:TOOL` is BusyBox's. */
function pathWith(...tools: string[]): string {
  const path = join(folder.path, "tools");
  mkdirSync(path);
  for (const tool of tools) {
    const applet = tool.replace(/^busybox:/, "");
    symlinkSync(Bun.which(applet === tool ? tool : "busybox")!, join(path, applet));
  }
  return path;
}

/** GNU wget's configuration with the certificate authority of the server. */
function wgetEnvironment(): Record<string, string> {
  const file = join(folder.path, "wgetrc");
  writeFileSync(file, `ca_certificate = ${join(certificates, "ca.pem")}\n`);
  return { WGETRC: file };
}

describe("in each shell", () => {
  test.each(["dash", "bash --posix", "busybox sh"])("%s", async (shell) => {
    const { code, stderr } = await run([], { command: [...shell.split(" "), script] });
    expect([code, stderr]).toEqual([0, ""]);
    expect(installed()).toBe(program);
  });

  test("with BusyBox's tools alone, beside curl", async () => {
    const tools = [...basicTools, "gzip", "sha256sum"].map((tool) => `busybox:${tool}`);
    const PATH = pathWith(...tools, "curl");
    const { code, stderr } = await run([], {
      env: { PATH },
      command: [Bun.which("busybox")!, "sh", script],
    });
    expect([code, stderr]).toEqual([0, ""]);
    expect(installed()).toBe(program);
  });
});

describe("a missing tool", () => {
  test.each<[string, string[]]>([
    ["curl: wget is used", ["wget", "sha256sum", "gzip"]],
    ["sha256sum: shasum is used", ["curl", "shasum", "perl", "gzip"]],
    ["sha256sum and shasum: openssl is used", ["curl", "openssl", "gzip"]],
  ])("%s", async (_, tools) => {
    const env = { ...wgetEnvironment(), PATH: pathWith(...basicTools, ...tools) };
    const { code, stderr } = await run([], { env });
    expect([code, stderr]).toEqual([0, ""]);
    expect(installed()).toBe(program);
  });

  test.each<[string, string[], string]>([
    ["curl and wget", ["sha256sum", "gzip"], "neither curl nor GNU wget is on PATH"],
    [
      "curl, where wget is BusyBox's",
      ["busybox:wget", "sha256sum", "gzip"],
      "neither curl nor GNU wget is on PATH",
    ],
    [
      "every program for sums",
      ["curl", "gzip"],
      "neither sha256sum nor shasum nor openssl is on PATH",
    ],
    ["every program that unpacks", ["curl", "sha256sum"], "none of zstd, xz and gzip is on PATH"],
  ])("%s: it is named", async (_, tools, error) => {
    const { code, stderr } = await run([], { env: { PATH: pathWith(...basicTools, ...tools) } });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`error: ${error}\nhint: `)]);
    expect(existsSync(target())).toBe(false);
  });

  test.each(basicTools.filter((tool) => tool !== "sh"))("%s: it is named", async (tool) => {
    const others = basicTools.filter((each) => each !== tool);
    const env = { PATH: pathWith(...others, "curl", "sha256sum", "gzip") };
    const { code, stderr } = await run([], { env });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`error: the program ${tool} is not on PATH`),
    ]);
  });
});

describe("a download", () => {
  const path = `${name}-${version}-linux-${process.arch}.gz`;
  /** Sends a part of the executable and drops the connection, as often as asked. */
  const breakAfter = (bytes: number, times: number) => {
    server.handle = ({ path: asked, range }, response) => {
      if (asked !== path || times-- <= 0) return false;
      const from = Number(/\d+/.exec(range ?? "")?.[0] ?? 0);
      const whole = Buffer.from(server.files[path] as Uint8Array);
      const rest = whole.subarray(from);
      const part = { "content-range": `bytes ${from}-${whole.length - 1}/${whole.length}` };
      response.writeHead(from > 0 ? 206 : 200, {
        "content-length": rest.length,
        ...(from > 0 && part),
      });
      response.write(rest.subarray(0, bytes), () => response.socket?.end());
      return true;
    };
  };
  const ranges = () =>
    server.requests.filter((request) => request.path === path).map(({ range }) => range);
  const leftOver = () => readdirSync(bin()).filter((file) => file.endsWith(".part"));

  beforeEach(() => server.publish(gzipForms(version, largeProgram)));

  test.each(["curl", "wget"])("that breaks is taken up again (%s)", async (downloader) => {
    breakAfter(40_000, 2);
    const env = {
      ...wgetEnvironment(),
      PATH: pathWith(...basicTools, downloader, "sha256sum", "gzip"),
    };
    const { code } = await run([], { env });
    expect(code).toBe(0);
    expect(installed()).toBe(largeProgram);
    expect(ranges()).toEqual([undefined, "bytes=40000-", "bytes=80000-"]);
    expect(readdirSync(bin())).toEqual([name]);
  });

  test("that ends for good is continued by the next run", async () => {
    breakAfter(40_000, 1);
    const first = server.handle;
    server.handle = (request, response) => {
      if (first(request, response)) return true;
      if (request.path === path) response.socket?.destroy();
      return request.path === path;
    };
    const { code, stderr } = await run();
    expect(code).toBe(1);
    expect(stderr).toContain("the next run goes on from 40000 bytes");
    expect(leftOver()).toHaveLength(1);
    server.handle = () => false;
    expect((await run()).code).toBe(0);
    expect(ranges().at(-1)).toBe("bytes=40000-");
    expect(installed()).toBe(largeProgram);
    expect(readdirSync(bin())).toEqual([name]);
  });

  test("begins anew where the server cannot send the rest", async () => {
    breakAfter(40_000, 1);
    const first = server.handle;
    server.handle = (request, response) => {
      if (first(request, response)) return true;
      if (request.path !== path) return false;
      response.end(server.files[path]);
      return true;
    };
    expect((await run()).code).toBe(0);
    expect(installed()).toBe(largeProgram);
  });

  test("is not misled by wrong bytes of an earlier run", async () => {
    const expected = sumOf(server.files[path]!);
    const file = `.${name}-${expected}.part`;
    preinstall("wrong", join(bin(), file));
    expect((await run()).stderr).toContain("the SHA-256 of the download is not that of");
    expect(leftOver()).toEqual([]);
    preinstall(noise, join(bin(), file));
    expect((await run()).code).toBe(0);
    expect(installed()).toBe(largeProgram);
  });

  test("that the server cuts short is refused and not kept", async () => {
    server.files[path] = (server.files[path] as Uint8Array).slice(0, 1000);
    const { code, stderr } = await run();
    expect(code).toBe(1);
    expect(stderr).toContain("the SHA-256 of the download is not that of");
    expect(readdirSync(bin())).toEqual([]);
  });

  test("is tried again after an error of the server, and not after a 404", async () => {
    let failures = 2;
    server.handle = ({ path: asked }, response) => {
      if (asked !== path || failures-- <= 0) return false;
      response.writeHead(503).end();
      return true;
    };
    expect((await run()).code).toBe(0);
    expect(ranges()).toHaveLength(3);
    delete server.files[path];
    expect((await run()).stderr).toContain(`${path} could not be downloaded`);
    expect(ranges()).toHaveLength(4);
  });

  test.each(["curl", "wget"])("never takes SHA256SUMS over http (%s)", async (downloader) => {
    await using plain = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(server.files.SHA256SUMS),
    });
    server.handle = ({ path: asked }, response) => {
      if (asked !== "SHA256SUMS") return false;
      response.writeHead(302, { location: plain.url.href }).end();
      return true;
    };
    const env = {
      ...wgetEnvironment(),
      PATH: pathWith(...basicTools, downloader, "sha256sum", "gzip"),
    };
    const { code, stderr } = await run([], { env });
    expect(code).toBe(1);
    expect(stderr).toContain("SHA256SUMS could not be downloaded");
  });
});

test("SHA256SUMS may have carriage returns", async () => {
  const sums = server.files.SHA256SUMS!.replaceAll("\n", "\r\n");
  server.files.SHA256SUMS = sums;
  expect((await run()).code).toBe(0);
  expect(installed()).toBe(program);
});

describe("a signed release", () => {
  let keys: string;
  beforeAll(() => {
    keys = mkdtempSync(join(tmpdir(), "minisign-test-"));
    for (const key of ["own", "other"])
      output(
        "minisign",
        "-G",
        "-W",
        "-p",
        join(keys, `${key}.pub`),
        "-s",
        join(keys, `${key}.key`),
      );
  });
  afterAll(() => rmSync(keys, { recursive: true }));

  /** Signs SHA256SUMS; returns the words that start a script with the key `own` built in. */
  function sign(key: string, ...options: string[]): string[] {
    const sums = join(folder.path, "sums");
    writeFileSync(sums, server.files.SHA256SUMS!);
    output("minisign", "-S", ...options, "-s", join(keys, `${key}.key`), "-m", sums);
    server.files["SHA256SUMS.minisig"] = readFileSync(`${sums}.minisig`);
    const signed = join(folder.path, "install.sh");
    const publicKey = readFileSync(join(keys, "own.pub"), "utf8").split("\n")[1];
    writeFileSync(signed, readFileSync(script, "utf8").replace(/^key=$/m, `key=${publicKey}`));
    return ["sh", signed];
  }
  const tools = [...basicTools, "curl", "sha256sum", "gzip"];

  describe.each(["minisign", "openssl"])("verified by %s", (verifier) => {
    const PATH = () => pathWith(...tools, verifier);

    test.each<[string, string[]]>([
      ["its hash is signed", ["-H"]],
      ["the file itself is signed", ["-l"]],
    ])("is installed if %s", async (_, options) => {
      const command = sign("own", ...options);
      const { code, stderr } = await run([], { command, env: { PATH: PATH() } });
      expect([code, stderr]).toEqual([0, ""]);
      expect(installed()).toBe(program);
    });

    test("is refused if another key signed it", async () => {
      const { code, stderr } = await run([], { command: sign("other"), env: { PATH: PATH() } });
      expect(code).toBe(1);
      expect(stderr).toContain("the signature of SHA256SUMS is not by the key of this release");
      expect(existsSync(target())).toBe(false);
    });

    test.each<[string, string]>([
      ["empty", ""],
      ["not a signature", "untrusted comment: x\nAAAA\ntrusted comment: x\nAAAA\n"],
    ])("is refused if the signature is %s", async (_, text) => {
      const command = sign("own");
      server.files["SHA256SUMS.minisig"] = text;
      const { code } = await run([], { command, env: { PATH: PATH() } });
      expect(code).toBe(1);
      expect(existsSync(target())).toBe(false);
    });

    test("is refused if SHA256SUMS was changed after the signature", async () => {
      const command = sign("own");
      server.publish({ ...server.files, ...gzipForms(version, `${program}# more\n`) });
      const { code, stderr } = await run([], { command, env: { PATH: PATH() } });
      expect([code, existsSync(target())]).toEqual([1, false]);
      expect(stderr).toContain("the signature of SHA256SUMS");
    });
  });

  test("is refused if it has no signature", async () => {
    const command = sign("own");
    delete server.files["SHA256SUMS.minisig"];
    expect((await run([], { command })).stderr).toContain("SHA256SUMS has no signature");
  });

  test("is installed with a warning where nothing can verify it", async () => {
    const command = sign("own");
    const { code, stderr } = await run([], { command, env: { PATH: pathWith(...tools) } });
    expect(code).toBe(0);
    expect(stderr).toContain("warning: the signature of SHA256SUMS was not checked");
  });

  test("is verified offline, with carriage returns, too", async () => {
    const command = sign("own");
    for (const [path, content] of Object.entries(server.files))
      writeFileSync(
        join(folder.path, path),
        path.startsWith("SHA256SUMS") ? String(content).replaceAll("\n", "\r\n") : content,
      );
    const words = ["--from", `${name}-${version}-linux-${process.arch}.gz`];
    const { code, stderr } = await run(words, { command, address: "" });
    expect([code, stderr]).toEqual([0, ""]);
    rmSync(join(folder.path, "SHA256SUMS.minisig"));
    expect((await run(words, { command, address: "" })).stderr).toContain("has no signature");
  });
});

describe("the target folder", () => {
  /**
   * The words that start the script in a mount namespace with a file system of the options at the target folder; `old`
   * is installed there if the file system can be written. At the end the target folder is listed.
   */
  const mounted = (options: string) => {
    mkdirSync(bin());
    const commands = [
      `mount -t tmpfs -o ${options} tmpfs "$0"`,
      `[ ! -w "$0" ] || echo old >"$0/${name}"`,
      'sh "$@"',
      "code=$?",
      'ls -A "$0"',
      "exit $code",
    ];
    return ["unshare", "--mount", "sh", "-c", commands.join("; "), bin(), script];
  };

  test("that is read-only is named", async () => {
    const { code, stderr } = await run([], { command: mounted("ro") });
    expect([code, stderr]).toEqual([
      1,
      `error: the folder ${bin()} cannot be written\nhint: name a folder of yours by --to DIR\n`,
    ]);
  });

  test.each<[string, string]>([
    ["for the download", "size=64k"],
    ["for the unpacked executable", "size=300k"],
  ])("on a full disk says so (%s)", async (_, size) => {
    server.publish(gzipForms(version, largeProgram));
    const { code, stdout, stderr } = await run([], { command: mounted(size) });
    expect(code).toBe(1);
    expect(stderr).toContain("is the disk full?");
    expect(stdout).toEndWith(`.gz\n${name}\n`);
  });

  test("that is mounted noexec is named, and the installed executable stays", async () => {
    const { code, stdout, stderr } = await run([], { command: mounted("noexec") });
    expect(code).toBe(1);
    expect(stderr).toContain("the executable does not run here");
    expect(stdout).toEndWith(`.gz\n${name}\n`);
  });

  test("with a folder of the executable's name is refused", async () => {
    mkdirSync(target(), { recursive: true });
    expect((await run()).stderr).toContain(`error: ${target()} is a folder`);
  });

  test("with spaces and quotes in its name works", async () => {
    const to = join(folder.path, `a b'c"d $e`);
    const { code, stdout } = await run(["--to", to]);
    expect(code).toBe(0);
    expect(stdout).toContain(`next: put ${to} on your PATH\n`);
    expect(readFileSync(join(to, name), "utf8")).toBe(program);
  });

  test("needs HOME or --to", async () => {
    const options = { home: folder.path, address: server.address, env: { HOME: "" } };
    expect((await install([], options)).stderr).toBe(
      "error: HOME is not set\nhint: name a folder by --to DIR\n",
    );
  });
});

describe("the version", () => {
  test.each<[string, string, boolean]>([
    ["1.9.9", "2.0.0", true],
    ["2.0.0", "2.0.0", true],
    ["2.0.0-rc.1", "2.0.0", true],
    ["2.0.0", "2.0.0-rc.1", false],
    ["2.0.1", "2.0.0", false],
    ["2.0.10", "2.0.9", false],
    ["10.0.0", "9.9.9", false],
    ["2.0", "2.0.0", true],
    ["nonsense", "2.0.0", true],
  ])("%s is replaced by %s: %p", async (old, offered, isReplaced) => {
    preinstall(programOf(old));
    server.publish(gzipForms(offered));
    const { code, stderr } = await run();
    expect([code, installed()]).toEqual([
      isReplaced ? 0 : 1,
      programOf(isReplaced ? offered : old),
    ]);
    if (isReplaced) return;
    expect(stderr).toContain(`is version ${old}, which is newer than ${offered}`);
    expect((await run(["--downgrade"])).code).toBe(0);
    expect(installed()).toBe(programOf(offered));
  });

  test("is looked at before the download where the file's name tells it, else before the rename", async () => {
    preinstall(programOf("3.0.0"));
    await run();
    expect(server.requests.map(({ path }) => path)).toEqual(["SHA256SUMS"]);
    server.publish(plainForms(program));
    expect((await run()).stderr).toContain("is version 3.0.0, which is newer than 2.0.0");
    expect(installed()).toBe(programOf("3.0.0"));
  });

  test("may be chosen: the address itself is asked first, then the version's folder", async () => {
    const older = gzipForms("1.5.0");
    const below = Object.entries({ ...older, SHA256SUMS: sumsOf(older) });
    Object.assign(
      server.files,
      Object.fromEntries(below.map(([path, content]) => [`1.5.0/${path}`, content])),
    );
    expect((await run(["--version", "v1.5.0"])).code).toBe(0);
    expect(installed()).toBe(programOf("1.5.0"));
    expect((await run(["--version", "2.0.0"])).code).toBe(0);
    expect(installed()).toBe(program);
    expect((await run(["--version", "7.7.7"])).stderr).toContain("there is no version 7.7.7 at");
    const { code, stderr } = await run(["--version", "1.*"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`"1.*" is not a version`)]);
  });
});

test("an executable that runs goes on running while it is replaced", async () => {
  mkdirSync(bin());
  copyFileSync(programWords[0]!, target());
  chmodSync(target(), 0o755);
  const ask = (id: number) =>
    `{"jsonrpc":"2.0","id":${id},"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n`;
  await using child = Bun.spawn([target(), "run", "--demo"], {
    env: { HOME: folder.path },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  const reader = child.stdout.getReader();
  child.stdin.write(ask(1));
  await child.stdin.flush();
  expect(new TextDecoder().decode((await reader.read()).value)).toContain('"id":1');
  expect((await run()).code).toBe(0);
  expect(installed()).toBe(program);
  child.stdin.write('{"jsonrpc":"2.0","id":2,"method":"ping"}\n');
  await child.stdin.flush();
  expect(new TextDecoder().decode((await reader.read()).value)).toContain('"id":2');
  child.stdin.end();
  expect(await child.exited).toBe(0);
});

describe("the next step", () => {
  test.each<[string, string]>([
    ["/bin/bash", `echo 'export PATH="$HOME/bin:$PATH"' >>~/.bashrc, then open a new terminal`],
    ["/usr/bin/zsh", `echo 'export PATH="$HOME/bin:$PATH"' >>~/.zshrc, then open a new terminal`],
    ["/usr/bin/fish", `fish_add_path "$HOME/bin"`],
    ["/bin/dash", `echo 'export PATH="$HOME/bin:$PATH"' >>~/.profile, then open a new terminal`],
  ])("in %s puts the folder on PATH", async (SHELL, line) => {
    expect((await run([], { env: { SHELL } })).stdout).toContain(`next: ${line}\n`);
  });

  test("is setup alone if the folder is on PATH", async () => {
    const env = { PATH: `${process.env.PATH}:${bin()}` };
    expect((await run([], { env })).stdout).toEndWith(
      `(${name} ${version})\nnext: ${name} setup\n`,
    );
  });

  test("warns about another copy that comes first on PATH", async () => {
    const other = join(folder.path, "other", name);
    preinstall(programOf("0.1.0"), other);
    const env = { PATH: `${join(folder.path, "other")}:${process.env.PATH}:${bin()}` };
    expect((await run([], { env })).stderr).toBe(
      `warning: another copy comes first on your PATH: ${other} (version 0.1.0)\n`,
    );
    const after = { PATH: `${bin()}:${process.env.PATH}:${join(folder.path, "other")}` };
    expect((await run([], { env: after })).stderr).toBe("");
  });
});

describe("completions and manual page", () => {
  const extras = [
    `bash-completion/completions/${name}`,
    `fish/vendor_completions.d/${name}.fish`,
    `man/man1/${name}.1`,
    `zsh/site-functions/_${name}`,
  ];
  const share = () => join(folder.path, "share");
  const shared = () =>
    readdirSync(share(), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(share().length + 1))
      .sort();

  test("are installed beside the folder bin where share exists, and removed with the executable", async () => {
    const printing = `${program}[ "$1" = --version ] || echo "$@"\n`;
    server.publish(gzipForms(version, printing));
    mkdirSync(join(share(), "zsh/site-functions"), { recursive: true });
    expect((await run()).stderr).toBe("");
    expect(shared()).toEqual(extras);
    expect(readFileSync(join(share(), extras[2]!), "utf8")).toContain("completions man");
    writeFileSync(join(share(), "man/man1/other.1"), "");
    const { code, stdout } = await run(["--uninstall"], { address: "" });
    expect(code).toBe(0);
    expect(stdout).toStartWith(`removed ${target()}\n`);
    expect([shared(), readdirSync(bin())]).toEqual([["man/man1/other.1"], []]);
  });

  test("that cannot be written are a warning", async () => {
    mkdirSync(share());
    writeFileSync(join(share(), "man"), "a file");
    const { code, stderr } = await run();
    expect(code).toBe(0);
    expect(stderr).toBe(`warning: ${share()}/man/man1/${name}.1 could not be written\n`);
  });
});

describe("--uninstall", () => {
  test("names the folder of the configuration, which stays", async () => {
    preinstall(program);
    mkdirSync(join(folder.path, ".codex-mcp-bridge"));
    const { code, stdout } = await run(["--uninstall"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`kept ${folder.path}/.codex-mcp-bridge, which holds`);
    expect(existsSync(join(folder.path, ".codex-mcp-bridge"))).toBe(true);
  });

  test("leaves everything in place where the folder is read-only", async () => {
    preinstall(program);
    mkdirSync(join(folder.path, "share/man/man1"), { recursive: true });
    writeFileSync(join(folder.path, `share/man/man1/${name}.1`), "");
    const readOnly = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec sh "$@"';
    const command = ["unshare", "--mount", "sh", "-c", readOnly, bin(), script];
    const { code, stderr } = await run(["--uninstall"], { command });
    expect([code, stderr]).toEqual([
      1,
      `error: ${target()} could not be removed\nhint: its folder must be writable\n`,
    ]);
    expect(readdirSync(join(folder.path, "share/man/man1"))).toEqual([`${name}.1`]);
  });

  test("names another copy if nothing is installed there", async () => {
    const other = join(folder.path, "other", name);
    preinstall(program, other);
    const env = { PATH: `${join(folder.path, "other")}:${process.env.PATH}` };
    const { code, stderr } = await run(["--uninstall"], { env });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error: ${target()} does not exist\nhint: there is ${other}: name its folder by --to DIR\n`,
    );
  });
});

test("macOS x64: the executable is signed anew before it runs", async () => {
  const stubs = join(folder.path, "stubs");
  mkdirSync(stubs);
  writeFileSync(join(stubs, "uname"), '#!/bin/sh\n[ "$1" = -s ] && echo Darwin || echo x86_64\n', {
    mode: 0o755,
  });
  writeFileSync(
    join(stubs, "codesign"),
    '#!/bin/sh\nfor file; do :; done\necho "# $1 $2 $3" >>"$file"\n',
    { mode: 0o755 },
  );
  server.publish({ [`${name}-${version}-darwin-x64.gz`]: Bun.gzipSync(Buffer.from(program)) });
  const env = { PATH: `${stubs}:${process.env.PATH}`, SHELL: "/bin/bash" };
  const { code, stdout } = await run([], { env });
  expect(code).toBe(0);
  expect(installed()).toBe(`${program}# --force --sign -\n`);
  expect(stdout).toContain(">>~/.bash_profile");
});
