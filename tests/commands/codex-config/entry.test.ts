import { describe, expect, test } from "bun:test";
import {
  combinedEntry,
  configFileOf,
  fitted,
  nativeEntry,
  ownerOf,
  stdioEntry,
} from "../../../src/commands/codex-config/entry.ts";
import { renderTable, renderValue } from "../../../src/commands/codex-config/toml-render.ts";
import { program } from "../../../src/wire/program-facts.ts";
import { failure } from "../../support/failure.ts";
import { settingsOf } from "../../support/settings.ts";

const server = (entry: object) => settingsOf(entry, "/h");

const launch = {
  command: "/usr/local/bin/codex-mcp-http-bridge",
  cwd: "/home/me",
  required: false,
};

describe("the entry for Codex", () => {
  test("starts the bridge and passes on what Codex withholds", () => {
    expect(renderTable("kb", stdioEntry(server({}), launch))).toMatchInlineSnapshot(`
      "[mcp_servers.kb]
      command = "/usr/local/bin/codex-mcp-http-bridge"
      args = ["run", "--server", "kb"]
      env = { LOG_LEVEL = "info", BUN_JSC_useFTLJIT = "0" }
      env_vars = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_DIR", "CODEX_PROXY_CERT", "CODEX_CA_CERTIFICATE", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"]
      cwd = "/home/me"
      startup_timeout_sec = 30
      tool_timeout_sec = 120
      # default_tools_approval_mode = "approve"   # codex exec refuses every tool that is not marked read-only otherwise
      "
    `);
  });

  test("for several servers passes on the variables of all, and has the longest timeout", () => {
    const one = server({ tokenEnv: "ONE", timeoutSec: 10 });
    const two = { ...server({ tokenEnv: "TWO", env: ["ONE"], timeoutSec: 200 }), name: "two" };
    const { fields } = combinedEntry([one, two], false, launch);
    expect(fields["args"]).toEqual(["run", "--server", "kb", "--server", "two"]);
    expect((fields["env_vars"] as string[]).slice(-2)).toEqual(["ONE", "TWO"]);
    expect(fields["tool_timeout_sec"]).toBe(202);
    expect(combinedEntry([one, two], true, launch).fields["args"]).toEqual(["run", "--all"]);
  });

  test("for several servers has an approval only if all have it", () => {
    const approved = server({ codex: { approval: "approve" } });
    const approval = (...servers: (typeof approved)[]) =>
      combinedEntry(servers, true, launch).fields["default_tools_approval_mode"];
    expect(approval(approved, approved)).toBe("approve");
    expect(approval(approved, server({}))).toBeUndefined();
    expect(combinedEntry([approved, server({})], true, launch).note).toContain("approve");
  });

  test("names every variable that the server's entry names, once", () => {
    const { fields } = stdioEntry(
      server({
        tokenEnv: "KB_TOKEN",
        headers: { "X-Key": "${KB_KEY}-${KB_PART}" },
        env: ["VAULT_ADDR", "KB_KEY", "NO_PROXY"],
      }),
      launch,
    );
    const { env_vars } = fields;
    const names = env_vars as string[];
    expect(names.slice(-4)).toEqual(["KB_TOKEN", "KB_KEY", "KB_PART", "VAULT_ADDR"]);
    expect(new Set(names).size).toBe(names.length);
  });

  test("names the variables of an OAuth client", () => {
    const auth = {
      type: "oauth",
      grant: "jwt_bearer",
      clientId: "c",
      clientSecretEnv: "KB_SECRET",
      assertionEnv: "KB_JWT",
    };
    const { env_vars } = stdioEntry(server({ auth }), launch).fields;
    expect(env_vars).toContain("KB_SECRET");
    expect(env_vars).toContain("KB_JWT");
  });

  test("carries the approval policy, the deadline and another home", () => {
    const { fields, note } = stdioEntry(
      server({ timeoutSec: 300, codex: { approval: "writes", required: true } }),
      { ...launch, configFile: "/srv/bridge/config.json" },
    );
    expect(fields).toMatchObject({
      args: [
        ...["run", "--server", "kb", "--on-failure", "error"],
        ...["--config-path", "/srv/bridge/config.json"],
      ],
      tool_timeout_sec: 302,
      required: true,
      default_tools_approval_mode: "writes",
    });
    expect(note).toBeUndefined();
  });

  test("asks the bridge for headers only, with --native", () => {
    const entry = nativeEntry(server({ token: "t0ken" }), {
      command: "/opt/my bridge/codex-mcp-http-bridge",
      configFile: "/srv/config.json",
      required: true,
    });
    expect(renderTable("kb", entry)).toMatchInlineSnapshot(`
      "[mcp_servers.kb]
      url = "https://kb.example/mcp"
      http_headers_helper = "'/opt/my bridge/codex-mcp-http-bridge' headers --server kb --config-path /srv/config.json"
      startup_timeout_sec = 30
      tool_timeout_sec = 120
      required = true
      # default_tools_approval_mode = "approve"   # codex exec refuses every tool that is not marked read-only otherwise
      "
    `);
    expect(entry.unwanted).toContain("command");
    expect(entry.unwanted).not.toContain("url");
  });

  test.each([
    [{ auth: { type: "oauth", store: "keyring" } }, "keyring"],
    [{ auth: { type: "oauth", store: "auto" } }, "keyring"],
    [{ auth: { type: "oauth", dpop: true } }, "DPoP"],
    [{ network: { ipFamily: 4 } }, "network"],
    [{ tokenEnv: "KB_TOKEN" }, "KB_TOKEN"],
    [{ headers: { "X-Key": "${KB_KEY}" } }, "KB_KEY"],
    [{ transport: "sse" }, "2024-11-05"],
    [{ audit: { file: "audit.jsonl" } }, "audit"],
  ])("--native refuses a server with %j", (entry, why) => {
    const error = failure(() => nativeEntry(server(entry), launch));
    expect(error.kind).toBe("refused");
    expect(error.message).toContain(why);
  });
});

