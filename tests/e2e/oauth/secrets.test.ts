import { expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../../support/folder.ts";
import { type BridgeHome, bridgeHome, startProgram } from "../../support/oauth-bridge.ts";
import { codexCapabilities, handshake, startClient } from "../../support/oauth-client.ts";
import { startProtectedServer } from "../../support/oauth-resource.ts";
import { oauthServers } from "../../support/oauth-servers.ts";
import { approve, approveInBrowser } from "../../support/oauth-user.ts";
import { programWords, runProgram } from "../../support/program.ts";

const servers = oauthServers();

/** Every secret that passed the authorization server, in and out. */
function canaries(stored: { grant: { accessToken: string; refreshToken: string } }[]): string[] {
  const sent = servers.provider.requests.flatMap(({ form }) =>
    ["code", "code_verifier", "refresh_token", "device_code"].map((name) => form.get(name) ?? ""),
  );
  const kept = stored.flatMap(({ grant }) => [grant.accessToken, grant.refreshToken]);
  return [...new Set([...sent, ...kept])].filter((secret) => secret.length > 8);
}

function argvOfAll(): string {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return "";
      }
    })
    .join("\n");
}

async function expire(home: BridgeHome) {
  const stored = await home.stored();
  await servers.provider.revoke(stored.grant.accessToken);
  await home.store({ ...stored, grant: { ...stored.grant, obtainedAt: 0, expiresAt: 1 } });
}

test("requirement 34: no secret is in any log level, log file, argv or output, from sign-in to sign-out", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  Object.assign(home.env, { LOG_LEVEL: "trace" });
  const logFile = join(folder.path, "bridge.log");
  const logging = ["--log-file", logFile, "--log-format", "json"];
  const login = startProgram(["login", "-s", "kb", "--no-browser", ...logging], home.env);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  login.write(`${await approve(url)}\n`);
  const first = await login.ended;
  expect(first.code).toBe(0);
  const signedIn = await home.stored();
  await expire(home);
  const client = startClient(home, { words: logging });
  await handshake(client, codexCapabilities);
  const argv = argvOfAll();
  const call = await client.request("tools/call", { name: "echo", arguments: {} });
  expect(call.result).toBeDefined();
  await client.end();
  const renewed = await home.stored();
  const status = await runProgram(["status", "--json"], { env: home.env });
  const out = await runProgram(["logout", "-s", "kb"], { env: home.env });
  const texts = {
    login: first.stderr,
    printed: first.stdout.replace(url, ""),
    run: client.stderr(),
    lines: client.lines.join("\n"),
    log: readFileSync(logFile, "utf8"),
    argv,
    status: status.stdout + status.stderr,
    logout: out.stdout + out.stderr,
  };
  expect(texts.run).toContain("token renewed");
  const secrets = canaries([signedIn, renewed] as Parameters<typeof canaries>[0]);
  expect(secrets.length).toBeGreaterThan(4);
  for (const [where, text] of Object.entries(texts)) {
    for (const secret of secrets)
      expect({ where, shows: text.includes(secret) }).toEqual({ where, shows: false });
  }
});

test("requirement 34: folders are 0700 and files 0600, whatever the umask", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  const words = [...programWords, "login", "-s", "kb", "--no-browser"]
    .map((word) => `'${word}'`)
    .join(" ");
  const child = Bun.spawn(["sh", "-c", `umask 000; exec ${words}`], {
    env: home.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  for await (const chunk of child.stdout) {
    const url = /http:\/\/127\S+\/auth\?\S+/.exec(new TextDecoder().decode(chunk))?.[0];
    if (url !== undefined) void approveInBrowser(url);
  }
  expect(await child.exited).toBe(0);
  const base = join(folder.path, ".codex-mcp-bridge");
  const modes = readdirSync(base, { recursive: true, withFileTypes: true }).map((entry) => {
    const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777;
    return `${entry.name} ${mode.toString(8)}`;
  });
  expect(modes).toContain("kb.json 600");
  for (const mode of modes) expect(mode).toMatch(/ (?:600|700)$/);
});

test("requirement 35: a server's escape sequences never reach a terminal or the client", async () => {
  using folder = ownFolder();
  const evil = startProtectedServer(servers.provider, {
    metadata: () => ({ resource: "https://\u001b[31mevil\u202e.example.com/\u0007" }),
  });
  const home = await bridgeHome(folder.path, { url: evil.url });
  const { stderr, stdout, code } = await runProgram(["login", "-s", "kb", "--no-browser"], {
    env: home.env,
  });
  expect(code).toBe(1);
  expect(stderr).toContain("evil");
  expect(stderr + stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  const client = startClient(home);
  await handshake(client, codexCapabilities);
  const call = await client.request("tools/call", { name: "echo", arguments: {} });
  // What it says is told in our words, and is clean.
  expect(call.error.message).not.toMatch(/[\p{Cc}\u202e]/u);
  expect(call.error.message).toMatch(
    /, not http:\S+; check the server's URL in the configuration\): run codex-mcp-http-bridge login --server kb/,
  );
  await client.end();
  await evil.close();
});
