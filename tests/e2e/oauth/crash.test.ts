import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownFolder } from "../../support/folder.ts";
import { bridgeHome, initializeParams, signIn } from "../../support/oauth-bridge.ts";
import { oauthServers } from "../../support/oauth-servers.ts";
import { programWords, runProgram } from "../../support/program.ts";

const servers = oauthServers();

/** Makes a defect: with the first request that carries a token, an error that holds all of it is thrown where nobody catches. */
const defect = (how: string) => `const send = globalThis.fetch;
globalThis.fetch = (url, init) => {
  const { headers } = init;
  const authorization = new Headers(headers).get("authorization");
  const error = new Error("it broke with " + authorization, { cause: init });
  if (authorization) { Object.assign(error, { headers, init }); ${how} }
  return send(url, init);
};`;

test.each([
  ["an uncaught error", "setTimeout(() => { throw error; });", 1],
  ["an unhandled rejection", "void Promise.reject(error);", 1],
  ["a fault inside a request", "throw error;", 0],
])("%s with a secret in it shows none", async (_, how, code) => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const { grant } = await home.stored();
  const preload = join(folder.path, "defect.js");
  writeFileSync(preload, defect(how));
  const child = Bun.spawn([...programWords, "run", "--server", "kb"], {
    env: { ...home.env, LOG_LEVEL: "trace", BUN_OPTIONS: `--preload=${preload}` },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const params = JSON.parse(initializeParams());
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`);
  // A crash ends it; the end of the input must not be quicker.
  if (code === 0) await child.stdin.end();
  else await child.stdin.flush();
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(await child.exited).toBe(code);
  expect(stdout + stderr).toContain(code === 1 ? "it broke with" : '"kind":');
  expect(stderr).not.toContain("defect.js");
  for (const secret of [grant.accessToken, grant.refreshToken])
    expect((stdout + stderr).includes(secret)).toBe(false);
});

test("a stored value of the wrong type leaks no secret", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const stored = await home.stored();
  const { grant } = stored;
  const hostile = [
    { ...stored, clients: { "https://as.example": null } },
    { ...stored, grant: { ...grant, scope: { of: grant.accessToken }, expiresAt: 1 } },
    {
      ...stored,
      grant: { ...grant, tokenType: "DPoP", dpopKey: { kty: "EC", d: grant.refreshToken } },
    },
    { ...stored, grant: { ...grant, tokenEndpoint: `x:${grant.refreshToken}`, expiresAt: 1 } },
  ];
  for (const value of hostile) {
    for (const words of [["status"], ["headers", "-s", "kb"], ["test", "-s", "kb"]]) {
      await home.store(value);
      const { stdout, stderr } = await runProgram(words, { env: home.env });
      const shown = words[0] === "headers" ? stderr : stdout + stderr;
      for (const secret of [grant.accessToken, grant.refreshToken])
        expect({ words, shown, has: shown.includes(secret) }).toMatchObject({ has: false });
    }
  }
}, 30_000);

test("a secret that cannot be written is not shown instead", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  await signIn(home);
  const { grant } = await home.stored();
  const child = Bun.spawn([...programWords, "headers", "--server", "kb"], {
    env: home.env,
    stdin: "ignore",
    stdout: Bun.file("/dev/full"),
    stderr: "pipe",
  });
  const stderr = await child.stderr.text();
  expect(await child.exited).not.toBe(0);
  expect(stderr).not.toContain(grant.accessToken);
});
