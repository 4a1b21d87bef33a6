import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { decryptExport, encryptExport } from "../../../src/oauth/store/encrypted-export.ts";
import { grantOwnerOf } from "../../../src/oauth/store/grant-owner.ts";
import { ownFolder } from "../../support/folder.ts";
import {
  bridgeHome,
  callTool,
  signIn,
  startProgram,
  startRun,
} from "../../support/oauth-bridge.ts";
import { startProvider } from "../../support/oauth-provider.ts";
import { startProtectedServer } from "../../support/oauth-resource.ts";
import { oauthServers } from "../../support/oauth-servers.ts";
import { programWords, runProgram } from "../../support/program.ts";

const servers = oauthServers();

const passphrase = "correct horse battery";
const exportWords = ["credentials", "export", "-s", "kb", "--passphrase-fd", "0"];
const importWords = ["credentials", "import", "--passphrase-fd", "0", "--yes"];

const withoutYes = importWords.slice(0, -1);

/** A sealed text that somebody else made, and a home that imports it. */
async function importForged(
  folder: string,
  change: { auth?: object; grant?: object; url?: string },
) {
  const grant = {
    issuer: servers.provider.issuer,
    client: { id: "forged", method: "none", source: "configured" },
    tokenEndpoint: `${servers.provider.issuer}/token`,
    accessToken: "a-forged-token",
    tokenType: "Bearer",
    obtainedAt: Date.now(),
    ...change.grant,
  };
  const auth = { type: "oauth", clientId: "forged", ...change.auth };
  const text = { server: "kb", url: change.url ?? servers.resource.url, auth, stored: { grant } };
  const stdin = `${passphrase}\n${await encryptExport(JSON.stringify(text), passphrase)}\n`;
  const home = await bridgeHome(folder, { url: "https://unused.example.com/mcp" });
  const load = async () =>
    (await Bun.file(`${folder}/.codex-mcp-bridge/config.json`).json()).servers;
  const put = async (words: string[]) => runProgram(words, { env: home.env, stdin });
  return { home, put, load };
}

test("an import brings no command, file, variable, trusted host or endpoint, and says so", async () => {
  using folder = ownFolder();
  const harmless = {
    scopes: ["mcp"],
    issuer: servers.provider.issuer,
    authorizeParams: { audience: "x" },
  };
  const { home, put, load } = await importForged(folder.path, {
    auth: {
      ...harmless,
      grant: "jwt_bearer",
      assertionCommand: ["/usr/bin/id"],
      clientSecretEnv: "AWS_SECRET_ACCESS_KEY",
      privateKeyFile: "/home/user/.ssh/id_rsa",
      trustedHosts: ["evil.example.com"],
      redirectUri: "https://evil.example.com/callback",
      clientMetadataUrl: "https://evil.example.com/client.json",
      initialAccessToken: "${HOME}",
      idp: { issuer: "https://evil.example.com", tokenEndpoint: "https://evil.example.com/token" },
    },
  });
  await home.configure({});
  const { code, stderr } = await put(importWords);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr).toContain(
    "  left out  auth: grant, assertionCommand, clientSecretEnv, privateKeyFile, trustedHosts, redirectUri, clientMetadataUrl, initialAccessToken, idp\n",
  );
  expect((await load()).kb).toEqual({
    url: servers.resource.url,
    auth: { type: "oauth", clientId: "forged", ...harmless },
  });
});

