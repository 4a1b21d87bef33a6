// scripts/install.sh against a release address on loopback; its faults are in tests/ship/install.test.ts.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../support/folder.ts";
import {
  gzipForms,
  install,
  name,
  plainForms,
  programOf,
  ReleaseServer,
  script,
  sumOf,
  sumsOf,
} from "../support/release-server.ts";

const program = programOf("9.9.9");
let folder: ReturnType<typeof ownFolder>;
let server: ReleaseServer;
beforeEach(async () => {
  folder = ownFolder();
  server = await new ReleaseServer().start();
  server.publish(plainForms(program));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const run = (words: readonly string[], env: Record<string, string> = {}) =>
  install(words, { home: folder.path, address: server.address, env });
const pipe = (words: readonly string[], stdin: string) =>
  install(words, {
    home: folder.path,
    address: server.address,
    command: ["sh", "-s", "--"],
    stdin,
  });
const bin = () => join(folder.path, "bin");
const installed = () => readFileSync(join(bin(), name), "utf8");

test("downloads the executable of this machine, checks it and puts it into the folder", async () => {
  const { code, stdout, stderr } = await run(["--to", bin()], { SHELL: "/bin/bash" });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.split("\n")).toEqual([
    expect.stringMatching(/^downloading https:.*\/releases\/linux-[^ ]*$/),
    `installed ${bin()}/${name} (${name} 9.9.9)`,
    `next: echo 'export PATH="$HOME/bin:$PATH"' >>~/.bashrc, then open a new terminal`,
    `next: ${name} setup`,
    "",
  ]);
  expect(installed()).toBe(program);
  expect(statSync(join(bin(), name)).mode & 0o777).toBe(0o755);
  expect(readdirSync(bin())).toEqual([name]);
});

test("takes a compressed executable of a release, downloaded or carried here", async () => {
  const files = gzipForms("9.9.9");
  server.publish(files);
  const { code, stderr } = await run(["--to", bin()]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(installed()).toBe(program);
  expect(readdirSync(bin())).toEqual([name]);
  const file = `${name}-9.9.9-linux-${process.arch}.gz`;
  writeFileSync(join(folder.path, file), files[file]!);
  writeFileSync(join(folder.path, "SHA256SUMS"), sumsOf(files));
  const words = ["--from", file, "--to", "elsewhere"];
  expect((await run(words, { CODEX_MCP_BRIDGE_RELEASES: "" })).code).toBe(0);
  expect(readFileSync(join(folder.path, "elsewhere", name), "utf8")).toBe(program);
});

test("runs from a pipe, and installs below HOME if no folder is given", async () => {
  const { code, stdout } = await pipe([], readFileSync(script, "utf8"));
  expect(code).toBe(0);
  expect(stdout).toContain(`\ninstalled ${folder.path}/.local/bin/${name}`);
});

test("does nothing if the script itself is truncated", async () => {
  const whole = readFileSync(script, "utf8");
  for (let part = 1; part < 20; part++) {
    await pipe(["--to", bin()], whole.slice(0, Math.floor(((whole.length - 12) * part) / 19)));
    expect(readdirSync(folder.path)).toEqual([]);
  }
});

test.each<[string, () => Record<string, string>, string]>([
  [
    "a file that was changed",
    () => {
      const { SHA256SUMS } = server.files;
      server.files = { ...plainForms(`${program}# more\n`), SHA256SUMS: SHA256SUMS! };
      return {};
    },
    "the SHA-256 of the download is not that of",
  ],
  [
    "the file of another platform",
    () => {
      const other = `#!/bin/sh\necho other\n`;
      const sums = `${server.files.SHA256SUMS}${sumOf(other)}  darwin-arm64/${name}\n`;
      server.files = { ...plainForms(other), SHA256SUMS: sums };
      return {};
    },
    "the SHA-256 of the download is not that of",
  ],
  [
    "no sums",
    () => {
      delete server.files.SHA256SUMS;
      return {};
    },
    "could not be downloaded",
  ],
  ["http", () => ({ CODEX_MCP_BRIDGE_RELEASES: "http://127.0.0.1:9/" }), "not an https address"],
  ["no address", () => ({ CODEX_MCP_BRIDGE_RELEASES: "" }), "no address to download from is set"],
  ["a certificate of nobody", () => ({ CURL_CA_BUNDLE: "/dev/null" }), "could not be downloaded"],
])("refuses %s and keeps the installed executable", async (_, spoil, error) => {
  mkdirSync(bin());
  writeFileSync(join(bin(), name), "old");
  const { code, stderr } = await run(["--to", bin()], spoil());
  expect(code).not.toBe(0);
  expect(stderr).toContain(error);
  expect(installed()).toBe("old");
  expect(readdirSync(bin())).toEqual([name]);
});

test("installs offline from a local executable with its checksum file", async () => {
  const offline = { CODEX_MCP_BRIDGE_RELEASES: "" };
  const carried = join(folder.path, "stick", name);
  mkdirSync(join(folder.path, "stick"));
  writeFileSync(carried, program);
  const words = ["--from", carried, "--to", "bin"];
  expect((await run(words, offline)).stderr).toContain("there is no SHA256SUMS beside");
  expect(readdirSync(folder.path)).toEqual(["stick"]);
  writeFileSync(join(folder.path, "stick/SHA256SUMS"), `${sumOf(program)}  ${name}\n`);
  expect((await run(words, offline)).code).toBe(0);
  expect(installed()).toBe(program);
  writeFileSync(carried, `${program}# more\n`);
  expect((await run(words, offline)).stderr).toContain("is not that of");
  expect(installed()).toBe(program);
});
