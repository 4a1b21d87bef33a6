// What every package of a release says of it: taken from the repository and from the variables of whoever publishes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "./archives.ts";

export const root = join(import.meta.dir, "..");

/** Variables that whoever publishes sets, with what stands without them (docs/release.md). */
const variables = {
  CODEX_MCP_BRIDGE_RELEASES: "https://releases.invalid/codex-mcp-http-bridge",
  RELEASE_NPM_NAME: "codex-mcp-http-bridge",
  RELEASE_IMAGE: "codex-mcp-http-bridge",
  RELEASE_MAINTAINER: "codex-mcp-http-bridge maintainers <maintainers@releases.invalid>",
} as const;

export interface Release {
  readonly version: string;
  readonly description: string;
  /** The commit that was built, 40 hexadecimal digits. */
  readonly commit: string;
  /** The commit's time, in seconds since 1970: the time of every file in every archive. */
  readonly seconds: number;
  readonly readme: string;
  /** LICENSE and THIRD-PARTY-LICENSES. */
  readonly licences: readonly Entry[];
  /** https address below which the files of the release are published, without a slash at its end. */
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

/** Facts of the release of the checked-out commit. */
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