test.each<[string, Parameters<typeof importForged>[1], number, string]>([
  [
    "a token endpoint elsewhere",
    { grant: { tokenEndpoint: "https://evil.example.com/token" } },
    1,
    "an endpoint that is not the issuer's own",
  ],
  [
    "a revocation endpoint elsewhere",
    { grant: { revocationEndpoint: "https://evil.example.com/revoke" } },
    1,
    "an endpoint that is not the issuer's own",
  ],
  ["a variable in its URL", { url: "http://127.0.0.1:1/?key=${HOME}" }, 3, "names a variable"],
  ["a token that is no header value", { grant: { accessToken: "a\r\nb" } }, 3, "incomplete"],
  ["no client", { grant: { client: undefined } }, 3, "incomplete"],
])("an import with %s is refused, and nothing is written", async (_, change, exit, words) => {
  using folder = ownFolder();
  const { home, put, load } = await importForged(folder.path, change);
  await home.configure({});
  const { code, stderr } = await put(importWords);
  expect(stderr).toContain(words);
  expect(code).toBe(exit);
  expect(await load()).toEqual({});
  expect(home.stored()).rejects.toThrow();
});

test("an import that would change the configuration needs a confirmation at the terminal, or --yes", async () => {
  using folder = ownFolder();
  const { home, put, load } = await importForged(folder.path, {});
  await home.configure({});
  const { code, stderr } = await put(withoutYes);
  expect([code, await load()]).toEqual([2, {}]);
  expect(stderr).toContain("repeat the command with --yes");
});

test("an import without an account counts as another person's, by the question and by the lists that are kept", async () => {
  using folder = ownFolder();
  const { home, put } = await importForged(folder.path, {});
  await home.configure({});
  const owners: string[] = [];
  for (const words of [importWords, importWords]) {
    expect((await put(words)).code).toBe(0);
    owners.push(JSON.stringify(grantOwnerOf((await home.stored()).grant)));
  }
  expect(owners[0]).not.toBe(owners[1]);
  // The issuer and the client are known here, the person is not.
  const { code, stderr } = await put(withoutYes);
  expect(code).toBe(2);
  expect(stderr).toContain("This sign-in is new here");
  expect(JSON.stringify(grantOwnerOf((await home.stored()).grant))).toBe(owners[1]!);
});

test("an import names no other authorization server than the one in use here, --yes or not", async () => {
  using folder = ownFolder();
  const { home, put } = await importForged(folder.path, {
    grant: { issuer: "https://evil.example.com" },
  });
  await home.configure({ kb: { url: servers.resource.url } });
  await signIn(home);
  const before = await home.stored();
  const { code, stderr } = await put(importWords);
  expect(code).toBe(1);
  expect(stderr).toContain(`uses the authorization server ${servers.provider.issuer} here`);
  expect(await home.stored()).toEqual(before);
});

test("an export needs a passphrase of 12 characters", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const out = await runProgram(exportWords, { env: home.env, stdin: "elevenchars\n" });
  expect([out.code, out.stdout]).toEqual([2, ""]);
  expect(out.stderr).toContain("fewer than 12 characters");
  expect((await home.stored()).grant).toBeDefined();
});

test("requirement 30: credentials export moves a sign-in, and import puts it in place on a machine without configuration", async () => {
  using laptop = ownFolder();
  using vm = ownFolder();
  const home = await bridgeHome(laptop.path, { url: servers.resource.url });
  await signIn(home);
  const { grant } = await home.stored();
  const out = await runProgram(exportWords, { env: home.env, stdin: `${passphrase}\n` });
  expect(out.code).toBe(0);
  expect(out.stdout).not.toContain(grant.refreshToken);
  expect(JSON.stringify(await home.stored())).not.toContain(grant.refreshToken);
  const again = await runProgram(exportWords, { env: home.env, stdin: `${passphrase}\n` });
  expect(again.code).toBe(4);
  const there = {
    ...(await bridgeHome(vm.path, { url: servers.resource.url })),
    env: { ...home.env, HOME: vm.path },
  };
  await there.configure({});
  const encrypted = `${passphrase}\n${out.stdout}`;
  const wrong = await runProgram(importWords, { env: there.env, stdin: `wrong\n${out.stdout}` });
  expect(wrong.code).toBe(3);
  const put = await runProgram(importWords, { env: there.env, stdin: encrypted });
  expect({ code: put.code, stderr: put.stderr }).toEqual({
    code: 0,
    stderr: [
      "This sign-in is new here:",
      `  server    kb ${servers.resource.url}`,
      `  issuer    ${servers.provider.issuer}`,
      `  client    ${grant.client.id}`,
      `  account   ${grant.account ?? "not told"}`,
      "",
    ].join("\n"),
  });
  const child = await startRun(there);
  expect(await callTool(child)).toBe("done");
  await child.end();
  const mode = statSync(`${vm.path}/.codex-mcp-bridge/credentials/kb.json`).mode & 0o777;
  expect(mode).toBe(0o600);
  // The source no longer uses it, until the same text comes back.
  const source = await startRun(home);
  expect(await callTool(source)).toStartWith("1401 ");
  const back = await runProgram(withoutYes, { env: home.env, stdin: encrypted });
  expect({ code: back.code, stderr: back.stderr }).toEqual({ code: 0, stderr: "" });
  expect(await callTool(source)).toBe("done");
  await source.end();
});

