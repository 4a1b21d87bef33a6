import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
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
import { startEverything } from "../support/everything.ts";
import { ownFolder } from "../support/folder.ts";
import { bridgeHome, startRun } from "../support/oauth-bridge.ts";
import { endOf } from "../support/program.ts";
import { startRegistry } from "./support/registry.ts";

const root = join(import.meta.dir, "../..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const program = "codex-mcp-http-bridge";
const work = mkdtempSync(join(tmpdir(), "release-test-"));
const release = join(work, "one/dist/release");

interface ProgramResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(
  words: readonly string[],
  {
    env = {},
    cwd = work,
    stdin = "",
  }: { env?: Record<string, string>; cwd?: string; stdin?: string } = {},
): Promise<ProgramResult> {
  await using child = Bun.spawn([...words], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: work, ...env },
    stdin: new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const { code, stdout: out, stderr: err } = await endOf(child);
  return { code, out, err };
}

/** Runs a program and returns its stdout. Throws if it fails. */
async function output(
  words: readonly string[],
  options: Parameters<typeof run>[1] = {},
): Promise<string> {
  const { code, out, err } = await run(words, options);
  if (code !== 0) throw new Error(`${words.join(" ")} ended with ${code}: ${out}${err}`);
  return out;
}

/** Clones the repository, with links to the installed packages; returns the clone's folder. */
async function clone(name: string): Promise<string> {
  const folder = join(work, name);
  await output(["git", "clone", "--quiet", root, folder]);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  symlinkSync(
    join(root, "packaging/runtimes/node_modules"),
    join(folder, "packaging/runtimes/node_modules"),
  );
  return folder;
}

const key = join(work, "minisign.key");
const publicKey = join(work, "minisign.pub");
/** Normal compression takes minutes, and no test depends on it. The address exists in network namespaces of tests. */
const quick = {
  RELEASE_EFFORT: "quick",
  CODEX_MCP_BRIDGE_RELEASES: "https://127.0.0.1:8443/releases",
};
/** Result of the release that is made without a signing key. */
let unsigned: ProgramResult;

beforeAll(async () => {
  await output(["minisign", "-G", "-W", "-p", publicKey, "-s", key]);
  const [one, two] = [await clone("one"), await clone("two")];
  const words = ["sh", "scripts/release.sh", "linux-x64"];
  [, unsigned] = await Promise.all([
    output(words, { cwd: one, env: { ...quick, RELEASE_MINISIGN_KEY: key } }),
    run(words, {
      cwd: two,
      env: {
        ...quick,
        RELEASE_MINISIGN_PUBLIC_KEY: readFileSync(publicKey, "utf8").split("\n")[1]!,
        TZ: "Asia/Tokyo",
      },
    }),
  ]);
}, 600_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const inRelease = (name: string) => join(release, name);
const executable = `${program}-${version}-linux-x64`;

/** Expects the program to print its version and to pass `demo`. */
async function works(
  words: readonly string[],
  options: Parameters<typeof run>[1] = {},
): Promise<void> {
  expect(await output([...words, "--version"], options)).toBe(`${program} ${version}\n`);
  expect(await output([...words, "demo"], options)).toContain("All 7 steps passed");
}

describe("a release", () => {
  test("is reproducible: a release made in another folder and time zone differs only in the signature", () => {
    expect(unsigned.code).toBe(0);
    const other = join(work, "two/dist/release");
    const files = filesBelow(release).filter((name) => name !== "SHA256SUMS.minisig");
    expect(filesBelow(other)).toEqual(files);
    const differing = files.filter((name) => sha256(inRelease(name)) !== sha256(join(other, name)));
    expect(differing).toEqual([]);
  });

  test("warns that it is not signed if no key is given", () => {
    expect(unsigned.err).toContain("WARNING: this release is not signed");
  });

  test("is signed with the given key", async () => {
    const words = ["minisign", "-V", "-p", publicKey, "-m", inRelease("SHA256SUMS")];
    expect(await output(words)).toContain("Signature and comment signature verified");
  });

  test("lists the checksum of every file in SHA256SUMS", async () => {
    await output(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd: release });
    const listed = readFileSync(inRelease("SHA256SUMS"), "utf8")
      .trim()
      .split("\n")
      .map((line) => line.slice(66));
    const files = filesBelow(release).filter((name) => !name.startsWith("SHA256SUMS"));
    expect(listed.sort()).toEqual(files);
  });

  test("is refused if the work tree has uncommitted changes", async () => {
    writeFileSync(join(work, "two/new-file"), "");
    const { code, err } = await run(["sh", "scripts/release.sh", "linux-x64"], {
      cwd: join(work, "two"),
    });
    expect(code).toBe(1);
    expect(err).toContain("there are changes that no commit holds");
  });

  test.each(["gz", "xz", "zst"])(
    "contains the executable as .%s, which install.sh installs",
    async (ending) => {
      const folder = join(work, `from-${ending}`);
      const file = inRelease(`${executable}.${ending}`);
      await output(["sh", inRelease("install.sh"), "--from", file, "--to", folder]);
      await works([join(folder, program)]);
    },
  );

  test("contains a .tar.gz with the executable, licences, completions and man page", async () => {
    await output(["tar", "-xzf", inRelease(`${executable}.tar.gz`)]);
    expect(filesBelow(join(work, executable))).toEqual([
      "LICENSE",
      "README.md",
      "THIRD-PARTY-LICENSES",
      program,
      `completions/_${program}`,
      `completions/${program}.bash`,
      `completions/${program}.fish`,
      `completions/${program}.ps1`,
      `man/${program}.1`,
    ]);
    await works([join(work, executable, program)]);
  });

  test("lists bundled packages with their hashes in the bill of materials", () => {
    const bom = JSON.parse(readFileSync(inRelease(`${program}.cdx.json`), "utf8"));
    expect(bom.specVersion).toBe("1.6");
    const names = bom.components.map(({ name }: { name: string }) => name);
    expect(names).toContain("bun");
    for (const name of ["citty", "valibot", "oauth4webapi", "@clack/prompts"])
      expect(names).toContain(name);
    for (const { name, hashes } of bom.components)
      if (name !== "bun") expect(hashes[0].content).toMatch(/^[0-9a-f]{128}$/);
  });

  test("names the commit and every file's checksum in the provenance", async () => {
    const { subject, predicate } = JSON.parse(
      readFileSync(inRelease("provenance.intoto.json"), "utf8"),
    );
    const commit = (await output(["git", "rev-parse", "HEAD"], { cwd: join(work, "one") })).trim();
    expect(predicate.buildDefinition.externalParameters.commit).toBe(commit);
    for (const { name, digest } of subject) expect(digest.sha256).toBe(sha256(inRelease(name)));
    expect(subject.length).toBeGreaterThan(10);
  });
});

describe("install.sh of a release", () => {
  /** Runs a shell script in a network namespace without any address but loopback, in an empty home. */
  async function inNamespace(name: string, script: string): Promise<string> {
    const home = join(work, name);
    mkdirSync(home);
    const words = ["unshare", "--map-root-user", "--net", "sh", "-euc", script];
    return await output(words, {
      cwd: home,
      env: {
        HOME: home,
        RELEASE: release,
        BUN: process.execPath,
        SERVER: join(import.meta.dir, "support/serve-release.ts"),
        CURL_CA_BUNDLE: join(root, "tests/fault/certificates/ca.pem"),
      },
    });
  }

  test("downloads, verifies the signature and installs in a network namespace", async () => {
    const said = await inNamespace(
      "namespace-online",
      `ip link set lo up
      mkfifo ready
      "$BUN" "$SERVER" "$RELEASE" 8443 >ready &
      trap 'kill $!' EXIT
      read -r _ <ready
      curl -fsSL ${quick.CODEX_MCP_BRIDGE_RELEASES}/install.sh | sh
      .local/bin/${program} demo`,
    );
    expect(said).toContain(`installed ${work}/namespace-online/.local/bin/${program}`);
    expect(said).toContain("All 7 steps passed");
  });

  test("installs from carried files where there is no network", async () => {
    const said = await inNamespace(
      "namespace-offline",
      `cp "$RELEASE"/SHA256SUMS* "$RELEASE/install.sh" "$RELEASE/${executable}.xz" .
      sh install.sh --from ${executable}.xz
      ip link set lo up; .local/bin/${program} demo`,
    );
    expect(said).toContain(`installed ${work}/namespace-offline/.local/bin/${program}`);
    expect(said).toContain("All 7 steps passed");
  });

  test("refuses a release whose sums were changed after the signature", async () => {
    const changed = join(work, "changed");
    mkdirSync(changed);
    for (const name of ["SHA256SUMS", "SHA256SUMS.minisig", "install.sh", `${executable}.gz`])
      copyFileSync(inRelease(name), join(changed, name));
    appendFileSync(join(changed, "SHA256SUMS"), `${"0".repeat(64)}  more\n`);
    const words = ["--from", join(changed, `${executable}.gz`), "--to", join(work, "never")];
    const { code, err } = await run(["sh", join(changed, "install.sh"), ...words]);
    expect(code).toBe(1);
    expect(err).toContain("the signature of SHA256SUMS is not by the key of this release");
  });
});

describe("a program installed from a release", () => {
  test("npx installs this platform's package, and the launcher passes on arguments and exit code", async () => {
    await using registry = startRegistry(
      ["codex-mcp-http-bridge", "codex-mcp-http-bridge-linux-x64"].map((name) => ({
        name,
        file: inRelease(`${name}-${version}.tgz`),
      })),
    );
    const env = {
      npm_config_registry: registry.url,
      npm_config_cache: join(work, "npm"),
      npm_config_update_notifier: "false",
    };
    const folder = join(work, "npx");
    mkdirSync(folder);
    const npx = ["npx", "--yes", program];
    await works(npx, { env, cwd: folder });
    const { code, err } = await run([...npx, "run", "--unknown"], { env, cwd: folder });
    expect({ code, err }).toMatchObject({ code: 2 });
  });

  test("the npm launcher passes on the end of input and SIGTERM", async () => {
    const folder = join(work, "npm-install/node_modules");
    for (const name of [program, `${program}-linux-x64`]) {
      mkdirSync(join(folder, name), { recursive: true });
      await output([
        "tar",
        "-xzf",
        inRelease(`${name}-${version}.tgz`),
        "-C",
        join(folder, name),
        "--strip-components=1",
      ]);
    }
    const words = ["node", join(folder, program, "bin/codex-mcp-http-bridge.cjs"), "run", "--demo"];
    const ask =
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n';
    const { code, out } = await run(words, { stdin: ask });
    expect(code).toBe(0);
    expect(JSON.parse(out).result.serverInfo.name).toBeString();
    await using child = Bun.spawn(words, {
      env: { PATH: process.env.PATH ?? "", HOME: work },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
    });
    child.stdin.write(ask);
    await child.stdin.flush();
    const reader = child.stdout.getReader();
    expect((await reader.read()).done).toBe(false);
    child.kill("SIGTERM");
    // Bun reports 128 + the signal's number both for this exit code and for a death by SIGTERM (15).
    expect(await child.exited).toBe(128 + 15);
  });

  test("the bundle for Claude Desktop is valid, asks for URL and token, and serves what is typed in", async () => {
    const bundle = inRelease(`${executable}.mcpb`);
    const folder = join(work, "mcpb");
    const mcpb = ["node", join(import.meta.dir, "node_modules/@anthropic-ai/mcpb/dist/cli/cli.js")];
    await output([...mcpb, "unpack", bundle, folder]);
    expect(await output([...mcpb, "validate", join(folder, "manifest.json")])).toContain("valid");
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
    const { url, token } = manifest.user_config;
    expect([url.required, token.required, token.sensitive]).toEqual([true, false, true]);
    await using server = await startEverything("streamableHttp");
    const typed: Record<string, string> = { url: server.url, token: token.default };
    // As Claude Desktop fills in the manifest.
    const filled = (text: string) =>
      text
        .replaceAll("${__dirname}", folder)
        .replace(/\$\{user_config\.(\w+)\}/g, (_, name) => typed[name]!);
    const { command, args, env } = manifest.server.mcp_config;
    const ask =
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n';
    const words = [filled(command), ...args.map(filled)];
    const variables = Object.entries(env as Record<string, string>).map(([name, value]) => [
      name,
      filled(value),
    ]);
    const { out, err } = await run(words, { stdin: ask, env: Object.fromEntries(variables) });
    expect(JSON.parse(out).result?.serverInfo.name, err).toBeString();
  });

  test("pip installs the executable into the environment's bin folder, and python -m starts it", async () => {
    const venv = join(work, "venv");
    await output(["python3", "-m", "venv", venv]);
    const file = filesBelow(release).find((name) => name.endsWith(".whl"))!;
    await output([
      join(venv, "bin/pip"),
      "install",
      "--quiet",
      "--no-index",
      "--disable-pip-version-check",
      inRelease(file),
    ]);
    await works([join(venv, "bin", program)]);
    await works([join(venv, "bin/python"), "-m", "codex_mcp_http_bridge"]);
    const { code } = await run([
      join(venv, "bin/python"),
      "-m",
      "codex_mcp_http_bridge",
      "run",
      "--unknown",
    ]);
    expect(code).toBe(2);
  });

  test("an old entry, python -m codex_mcp_http_bridge run --server NAME, carries a call", async () => {
    await using everything = await startEverything("streamableHttp");
    using folder = ownFolder();
    const home = await bridgeHome(folder.path, { url: everything.url });
    const python = [join(work, "venv/bin/python"), "-m", "codex_mcp_http_bridge"];
    const child = await startRun(home, [], python);
    const params = '{"name":"echo","arguments":{"message":"by Python"}}';
    const { result } = await child.request("tools/call", params);
    expect(result).toMatchObject({ content: [{ text: "Echo: by Python" }] });
    expect(await child.end()).toBe(0);
  });

  test("uvx installs and starts it from the wheel", async () => {
    const tools = join(work, "uv");
    await output(["python3", "-m", "venv", tools]);
    const pip = [join(tools, "bin/pip"), "install", "--quiet", "--disable-pip-version-check"];
    await output([...pip, "uv==0.13.9"]);
    const offline = ["--offline", "--no-index", "--find-links", release];
    await works([join(tools, "bin/uvx"), ...offline, "--from", program, program]);
  }, 180_000);

  test("dpkg installs and removes the Debian package", async () => {
    const target = join(work, "debian");
    mkdirSync(join(target, "var/lib/dpkg/updates"), { recursive: true });
    mkdirSync(join(target, "var/lib/dpkg/info"));
    writeFileSync(join(target, "var/lib/dpkg/status"), "");
    const dpkg = ["dpkg", `--root=${target}`, "--force-depends", "--log=/dev/null"];
    await output([...dpkg, "--install", inRelease(`${program}_${version}_amd64.deb`)]);
    await works([join(target, "usr/bin", program)]);
    expect(filesBelow(join(target, "usr/share"))).toContain(`man/man1/${program}.1.gz`);
    await output([...dpkg, "--purge", program]);
    expect(filesBelow(target).filter((name) => name.startsWith("usr/"))).toEqual([]);
  });

  test("the image runs as an arbitrary user on a read-only root", async () => {
    const image = inRelease("image");
    const inspected = JSON.parse(await output(["skopeo", "inspect", `oci:${image}:${version}`]));
    expect(inspected).toMatchObject({ Architecture: "amd64", Os: "linux" });
    const bundle = join(work, "bundle");
    await output(["umoci", "unpack", "--image", `${image}:${version}-amd64`, bundle]);
    const rootfs = join(bundle, "rootfs");
    // Does as a container runtime: mounts /proc and /dev, a read-only root, and a user that owns no file of the image.
    const script =
      'mount --bind "$0" "$0"; mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount -t tmpfs tmp "$0/tmp"; ' +
      'mount -o remount,bind,ro "$0"; exec chroot --userspec=12345:12345 "$0" "$@"';
    const unshared = ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", script, rootfs];
    const inside = [...unshared, `/usr/bin/${program}`];
    expect(await output([...inside, "--version"], { env: { HOME: "/home/nonroot" } })).toBe(
      `${program} ${version}\n`,
    );
    const ask =
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n';
    const answer = await output([...inside, "run", "--demo"], {
      stdin: ask,
      env: { HOME: "/home/nonroot" },
    });
    expect(JSON.parse(answer).result.serverInfo.name).toBeString();
  });
});
