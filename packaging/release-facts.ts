// Metadata of a release for all packages, read from the repository and from the publisher's environment variables.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "./archives.ts";

export const root = join(import.meta.dir, "..");

/** The publisher's environment variables, with their defaults (docs/release.md). */
const variables = {
  CODEX_MCP_BRIDGE_RELEASES: "https://releases.invalid/codex-mcp-http-bridge",
  RELEASE_NPM_NAME: "codex-mcp-http-bridge",
  RELEASE_IMAGE: "codex-mcp-http-bridge",
  RELEASE_MAINTAINER: "codex-mcp-http-bridge maintainers <maintainers@releases.invalid>",
} as const;

export interface Release {
  readonly version: string;
  readonly description: string;
  /** Hash of the built commit, 40 hexadecimal digits. */
  readonly commit: string;
  /** Time of the commit in seconds since 1970; every file in every archive has this time. */
  readonly seconds: number;
  readonly readme: string;
  /** LICENSE and THIRD-PARTY-LICENSES. */
  readonly licences: readonly Entry[];
  /** https URL of the folder in which the release is published, without a trailing slash. */
  readonly address: string;
  readonly npmName: string;
  /** Name of the container image, without a tag. */
  readonly image: string;
  readonly maintainer: string;
}

/** The value of a release variable, or its default. */
function variable(name: keyof typeof variables, env = process.env): string {
  return (env as Record<string, string | undefined>)[name] || variables[name];
}

/** Metadata of a release of the checked-out commit. */
export function releaseFacts(commit: string, seconds: number, licences: readonly Entry[]): Release {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return {
    version: manifest.version,
    description: manifest.description,
    commit,
    seconds,
    readme: readFileSync(join(root, "README.md"), "utf8"),
    licences,
    address: variable("CODEX_MCP_BRIDGE_RELEASES").replace(/\/+$/, ""),
    npmName: variable("RELEASE_NPM_NAME"),
    image: variable("RELEASE_IMAGE"),
    maintainer: variable("RELEASE_MAINTAINER"),
  };
}
