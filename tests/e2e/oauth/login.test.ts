import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bridgeHome, signIn, startProgram } from "../../support/oauth-bridge.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { approve, approveDevice, approveInBrowser } from "../../support/oauth-user.ts";
import { runProgram } from "../../support/program.ts";

let provider: AuthorizationServer;
let resource: ProtectedServer;
/** What the token endpoint answers to a device code, in place of the provider. */
let deviceError: string | undefined;
/** What the revocation endpoint does in place of revoking. */
let revocation: number | "reset" | undefined;
const folders: string[] = [];

const folder = () => {
  const made = mkdtempSync(join(tmpdir(), "oauth-"));
  folders.push(made);
  return made;
};

beforeAll(async () => {
  provider = await startProvider({
    // The device grant is polled as fast as the protocol lets.
    deviceIntervalSec: 0.05,
    intercept({ path, form }, response) {
      if (deviceError !== undefined && form.has("device_code")) {
        response.writeHead(400, { "content-type": "application/json" });
        response.end(JSON.stringify({ error: deviceError }));
        return true;
      }
      if (path !== "/token/revocation" || revocation === undefined) return false;
      if (revocation === "reset") response.destroy();
      else response.writeHead(revocation).end();
      return true;
    },
  });
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
  for (const made of folders) rmSync(made, { recursive: true });
});

test("login --no-browser signs in when the browser comes back to the listener", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  const login = startProgram(["login", "--server", "kb", "--no-browser"], home.env);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  const { status, page, headers } = await approveInBrowser(url);
  expect(status).toBe(200);
  expect(page).toContain("You are signed in");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("referrer-policy")).toBe("no-referrer");
  expect(headers.get("content-security-policy")).toStartWith("default-src 'none'");
  const { code, stdout } = await login.ended;
  expect(stdout).toContain('Signed in to "kb"');
  expect(code).toBe(0);
  const { grant } = await home.stored();
  expect(grant.resource).toBe(resource.url);
  expect((await provider.find(grant.accessToken))?.aud).toBe(resource.url);
});

test("requirement 29: login --no-browser takes the redirect URL that is pasted", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  login.write(`${await approve(url)}\n`);
  const { code, stdout, stderr } = await login.ended;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("Signed in");
});

test("login leaves the server's tools for the next start, under the sign-in that saw them", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  await signIn(home);
  const { stdout } = await runProgram(["status"], { env: home.env });
  expect(stdout).toMatch(/remembered: [1-9]\d* tools?, as of/);
  const file = join(home.folder, ".codex-mcp-bridge/cache/kb.json");
  const { entries } = JSON.parse(readFileSync(file, "utf8")).facts.catalog;
  const owners = Object.values<{ owner?: string }>(entries).map(({ owner }) => owner);
  expect(owners).toEqual([expect.any(String)]);
});

test("login signs in by a code on another device", async () => {
  const home = await bridgeHome(folder(), {
    url: resource.url,
    auth: { type: "oauth", grant: "device_code" },
  });
  const login = startProgram(["login", "-s", "kb"], home.env);
  const [, page, code] = await login.seen(/Open (\S+) on any device and type in the code (\S+)/);
  await approveDevice(page!, code!);
  expect((await login.ended).code).toBe(0);
  const { grant } = await home.stored();
  expect(grant.refreshToken).toBeString();
});

test("requirement 32: logout revokes the refresh token and forgets the sign-in", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  await approveInBrowser((await login.seen(/http:\/\/127\S+\/auth\?\S+/))[0]);
  await login.ended;
  const { grant } = await home.stored();
  const { code, stdout } = await runProgram(["logout", "-s", "kb"], { env: home.env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Signed out of "kb"\n' });
  expect(await provider.provider.RefreshToken.find(grant.refreshToken)).toBeUndefined();
  expect(home.stored()).rejects.toThrow();
});

test("requirement 32: logout forgets the sign-in although its revocation fails", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  await signIn(home);
  const { grant } = await home.stored();
  for (const fault of [503, 400, "reset"] as const) {
    await home.store({ version: 1, server: "kb", origin: new URL(resource.url).origin, grant });
    revocation = fault;
    const { code, stdout, stderr } = await runProgram(["logout", "-s", "kb"], { env: home.env });
    revocation = undefined;
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Signed out of "kb"\n' });
    expect(stderr).toContain("did not confirm the revocation. The local credentials are deleted");
    for (const secret of [grant.accessToken, grant.refreshToken])
      expect(stderr).not.toContain(secret);
    expect(home.stored()).rejects.toThrow();
  }
  expect(
    provider.requests.filter(({ path }) => path === "/token/revocation").length,
  ).toBeGreaterThan(2);
});