test("credentials import refuses a server of the same name with another URL", async () => {
  using laptop = ownFolder();
  using vm = ownFolder();
  const home = await bridgeHome(laptop.path, { url: servers.resource.url });
  await signIn(home);
  const out = await runProgram(exportWords, { env: home.env, stdin: `${passphrase}\n` });
  const there = await bridgeHome(vm.path, { url: "https://other.example.com/mcp" });
  const put = await runProgram(importWords, {
    env: there.env,
    stdin: `${passphrase}\n${out.stdout}`,
  });
  expect(put.code).toBe(3);
  expect(put.stderr).toContain("another URL");
});

test.each([
  ["a full disk", "/dev/full", "stdout cannot be written to (the disk is full)"],
  ["a reader that is gone", undefined, "nobody reads the exported sign-in: it stays here"],
])("credentials export to %s says so, and the sign-in stays", async (_, path, words) => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const program = [...programWords, ...exportWords];
  // The reader ends long before the passphrase is made a key of.
  const piped = ["sh", "-c", '"$@" | :', "sh", ...program];
  const child = Bun.spawn(path === undefined ? piped : program, {
    env: home.env,
    stdin: new TextEncoder().encode(`${passphrase}\n`),
    stdout: path === undefined ? "ignore" : Bun.file(path),
    stderr: "pipe",
  });
  expect(await child.stderr.text()).toContain(`error: ${words}`);
  const run = await startRun(home);
  expect(await callTool(run)).toBe("done");
  await run.end();
});

test("credentials import refuses an entry that has a token of its own", async () => {
  using laptop = ownFolder();
  using vm = ownFolder();
  const home = await bridgeHome(laptop.path, { url: servers.resource.url });
  await signIn(home);
  const out = await runProgram(exportWords, { env: home.env, stdin: `${passphrase}\n` });
  const there = await bridgeHome(vm.path, { url: servers.resource.url, token: "some-token-12345" });
  const put = await runProgram(importWords, {
    env: there.env,
    stdin: `${passphrase}\n${out.stdout}`,
  });
  expect(put.code).toBe(3);
  expect(put.stderr).toContain("has a token of its own");
  expect(there.stored()).rejects.toThrow();
});

test("an encrypted export is decrypted by its passphrase only, and not after any change", async () => {
  const encrypted = await encryptExport("the text", passphrase);
  expect(
    await decryptExport(` ${encrypted.slice(0, 60)}\n${encrypted.slice(60)}\n`, passphrase),
  ).toBe("the text");
  expect(decryptExport(encrypted, "other")).rejects.toThrow("passphrase");
  const [mark, header, body] = encrypted.split(".");
  const parameters = JSON.parse(atob(header!.replaceAll("-", "+").replaceAll("_", "/")));
  const withHeader = (change: object) =>
    `${mark}.${btoa(JSON.stringify({ ...parameters, ...change })).replace(/=+$/, "")}.${body}`;
  expect(decryptExport(withHeader({ p: 2 }), passphrase)).rejects.toThrow("damaged");
  expect(decryptExport(withHeader({ N: 2 ** 24 }), passphrase)).rejects.toThrow("too high");
  expect(decryptExport(`${mark}.${header}.A${body}`, passphrase)).rejects.toThrow("damaged");
}, 20_000);

