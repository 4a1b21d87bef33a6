import { afterAll, beforeAll, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { decryptExport, encryptExport } from "../../../src/oauth/store/encrypted-export.ts";
import { ownFolder } from "../../support/folder.ts";
import {
  bridgeHome,
  callTool,
  signIn,
  startProgram,
  startRun,
} from "../../support/oauth-bridge.ts";
import { type AuthorizationServer, startProvider } from "../../support/oauth-provider.ts";
import { type ProtectedServer, startProtectedServer } from "../../support/oauth-resource.ts";
import { programWords, runProgram } from "../../support/program.ts";

let provider: AuthorizationServer;
let resource: ProtectedServer;

beforeAll(async () => {
  provider = await startProvider();
  resource = startProtectedServer(provider);
});

afterAll(async () => {
  await resource.close();
  await provider.close();
});

const passphrase = "correct horse battery";
const exportWords = ["credentials", "export", "-s", "kb", "--passphrase-fd", "0"];
const importWords = ["credentials", "import", "--passphrase-fd", "0"];

test("requirement 30: credentials export moves a sign-in, and import puts it in place on a machine without configuration", async () => {
  using laptop = ownFolder();
  using vm = ownFolder();
  const home = await bridgeHome(laptop.path, { url: resource.url });
  await signIn(home);
  const { grant } = await home.stored();
  const out = await runProgram(exportWords, { env: home.env, stdin: `${passphrase}\n` });
  expect(out.code).toBe(0);
  expect(out.stdout).not.toContain(grant.refreshToken);
  expect(JSON.stringify(await home.stored())).not.toContain(grant.refreshToken);
  const again = await runProgram(exportWords, { env: home.env, stdin: `${passphrase}\n` });
  expect(again.code).toBe(4);
  const there = {
    ...(await bridgeHome(vm.path, { url: resource.url })),
    env: { ...home.env, HOME: vm.path },
  };
  await there.configure({});
  const encrypted = `${passphrase}\n${out.stdout}`;
  const wrong = await runProgram(importWords, { env: there.env, stdin: `wrong\n${out.stdout}` });
  expect(wrong.code).toBe(3);
  const put = await runProgram(importWords, { env: there.env, stdin: encrypted });
  expect({ code: put.code, stderr: put.stderr }).toEqual({ code: 0, stderr: "" });
  const child = await startRun(there);
  expect(await callTool(child)).toBe("done");
  await child.end();
  const mode = statSync(`${vm.path}/.codex-mcp-bridge/credentials/kb.json`).mode & 0o777;
  expect(mode).toBe(0o600);
  // The source no longer uses it, until the same text comes back.
  const source = await startRun(home);
  expect(await callTool(source)).toStartWith("1401 ");
  await runProgram(importWords, { env: home.env, stdin: encrypted });
  expect(await callTool(source)).toBe("done");
  await source.end();
});

test("credentials import refuses a server of the same name with another URL", async () => {
  using laptop = ownFolder();
  using vm = ownFolder();
  const home = await bridgeHome(laptop.path, { url: resource.url });
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
  ["a full disk", "/dev/full", "stdout cannot be written to (ENOSPC)"],
  ["a reader that is gone", undefined, "nobody reads the exported sign-in: it stays here"],
])("credentials export to %s says so, and the sign-in stays", async (_, path, words) => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
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
  const home = await bridgeHome(laptop.path, { url: resource.url });
  await signIn(home);
  const out = await runProgram(exportWords, { env: home.env, stdin: `${passphrase}\n` });
  const there = await bridgeHome(vm.path, { url: resource.url, token: "some-token-12345" });
  const put = await runProgram(importWords, {
    env: there.env,
    stdin: `${passphrase}\n${out.stdout}`,
  });
  expect(put.code).toBe(3);
  expect(put.stderr).toContain("has a token of its own");
  expect(there.stored()).rejects.toThrow();
});

test("a sealed text opens with its passphrase only, and not after any change", async () => {
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

test("headers prints a valid token, and renews one that has ended or that the server refuses", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url });
  await signIn(home);
  const ask = async () => {
    const { stdout, code, stderr } = await runProgram(["headers", "-s", "kb"], { env: home.env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout).Authorization.replace("Bearer ", "");
  };
  const first = await ask();
  expect(await provider.find(first)).toBeDefined();
  // Another thread of Codex asks at once: the token is good, and stays.
  expect(await ask()).toBe(first);
  // Codex asks again after a 401, in the same way.
  await provider.revoke(first);
  const second = await ask();
  expect(second).not.toBe(first);
  expect(await provider.find(second)).toBeDefined();
  const stored = await home.stored();
  const { handed: _, ...rest } = stored;
  const grant = { ...stored.grant, obtainedAt: 0, expiresAt: Date.now() - 1000 };
  await home.store({ ...rest, grant });
  expect(await ask()).not.toBe(second);
});

test("headers that come too late say so at once, and end only when the rotated token is stored", async () => {
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

test("a sign-in bound by DPoP at the server's wish is none for headers nor for --native", async () => {
  using folder = ownFolder();
  const bound = startProtectedServer(provider, {
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
  const home = await bridgeHome(folder.path, { url: resource.url, auth: { type: "oauth" } });
  const { code, stderr, stdout } = await runProgram(["headers", "-s", "kb"], { env: home.env });
  expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
  expect(stderr).toContain("codex-mcp-http-bridge login --server kb");
});

test("login refuses a server that has a token of its own", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: resource.url, token: "some-token-12345" });
  const login = startProgram(["login", "-s", "kb"], home.env);
  login.endInput();
  const { code, stderr } = await login.ended;
  expect(code).toBe(3);
  expect(stderr).toContain("has a token of its own");
});
