// scripts/install.sh against a release address on loopback.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";

const script = join(import.meta.dir, "../../scripts/install.sh");
const certificates = join(import.meta.dir, "../fault/certificates");
const name = "codex-mcp-http-bridge";
const program = `#!/bin/sh\necho ${name} 9.9.9\n`;
const sumOf = (text: string | Uint8Array) =>
  new Bun.CryptoHasher("sha256").update(text).digest("hex");

let folder: ReturnType<typeof ownFolder>;
let server: ReturnType<typeof Bun.serve>;
/** What the release address serves, by path. */
let files: Record<string, string | Uint8Array<ArrayBuffer>>;
beforeEach(() => {
  folder = ownFolder();
  files = {};
  for (const platform of ["linux-x64", "linux-x64-musl", "linux-arm64", "linux-arm64-musl"])
    files[`/releases/${platform}/${name}`] = program;
  publish();
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: {
      cert: readFileSync(join(certificates, "good.pem")),
      key: readFileSync(join(certificates, "good.key")),
    },
    fetch(request) {
      const text = files[new URL(request.url).pathname];
      return text === undefined ? new Response("", { status: 404 }) : new Response(text);
    },
  });
});
afterEach(async () => {
  await server.stop(true);
  folder[Symbol.dispose]();
});

function publish(): void {
  const lines = Object.entries(files).map(
    ([path, text]) => `${sumOf(text)}  ${path.slice("/releases/".length)}\n`,
  );
  files["/releases/SHA256SUMS"] = lines.join("");
}

async function install(words: readonly string[], env: Record<string, string> = {}, text?: string) {
  const child = Bun.spawn(["sh", ...(text === undefined ? [script] : ["-s", "--"]), ...words], {
    env: {
      PATH: process.env.PATH ?? "",
      HOME: folder.path,
      CURL_CA_BUNDLE: join(certificates, "ca.pem"),
      CODEX_MCP_BRIDGE_RELEASES: `https://127.0.0.1:${server.port}/releases/`,
      ...env,
    },
    cwd: folder.path,
    stdin: text === undefined ? "ignore" : new TextEncoder().encode(text),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}

const bin = () => join(folder.path, "bin");
const installed = () => readFileSync(join(bin(), name), "utf8");

test("downloads the executable of this machine, checks it and puts it into the folder", async () => {
  const { code, stdout, stderr } = await install(["--to", bin()]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toBe(
    `installed ${bin()}/${name} (${name} 9.9.9)\nnext: put ${bin()} on your PATH, then ${name} setup\n`,
  );
  expect(installed()).toBe(program);
  expect(statSync(join(bin(), name)).mode & 0o777).toBe(0o755);
  expect(readdirSync(bin())).toEqual([name]);
});

test("takes a compressed executable of a release, downloaded or carried here", async () => {
  const packed = Bun.gzipSync(new TextEncoder().encode(program));
  files = {};
  for (const platform of ["linux-x64", "linux-x64-musl", "linux-arm64", "linux-arm64-musl"])
    files[`/releases/${name}-9.9.9-${platform}.gz`] = packed;
  publish();
  const { code, stderr } = await install(["--to", bin()]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(installed()).toBe(program);
  expect(readdirSync(bin())).toEqual([name]);
  const carried = join(folder.path, `${name}-9.9.9-linux-${process.arch}.gz`);
  writeFileSync(carried, packed);
  writeFileSync(join(folder.path, "SHA256SUMS"), String(files["/releases/SHA256SUMS"]));
  const words = ["--from", carried, "--to", "elsewhere"];
  expect((await install(words, { CODEX_MCP_BRIDGE_RELEASES: "" })).code).toBe(0);
  expect(readFileSync(join(folder.path, "elsewhere", name), "utf8")).toBe(program);
});

test("runs from a pipe, and installs below HOME if no folder is given", async () => {
  const { code, stdout } = await install([], {}, readFileSync(script, "utf8"));
  expect(code).toBe(0);
  expect(stdout).toStartWith(`installed ${folder.path}/.local/bin/${name}`);
});

test("does nothing if the script itself is truncated", async () => {
  const whole = readFileSync(script, "utf8");
  for (let part = 1; part < 20; part++) {
    const abandon = whole.slice(0, Math.floor(((whole.length - 12) * part) / 19));
    await install(["--to", bin()], {}, abandon);
    expect(readdirSync(folder.path)).toEqual([]);
  }
});

test.each<[string, () => Record<string, string>, string]>([
  [
    "a file that was changed",
    () => {
      for (const path of Object.keys(files)) if (path.endsWith(name)) files[path] += "# more\n";
      return {};
    },
    "the SHA-256 of the download is not that of",
  ],
  [
    "the file of another platform",
    () => {
      const other = `#!/bin/sh\necho other\n`;
      for (const path of Object.keys(files)) if (path.endsWith(name)) files[path] = other;
      files[`/releases/darwin-arm64/${name}`] = other;
      const sums = files["/releases/SHA256SUMS"];
      files["/releases/SHA256SUMS"] = `${sums}${sumOf(other)}  darwin-arm64/${name}\n`;
      return {};
    },
    "the SHA-256 of the download is not that of",
  ],
  [
    "no sums",
    () => {
      delete files["/releases/SHA256SUMS"];
      return {};
    },
    "could not be downloaded",
  ],
  ["http", () => ({ CODEX_MCP_BRIDGE_RELEASES: "http://127.0.0.1:9/" }), "not an https address"],
  ["no address", () => ({ CODEX_MCP_BRIDGE_RELEASES: "" }), "no address to download from is set"],
  ["a certificate of nobody", () => ({ CURL_CA_BUNDLE: "/dev/null" }), "could not be downloaded"],
])("refuses %s and keeps the installed executable", async (_, spoil, said) => {
  mkdirSync(bin());
  writeFileSync(join(bin(), name), "old");
  const { code, stderr } = await install(["--to", bin()], spoil());
  expect(code).not.toBe(0);
  expect(stderr).toContain(said);
  expect(installed()).toBe("old");
  expect(readdirSync(bin())).toEqual([name]);
});

test("installs offline from a local executable with its checksum file", async () => {
  const offline = { CODEX_MCP_BRIDGE_RELEASES: "" };
  const carried = join(folder.path, "stick", name);
  mkdirSync(join(folder.path, "stick"));
  writeFileSync(carried, program);
  const words = ["--from", carried, "--to", "bin"];
  expect((await install(words, offline)).stderr).toContain("there is no SHA256SUMS beside");
  expect(readdirSync(folder.path)).toEqual(["stick"]);
  writeFileSync(join(folder.path, "stick/SHA256SUMS"), `${sumOf(program)}  ${name}\n`);
  expect((await install(words, offline)).code).toBe(0);
  expect(installed()).toBe(program);
  writeFileSync(carried, `${program}# more\n`);
  expect((await install(words, offline)).stderr).toContain("is not that of");
  expect(installed()).toBe(program);
});