test("headers prints a valid token, and refreshes a token that has expired or that the server refuses", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const ask = async () => {
    const { stdout, code, stderr } = await runProgram(["headers", "-s", "kb"], { env: home.env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout).Authorization.replace("Bearer ", "");
  };
  const first = await ask();
  expect(await servers.provider.find(first)).toBeDefined();
  // Another thread of Codex asks at once: the token is good, and stays.
  expect(await ask()).toBe(first);
  // Codex asks again after a 401, in the same way.
  await servers.provider.revoke(first);
  const second = await ask();
  expect(second).not.toBe(first);
  expect(await servers.provider.find(second)).toBeDefined();
  const stored = await home.stored();
  const { handed: _, ...rest } = stored;
  const grant = { ...stored.grant, obtainedAt: 0, expiresAt: Date.now() - 1000 };
  await home.store({ ...rest, grant });
  expect(await ask()).not.toBe(second);
});

test("headers reports its timeout at once, and ends only when the rotated token is stored", async () => {
  using folder = ownFolder();
  const answered = Promise.withResolvers<void>();
  const slow = await startProvider({
    intercept({ form }, response) {
      if (form.get("grant_type") !== "refresh_token") return false;
      const end = response.end.bind(response);
      response.end = ((...words: Parameters<typeof end>) => {
        void answered.promise.then(() => end(...words));
        return response;
      }) as typeof response.end;
      return false;
    },
  });
  const server = startProtectedServer(slow);
  const home = await bridgeHome(folder.path, { url: server.url });
  await signIn(home);
  const stored = await home.stored();
  await home.store({ ...stored, grant: { ...stored.grant, obtainedAt: 0, expiresAt: 1 } });
  const late = startProgram(["headers", "-s", "kb"], home.env);
  await late.seen(/error: no token for server "kb" within 8 s/);
  answered.resolve();
  const { code, stdout } = await late.ended;
  expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
  expect((await home.stored()).grant.refreshToken).not.toBe(stored.grant.refreshToken);
  const next = await runProgram(["headers", "-s", "kb"], { env: home.env });
  expect([next.code, slow.tokenRequests("refresh_token").length]).toEqual([0, 1]);
  await server.close();
  await slow.close();
}, 30_000);

test("headers and --native refuse a sign-in that the server bound to DPoP", async () => {
  using folder = ownFolder();
  const bound = startProtectedServer(servers.provider, {
    metadata: (document) => ({ ...document, dpop_bound_access_tokens_required: true }),
  });
  const home = await bridgeHome(folder.path, { url: bound.url });
  await signIn(home);
  const headers = await runProgram(["headers", "-s", "kb"], { env: home.env });
  expect([headers.code, headers.stdout]).toEqual([3, ""]);
  expect(headers.stderr).toContain("uses DPoP, which needs the bridge for every request");
  const words = ["codex-config", "-s", "kb", "--native", "--command", "/usr/local/bin/bridge"];
  const native = await runProgram(words, { env: home.env });
  expect([native.code, native.stdout]).toEqual([1, ""]);
  expect(native.stderr).toContain("DPoP needs a proof for each request");
  await bound.close();
});

test("headers says that a sign-in is needed, with exit code 4", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {
    url: servers.resource.url,
    auth: { type: "oauth" },
  });
  const { code, stderr, stdout } = await runProgram(["headers", "-s", "kb"], { env: home.env });
  expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
  expect(stderr).toContain("codex-mcp-http-bridge login --server kb");
});

test("login refuses a server that has a token of its own", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, {
    url: servers.resource.url,
    token: "some-token-12345",
  });
  const login = startProgram(["login", "-s", "kb"], home.env);
  login.endInput();
  const { code, stderr } = await login.ended;
  expect(code).toBe(3);
  expect(stderr).toContain("has a token of its own");
});
