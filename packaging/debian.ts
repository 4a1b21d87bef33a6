// A Debian package (deb(5)): the executable in /usr/bin; completions, man page and copyright in Debian's folders.

import { createHash } from "node:crypto";
import { ar, type Entry, gzip, tar, textEntry } from "./archives.ts";
import type { Platform } from "./platforms.ts";
import type { Release } from "./release-facts.ts";

/** The package for one architecture; `extras` are further files, with paths relative to /. */
export function debianPackage(
  release: Release,
  { debian }: Platform,
  program: Uint8Array,
  extras: readonly Entry[],
): Buffer {
  const name = "codex-mcp-http-bridge";
  const files: Entry[] = [
    { path: `usr/bin/${name}`, bytes: program, isExecutable: true },
    ...release.licences.map(({ path, bytes }) => ({
      path: `usr/share/doc/${name}/${path === "LICENSE" ? "copyright" : path}`,
      bytes,
    })),
    ...extras,
  ].sort((a, b) => (a.path < b.path ? -1 : 1));
  const installedKiB = Math.ceil(files.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1024);
  const control = [
    `Package: ${name}`,
    `Version: ${release.version}`,
    `Architecture: ${debian}`,
    `Maintainer: ${release.maintainer}`,
    `Installed-Size: ${installedKiB}`,
    // The executable needs glibc symbols up to 2.17; libgcc and libstdc++ are linked statically.
    "Depends: libc6 (>= 2.17)",
    "Section: net",
    "Priority: optional",
    `Description: ${release.description}`,
    "",
  ].join("\n");
  const sums = files.map(
    ({ path, bytes }) => `${createHash("md5").update(bytes).digest("hex")}  ${path}`,
  );
  const options = { seconds: release.seconds, withFolders: true, prefix: "./" };
  const controlFiles = [
    textEntry("control", control),
    textEntry("md5sums", `${sums.join("\n")}\n`),
  ];
  return ar(
    [
      textEntry("debian-binary", "2.0\n"),
      { path: "control.tar.gz", bytes: gzip(tar(controlFiles, options)) },
      { path: "data.tar.gz", bytes: gzip(tar(files, options)) },
    ],
    release.seconds,
  );
}
