// MCPB bundle for one platform: Claude Desktop installs it by a double click and asks for the URL and the token.

import { type Entry, textEntry, zip } from "./archives.ts";
import { executableName, type Platform } from "./platforms.ts";
import type { Release } from "./release-facts.ts";

/** The bundle: manifest.json (MCPB 0.3), the executable and the licences. */
export function mcpbBundle(release: Release, platform: Platform, program: Uint8Array): Buffer {
  const file = `server/${executableName(platform)}`;
  const manifest = {
    manifest_version: "0.3",
    name: "codex-mcp-http-bridge",
    display_name: "Remote MCP server",
    version: release.version,
    description: "Connects to one remote MCP server over HTTPS, with OAuth or a token",
    author: { name: release.maintainer.replace(/\s*<.*/, "") },
    license: "MIT",
    server: {
      type: "binary",
      entry_point: file,
      mcp_config: {
        command: `\${__dirname}/${file}`,
        args: ["run", "${user_config.url}", "--token-env", "MCP_SERVER_TOKEN"],
        env: { MCP_SERVER_TOKEN: "${user_config.token}" },
      },
    },
    tools_generated: true,
    prompts_generated: true,
    user_config: {
      url: {
        type: "string",
        title: "URL",
        description: "The address of the MCP server, such as https://mcp.example.com/mcp",
        required: true,
      },
      token: {
        type: "string",
        title: "Token",
        description:
          "A bearer or personal access token; empty: the server's sign-in opens in the browser",
        sensitive: true,
        required: false,
        default: "",
      },
    },
    compatibility: { platforms: [platform.os] },
  };
  const entries: Entry[] = [
    textEntry("manifest.json", `${JSON.stringify(manifest, null, 2)}\n`),
    ...release.licences,
    { path: file, bytes: program, isExecutable: true },
  ];
  return zip(entries);
}
