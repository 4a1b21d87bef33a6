// Wheels (PEP 427) that contain the executable, like those of ruff and uv: pip installs it into the scripts folder.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Entry, textEntry, zip } from "./archives.ts";
import { executableName, type Platform } from "./platforms.ts";
import type { Release } from "./release-facts.ts";

const source = (name: string) => readFileSync(join(import.meta.dir, "python", name), "utf8");

/** A wheel's RECORD: for each file its path, SHA-256 (URL-safe base64 without padding) and size. */
function recordOf(entries: readonly Entry[], path: string): Entry {
  const lines = entries.map(({ path, bytes }) => {
    const digest = createHash("sha256").update(bytes).digest("base64url");
    return `${path},sha256=${digest},${bytes.length}`;
  });
  return textEntry(path, `${[...lines, `${path},,`].join("\n")}\n`);
}

export interface Wheel {
  readonly file: string;
  readonly bytes: Buffer;
}

/** The wheel for one platform. */
export function wheel(release: Release, platform: Platform, program: Uint8Array): Wheel {
  const { version } = release;
  const name = "codex_mcp_http_bridge";
  const info = `${name}-${version}.dist-info`;
  const metadata = [
    "Metadata-Version: 2.1",
    "Name: codex-mcp-http-bridge",
    `Version: ${version}`,
    `Summary: ${release.description}`,
    "License: MIT",
    "Requires-Python: >=3.8",
    "Description-Content-Type: text/markdown",
    "",
    release.readme,
  ].join("\n");
  const tags = platform.wheel.split(".").map((tag) => `Tag: py3-none-${tag}`);
  const wheelText = [
    "Wheel-Version: 1.0",
    "Generator: codex-mcp-http-bridge",
    "Root-Is-Purelib: false",
    ...tags,
  ];
  const entries: Entry[] = [
    textEntry(`${name}/__init__.py`, source("__init__.py")),
    textEntry(`${name}/__main__.py`, source("__main__.py")),
    {
      path: `${name}-${version}.data/scripts/${executableName(platform)}`,
      bytes: program,
      isExecutable: true,
    },
    textEntry(`${info}/METADATA`, metadata),
    textEntry(`${info}/WHEEL`, `${wheelText.join("\n")}\n`),
    ...release.licences.map(({ path, bytes }) => ({ path: `${info}/licenses/${path}`, bytes })),
  ];
  return {
    file: `${name}-${version}-py3-none-${platform.wheel}.whl`,
    bytes: zip([...entries, recordOf(entries, `${info}/RECORD`)]),
  };
}
