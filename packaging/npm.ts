// npm packages: a launcher, and for each platform a package that npm installs only on that platform.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Entry, gzip, tar, textEntry } from "./archives.ts";
import { executableName, type Platform } from "./platforms.ts";
import type { Release } from "./release-facts.ts";

/** A package in the format of `npm pack`: all files are below package/. */
function pack(entries: readonly Entry[], seconds: number): Buffer {
  const below = entries.map((entry) => ({ ...entry, path: `package/${entry.path}` }));
  return gzip(tar(below, { seconds }));
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** The package for one platform: the executable and the licences. */
export function platformPackage(release: Release, platform: Platform, program: Uint8Array): Buffer {
  const file = executableName(platform);
  const manifest = {
    name: `${release.npmName}-${platform.name}`,
    version: release.version,
    description: `The executable of ${release.npmName} for ${platform.name}`,
    license: "MIT",
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc !== undefined && { libc: [platform.libc] }),
    files: [file, "THIRD-PARTY-LICENSES"],
    preferUnplugged: true,
  };
  return pack(
    [
      textEntry("package.json", json(manifest)),
      ...release.licences,
      { path: file, bytes: program, isExecutable: true },
    ],
    release.seconds,
  );
}

/** The package that users install: its launcher starts the executable in the platform's package. */
export function launcherPackage(release: Release, built: readonly Platform[]): Buffer {
  const optional = built.map(({ name }) => [`${release.npmName}-${name}`, release.version]);
  const bin = "bin/codex-mcp-http-bridge.cjs";
  const manifest = {
    name: release.npmName,
    version: release.version,
    description: release.description,
    license: "MIT",
    bin: { "codex-mcp-http-bridge": bin },
    files: ["bin"],
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(optional),
  };
  const source = readFileSync(join(import.meta.dir, "npm/launcher.cjs"), "utf8");
  const launcher = textEntry(bin, source.replaceAll("@NAME@", release.npmName));
  return pack(
    [
      textEntry("package.json", json(manifest)),
      textEntry("README.md", release.readme),
      ...release.licences.filter(({ path }) => path === "LICENSE"),
      { ...launcher, isExecutable: true },
    ],
    release.seconds,
  );
}