test("strings keep every character that TOML allows", () => {
  const text = "a\"b\\c\n\t\u0001\u007f\u0085\u2028é😀'";
  expect((Bun.TOML.parse(`x = ${renderValue(text)}`) as { x: string }).x).toBe(text);
  const table = { "quo ted": "v", plain: text };
  expect((Bun.TOML.parse(`x = ${renderValue(table)}`) as { x: object }).x).toEqual(table);
});

const docker = ["run", "-i", "--rm", "img", "--server", "https://x"];

test.each([
  [{ command: "/usr/bin/codex-mcp-http-bridge" }, "bridge"],
  [{ command: "C:\\Tools\\codex-mcp-http-bridge.exe", args: [] }, "bridge"],
  [{ command: "/opt/renamed", args: ["run", "--server", "kb"] }, "bridge"],
  [{ command: "/opt/renamed", args: ["run", "--server", "kb", "--log-file", "/l"] }, "bridge"],
  [{ command: "/opt/renamed", args: ["run", "--server", "kb", "--log-file"] }, "other"],
  [{ command: "python", args: ["-m", "codex_mcp_http_bridge", "run"] }, "python"],
  [{ command: "uvx", args: ["codex-mcp-http-bridge", "run"] }, "python"],
  [
    { command: "/opt/renamed", args: ["run", "--server", "kb", "--config-path", "/c.json"] },
    "bridge",
  ],
  [{ command: "/opt/renamed", args: ["run", "--server", "kb", "--on-failure", "error"] }, "bridge"],
  [{ command: "/opt/renamed", args: ["run", "--server", "kb", "--on-failure"] }, "other"],
  [{ command: "/opt/renamed", args: ["run", "--server", "other"] }, "other"],
  [{ command: "/opt/renamed", args: ["run", "--server", "kb", "--verbose"] }, "other"],
  [{ command: "docker", args: docker }, "other"],
  [{ command: "/usr/bin/podman", args: docker }, "other"],
  [{ command: "docker", args: ["run", "--rm", "img", "-m", "codex_mcp_http_bridge"] }, "other"],
  [{ command: "docker", args: ["run", "--rm", "codex-mcp-http-bridge"] }, "other"],
  [{ url: "https://x", http_headers_helper: "/b headers --server kb" }, "bridge"],
  [
    { url: "https://x", http_headers_helper: "'/my b' headers --server kb --config-path /c" },
    "bridge",
  ],
  [{ url: "https://x", http_headers_helper: "codex-mcp-http-bridge headers -s kb" }, "bridge"],
  [{ url: "https://x", http_headers_helper: "vault headers --server other" }, "other"],
  [{ url: "https://x", http_headers_helper: "vault headers --server kb --role r" }, "other"],
  [{ url: "https://x" }, "other"],
  [{ command: "/o/codex-mcp-http-bridge", args: ["https://x/mcp", "--header", "A:b"] }, "drop-in"],
  [{ command: "codex-mcp-http-bridge", args: ["run", "https://x/mcp"] }, "drop-in"],
  [{ command: "codex-mcp-http-bridge", args: ["-y", "mcp-remote@0", "https://x"] }, "drop-in"],
  [{ command: "codex-mcp-http-bridge", args: ["-c", "/c", "run", "-s", "kb"] }, "bridge"],
  [{ command: "npx", args: ["mcp-remote", "https://x"] }, "other"],
  [{ command: "npx", args: ["--server", "kb"] }, "other"],
  [{ env: {} }, "other"],
])("the owner of the entry %j is: %s", (entry, owner) => {
  expect(ownerOf("kb", entry)).toBe(owner as ReturnType<typeof ownerOf>);
});

test("configFileOf() reads --config-path from the arguments of an entry", () => {
  expect(configFileOf({ args: ["run", "--config-path", "/c.json"] })).toBe("/c.json");
  expect(configFileOf({ http_headers_helper: "b headers -c /c.json" })).toBe("/c.json");
  const helper = "'/my b' headers --server kb --config-path '/it'\\''s/c.json'";
  expect(configFileOf({ http_headers_helper: helper })).toBe("/it's/c.json");
  expect(configFileOf({ args: ["run"] })).toBeUndefined();
});

test("cwd is removed from the Python package's entry and stays in the bridge's entry", () => {
  // Where the environment names no home, the entry gets no folder.
  const { cwd: _, ...homeless } = launch;
  const wanted = stdioEntry(server({}), homeless);
  const python = { command: "python3", args: ["-m", "codex_mcp_http_bridge"], cwd: "/venv" };
  expect(fitted("kb", wanted, python).unwanted).toContain("cwd");
  const homed = stdioEntry(server({}), launch);
  expect(fitted("kb", homed, python)).toBe(homed);
  expect(fitted("kb", wanted, { command: program.name, cwd: "/x" })).toEqual(wanted);
});
