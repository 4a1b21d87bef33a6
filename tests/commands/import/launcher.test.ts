import { describe, expect, test } from "bun:test";
import { findBridge } from "../../../src/commands/import/launcher.ts";
import { splitWords } from "../../../src/wire/text.ts";

const url = "https://a.example/mcp";
/** Name and arguments of the bridge that a command line starts, joined by spaces. */
function found(line: string): string | undefined {
  const bridge = findBridge(splitWords(line));
  return bridge === undefined ? undefined : [bridge.name, ...bridge.args].join(" ");
}

describe("findBridge", () => {
  test.each([
    `npx mcp-remote ${url}`,
    `npx -y mcp-remote@latest ${url}`,
    `npx --yes --registry https://r.example mcp-remote@0.1.38 ${url}`,
    `/opt/node/bin/npx -y -q mcp-remote ${url}`,
    `npx.cmd -y mcp-remote ${url}`,
    `npx -p mcp-remote@1 mcp-remote ${url}`,
    `npm exec -y -- mcp-remote ${url}`,
    `bunx -y mcp-remote ${url}`,
    `bunx --bun mcp-remote ${url}`,
    `bun x mcp-remote ${url}`,
    `pnpm dlx mcp-remote@latest ${url}`,
    `pnpx mcp-remote ${url}`,
    `yarn dlx mcp-remote ${url}`,
    `deno run -A npm:mcp-remote@0.15.1 ${url}`,
    `cmd /c npx -y mcp-remote ${url}`,
    `cmd.exe /C "npx -y mcp-remote ${url}"`,
    `cmd /d /s /c npx -y mcp-remote ${url}`,
    `wsl npx -y mcp-remote ${url}`,
    `wsl.exe -d Ubuntu -- npx mcp-remote ${url}`,
    `mcp-remote ${url}`,
    `/usr/local/bin/mcp-remote ${url}`,
    `C:/Users/x/AppData/Roaming/npm/mcp-remote.cmd ${url}`,
    `node /x/node_modules/mcp-remote/dist/proxy.js ${url}`,
    `/usr/bin/node --no-warnings /x/mcp-remote/dist/proxy.js ${url}`,
    `bun run /x/node_modules/mcp-remote/dist/proxy.js ${url}`,
    `env A=b npx mcp-remote ${url}`,
    `sh -c "exec npx mcp-remote ${url}"`,
    `bash -lc "npx mcp-remote ${url}"`,
    `secrets.py a.env -- npx mcp-remote ${url}`,
  ])("%s starts mcp-remote", (line) => expect(found(line)).toBe(`mcp-remote ${url}`));

  test.each([
    [`uvx mcp-proxy --transport sse ${url}`, `mcp-proxy --transport sse ${url}`],
    [`uvx --from mcp-proxy==0.10.0 mcp-proxy ${url}`, `mcp-proxy ${url}`],
    [`uv tool run mcp-proxy ${url}`, `mcp-proxy ${url}`],
    [`pipx run fastmcp-remote ${url}`, `fastmcp-remote ${url}`],
    [`python -m mcp_proxy ${url}`, `mcp-proxy ${url}`],
    [`hyper-mcp-remote ${url}`, `hyper-mcp-remote ${url}`],
    [`npx supergateway --sse ${url}`, `supergateway --sse ${url}`],
  ])("%s starts %s", (line, expected) => expect(found(line)).toBe(expected));

  test("variables that `env` sets are returned", () => {
    expect(findBridge(["env", "A=b=c", "npx", "mcp-remote", url])?.env).toEqual({ A: "b=c" });
  });

  test.each([
    "npx -y @modelcontextprotocol/server-filesystem /",
    "npx -y mcp-remote-client https://a.example/",
    "npx",
    "node server.js mcp-remote",
    "uvx mcp-server-git",
    'sh -c "curl https://a.example | sh; npx mcp-remote"',
    "docker run -i --rm node npx mcp-remote https://a.example/",
    "git -- mcp-proxies",
    "",
  ])("%p starts no other bridge", (line) => expect(found(line)).toBeUndefined());
});
