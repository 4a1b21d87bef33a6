// Makes dist/release/ of the checked-out commit (scripts/release.sh): bun packaging/main.ts [--target PLATFORM]...
// All times are the commit's time and every order is fixed, so two runs differ only in the signature.

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type Entry, gzip, isQuick, tar, textEntry } from "./archives.ts";
import { debianPackage } from "./debian.ts";
import { canMakeImage, imageLayout } from "./image.ts";
import { mcpbBundle } from "./mcpb.ts";
import { launcherPackage, platformPackage } from "./npm.ts";
import { executableName, type Platform, platforms } from "./platforms.ts";
import { wheel } from "./python.ts";
import { releaseFacts, root } from "./release-facts.ts";
import { billOfMaterials, bundledPackages, provenance } from "./statements.ts";

const name = "codex-mcp-http-bridge";
const out = join(root, "dist/release");

/** What a program makes of its standard input. */
async function filter(words: readonly string[], input: Uint8Array): Promise<Uint8Array> {
  const child = Bun.spawn([...words], { stdin: input, stdout: "pipe", stderr: "inherit" });
  const bytes = await child.stdout.bytes();
  if ((await child.exited) !== 0) throw new Error(`${words.join(" ")} failed`);
  return bytes;
}

/** Runs a program and returns its stdout. Throws with its stderr if it fails. */
function run(words: readonly string[]): Buffer {
  const child = Bun.spawnSync([...words], { cwd: root, stdin: "ignore", stderr: "pipe" });
  if (child.exitCode !== 0)
    throw new Error(`${words.join(" ")}: ${child.stderr.toString().trim()}`);
  return child.stdout;
}