test.each([
  ["broken", "{ no JSON", 0o600],
  ["readable by others", JSON.stringify({ version: 1, server: "kb", origin: "https://x" }), 0o644],
])("logout forgets a stored sign-in that is %s, as the error advises", async (_, text, mode) => {
  const home = await bridgeHome(folder(), { url: resource.url });
  const file = join(home.folder, ".codex-mcp-bridge/credentials/kb.json");
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, mode);
  const { code } = await runProgram(["logout", "-s", "kb"], { env: home.env });
  expect({ code, isThere: existsSync(file) }).toEqual({ code: 0, isThere: false });
});

test("logout forgets a sign-in whose keyring is gone, and says that it may be there still", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  const origin = new URL(resource.url).origin;
  await home.store({ version: 1, server: "kb", origin, keyring: true });
  const env = { ...home.env, LOG_LEVEL: "warn", DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere" };
  const { code, stderr } = await runProgram(["logout", "-s", "kb"], { env });
  expect(code).toBe(0);
  expect(stderr).toContain("the keyring may still hold the sign-in");
  expect(home.stored()).rejects.toThrow();
});

test("login --no-browser offers the page, ssh -L and a code at once: the first that is completed wins", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  const env = { ...home.env, USER: "CORP\\ada" };
  const login = startProgram(["login", "-s", "kb", "--no-browser"], env);
  const [, port] = await login.seen(/ssh -N -L (\d+):127\.0\.0\.1:\1 'CORP\\ada@\S+'/);
  const [, page, code] = await login.seen(/open (\S+) on any device and type in the code (\S+)/);
  expect(Number(port)).toBeGreaterThan(0);
  await approveDevice(page!, code!);
  const { stdout } = await login.ended;
  expect(stdout).toContain('Signed in to "kb"');
});

test.each([
  ["unauthorized_client", "unauthorized_client"],
  ["expired_token", "before it expired"],
])(
  "a device sign-in that fails with %s is told of, and the page still signs in",
  async (error, words) => {
    const home = await bridgeHome(folder(), { url: resource.url });
    deviceError = error;
    const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
    const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
    await login.seen(new RegExp(words));
    deviceError = undefined;
    await approveInBrowser(url);
    expect((await login.ended).code).toBe(0);
  },
);

test("a pasted word that the server refuses as a code is reported, and the next pasted line is tried", async () => {
  const plain = await startProvider({
    metadata(document) {
      delete document.authorization_response_iss_parameter_supported;
      delete document.device_authorization_endpoint;
    },
  });
  const server = startProtectedServer(plain);
  const home = await bridgeHome(folder(), { url: server.url });
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  login.write("https\n");
  await login.seen(/invalid_grant/);
  login.write(`${(await approve(url)).searchParams.get("code")}\n`);
  expect((await login.ended).code).toBe(0);
  await server.close();
  await plain.close();
});

test("login ends with an error when every sign-in method has failed", async () => {
  const redirectUri = "https://elsewhere.example/back";
  const home = await bridgeHome(folder(), {
    url: resource.url,
    auth: { type: "oauth", redirectUri },
  });
  deviceError = "unauthorized_client";
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  login.endInput();
  const { code, stderr } = await login.ended;
  deviceError = undefined;
  expect(code).toBe(4);
  expect(stderr).toContain('error: the sign-in to server "kb" failed: unauthorized_client');
});

test("if a desktop is present but no browser opens, login offers the device code, too", async () => {
  const home = await bridgeHome(folder(), { url: resource.url });
  const env = { ...home.env, DISPLAY: ":9", PATH: "/nowhere" };
  const login = startProgram(["login", "-s", "kb"], env);
  const [, page, code] = await login.seen(/open (\S+) on any device and type in the code (\S+)/);
  await approveDevice(page!, code!);
  expect((await login.ended).code).toBe(0);
});

test("a redirect URI on localhost is reached by IPv4 and IPv6", async () => {
  const free = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = free;
  await free.stop(true);
  const redirectUri = `http://localhost:${port}/back`;
  const home = await bridgeHome(folder(), {
    url: resource.url,
    auth: { type: "oauth", redirectUri },
  });
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  const [url] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  expect(new URL(url).searchParams.get("redirect_uri")).toBe(redirectUri);
  for (const host of ["127.0.0.1", "[::1]"]) {
    const headers = { host: `localhost:${port}` };
    const stray = await fetch(`http://${host}:${port}/back?code=x&state=stray`, { headers });
    expect(stray.status).toBe(400);
  }
  await approveInBrowser(url);
  expect((await login.ended).code).toBe(0);
});