function put(path: string, bytes: Uint8Array | string): void {
  const file = join(out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  console.log(`${path} (${Math.ceil(bytes.length / 1024)} KiB)`);
}

function chosenPlatforms(): readonly Platform[] {
  const words = process.argv.slice(2);
  if (words.length === 0) return platforms;
  return words.map((word) => {
    const found = platforms.find((platform) => platform.name === word);
    if (found === undefined) throw new Error(`unknown platform "${word}"`);
    return found;
  });
}

/** The section of a version in CHANGELOG.md, without its heading. */
function notesOf(version: string): string {
  const text = readFileSync(join(root, "CHANGELOG.md"), "utf8");
  const [, notes] =
    new RegExp(
      `^## ${version.replaceAll(".", "\\.")}\\b[^\\n]*\\n([\\s\\S]*?)(?=^## |$(?![\\s\\S]))`,
      "m",
    ).exec(text) ?? [];
  if (notes === undefined) throw new Error(`CHANGELOG.md has no heading "## ${version}"`);
  return `${notes.trim()}\n`;
}

/**
 * Fills in @VERSION@, @ADDRESS@ and @SHA256 FILE@ in a template of packaging/templates. Undefined if the template needs
 * the checksum of a file that was not made.
 */
function fill(template: string, sums: ReadonlyMap<string, string>): string | undefined {
  let isWhole = true;
  const text = readFileSync(join(root, "packaging/templates", template), "utf8")
    .replaceAll("@VERSION@", release.version)
    .replaceAll("@ADDRESS@", release.address)
    .replaceAll(/@SHA256 ([^@]+)@/g, (_, file) => {
      const sum = sums.get(file);
      if (sum === undefined) isWhole = false;
      return sum ?? "";
    });
  return isWhole ? text : undefined;
}

const chosen = chosenPlatforms();
const commit = run(["git", "rev-parse", "HEAD"]).toString().trim();
const seconds = Number(run(["git", "log", "-1", "--format=%ct"]).toString());
const bun = Bun.version;
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const commands: string[] = [];
const built = chosen.map((platform) => {
  const runtime = `packaging/runtimes/node_modules/${platform.runtime}/bin/bun${platform.os === "win32" ? ".exe" : ""}`;
  const words = ["./build.sh", "--target", platform.name, "--runtime", runtime];
  commands.push(words.join(" "));
  run(words);
  const program = readFileSync(join(root, "dist", platform.name, executableName(platform)));
  return { platform, program };
});
const licences = ["LICENSE", "THIRD-PARTY-LICENSES"].map(
  (path): Entry => ({ path, bytes: readFileSync(join(root, "dist", path)) }),
);
const release = releaseFacts(commit, seconds, licences);
const { version } = release;

// The build machine's own executable prints the completions and the man page.
run(["./build.sh"]);
const own = join(root, "dist", name);
const completions = (
  [
    ["bash", `${name}.bash`],
    ["zsh", `_${name}`],
    ["fish", `${name}.fish`],
    ["powershell", `${name}.ps1`],
  ] as const
).map(
  ([shell, file]): Entry => ({
    path: `completions/${file}`,
    bytes: run([own, "completions", shell]),
  }),
);
const manPage: Entry = {
  path: `man/${name}.1`,
  bytes: run([own, "completions", "man"]),
};
const extras = [textEntry("README.md", release.readme), ...licences, ...completions, manPage];

for (const { platform, program } of built) {
  const file = `${name}-${version}-${platform.name}`;
  const [xz, zst] = await Promise.all([
    filter(["xz", "--format=xz", isQuick ? "-0" : "-6", "--threads=1", "--stdout"], program),
    filter(["zstd", isQuick ? "-1" : "-19", "--single-thread", "--quiet", "--stdout"], program),
  ]);
  put(`${file}.gz`, gzip(program));
  put(`${file}.xz`, xz);
  put(`${file}.zst`, zst);
  const inside = [
    { path: executableName(platform), bytes: program, isExecutable: true },
    ...extras,
  ];
  const below = inside.map((entry) => ({ ...entry, path: `${file}/${entry.path}` }));
  put(`${file}.tar.gz`, gzip(tar(below, { seconds })));
  put(
    `${release.npmName.replace(/^@(.*)\//, "$1-")}-${platform.name}-${version}.tgz`,
    platformPackage(release, platform, program),
  );
  const { file: wheelFile, bytes } = wheel(release, platform, program);
  put(wheelFile, bytes);
  // Claude Desktop runs on no musl system.
  if (platform.libc !== "musl") put(`${file}.mcpb`, mcpbBundle(release, platform, program));
  if (platform.debian !== undefined) {
    const places: Entry[] = [
      { ...completions[0]!, path: `usr/share/bash-completion/completions/${name}` },
      { ...completions[1]!, path: `usr/share/zsh/vendor-completions/_${name}` },
      { ...completions[2]!, path: `usr/share/fish/vendor_completions.d/${name}.fish` },
      { path: `usr/share/man/man1/${name}.1.gz`, bytes: gzip(manPage.bytes) },
    ];
    put(
      `${name}_${version}_${platform.debian}.deb`,
      debianPackage(release, platform, program, places),
    );
  }
}
put(
  `${release.npmName.replace(/^@(.*)\//, "$1-")}-${version}.tgz`,
  launcherPackage(release, chosen),
);

const contained = built.filter(({ platform }) => canMakeImage(platform));
for (const { path, bytes } of imageLayout(release, contained)) put(`image/${path}`, bytes);

/**
 * The minisign public key in base64: RELEASE_MINISIGN_PUBLIC_KEY, or the one that belongs to the secret key, or "". A
 * release with the public key alone has the same files as the signed one, but no signature.
 */
function publicKey(): string {
  const given = process.env.RELEASE_MINISIGN_PUBLIC_KEY ?? "";
  const secret = process.env.RELEASE_MINISIGN_KEY ?? "";
  if (secret === "" || given !== "") return given;
  const folder = mkdtempSync(join(tmpdir(), "release-"));
  try {
    const file = join(folder, "minisign.pub");
    run(["minisign", "-R", "-s", secret, "-p", file]);
    return readFileSync(file, "utf8").split("\n")[1]!;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const minisignKey = publicKey();
if (!/^(RW[QRST][A-Za-z0-9+/]{53})?$/.test(minisignKey))
  throw new Error("RELEASE_MINISIGN_PUBLIC_KEY is not line 2 of a minisign public key file");
const installer = readFileSync(join(root, "dist/install.sh"), "utf8");
put("install.sh", installer.replace(/^key=$/m, `key=${minisignKey}`));
put("RELEASE_NOTES.md", notesOf(version));

const work = mkdtempSync(join(tmpdir(), "release-"));
try {
  const graph = join(work, "graph.json");
  run([
    process.execPath,
    "build",
    "bridge.ts",
    "--target=bun",
    "--splitting",
    `--metafile=${graph}`,
    `--outdir=${join(work, "out")}`,
  ]);
  const inputs = Object.keys(JSON.parse(readFileSync(graph, "utf8")).inputs);
  put(`${name}.cdx.json`, billOfMaterials(release, bundledPackages(inputs), bun));
} finally {
  rmSync(work, { recursive: true, force: true });
}

const sumOf = (path: string) =>
  createHash("sha256")
    .update(readFileSync(join(out, path)))
    .digest("hex");
const files = () =>
  readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1))
    .sort();
const sums = new Map(files().map((path) => [path, sumOf(path)]));
for (const template of readdirSync(join(root, "packaging/templates")).sort()) {
  const text = fill(template, sums);
  if (text === undefined)
    console.log(`${template} was not made: it refers to platforms that were not built`);
  else put(template, text);
}
const subjects = files().map((path) => ({ name: path, sha256: sumOf(path) }));
const runtimes = chosen.map(({ runtime }) => runtime);
put("provenance.intoto.json", provenance(release, subjects, { runtimes, bun, commands }));
const lines = files().map((path) => `${sumOf(path)}  ${path}`);
put("SHA256SUMS", `${lines.join("\n")}\n`);

const key = process.env.RELEASE_MINISIGN_KEY;
if (key === undefined || key === "") {
  console.error(
    "WARNING: this release is not signed: RELEASE_MINISIGN_KEY is not set to the file of a minisign secret key",
  );
} else {
  run([
    "minisign",
    "-S",
    "-s",
    key,
    "-m",
    join(out, "SHA256SUMS"),
    "-x",
    join(out, "SHA256SUMS.minisig"),
    "-t",
    `${name} ${version}`,
  ]);
  console.log(`${basename(out)}/SHA256SUMS.minisig`);
}
