import { expect, spyOn, test } from "bun:test";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PageOpener } from "../../../src/oauth/sign-in/page-opener.ts";
import type { BridgeError } from "../../../src/wire/errors.ts";
import { ownFolder } from "../../support/folder.ts";

const page = new URL(
  "https://as.example.com/authorize?state=secret-state&code_challenge=challenge",
);

/** An opener whose browser notes its arguments. */
async function opener(folder: string, isOwn?: () => boolean | undefined) {
  const noted = join(folder, "noted");
  const browser = join(folder, "browser");
  await Bun.write(browser, `#!/bin/sh\nprintf '%s\\n' "$@" > ${noted}\n`);
  chmodSync(browser, 0o755);
  const exposed: BridgeError[] = [];
  const made = new PageOpener({
    env: { BROWSER: browser, PATH: process.env.PATH ?? "" },
    onExposed: (error) => void exposed.push(error),
    ...(isOwn && { isOwn }),
  });
  expect(await made.open(page)).toBe(true);
  expect(existsSync(noted)).toBe(true);
  const [address = "", ...others] = readFileSync(noted, "utf8").trim().split("\n");
  expect(others).toEqual([]);
  return { made, exposed, address };
}

const get = async (address: string, init: RequestInit = {}) => {
  const response = await fetch(address, { redirect: "manual", ...init });
  return [response.status, response.headers.get("location")] as const;
};

test("the browser's arguments hold a loopback address only; it leads to the page once", async () => {
  using folder = ownFolder();
  const { made, exposed, address } = await opener(folder.path);
  await using _ = made;
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
  expect(await get(address, { method: "HEAD" })).toEqual([404, null]);
  expect(await get(new URL("/other", address).href)).toEqual([404, null]);
  expect(await get(address)).toEqual([302, page.href]);
  expect(await get(address)).toEqual([410, null]);
  expect(exposed).toHaveLength(process.platform === "linux" ? 0 : 1);
});

test("another user of the machine is not led to the page, and does not use it up", async () => {
  using folder = ownFolder();
  const { made, address } = await opener(folder.path);
  await using _ = made;
  const isRoot = process.geteuid?.() === 0;
  const { port, pathname } = new URL(address);
  const lines = `GET ${pathname} HTTP/1.1\\r\\nHost: 127.0.0.1:${port}\\r\\nConnection: close\\r\\n\\r\\n`;
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; printf '${lines}' >&3; cat <&3`;
  // Only root may become another user; for anybody else the user of this process counts as another one.
  const words = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  using other = isRoot
    ? undefined
    : spyOn(process, "geteuid").mockReturnValue((process.geteuid?.() ?? 0) + 1);
  const child = Bun.spawn([...words, "bash", "-c", script], { stdout: "pipe", stderr: "inherit" });
  const answer = await child.stdout.text();
  other?.mockRestore();
  expect(answer).toStartWith("HTTP/1.1 403");
  expect(answer).not.toContain("secret-state");
  expect(await get(address)).toEqual([302, page.href]);
});

test("if the owner of a connection is unknown, a second fetch ends the sign-in with an error that says why", async () => {
  using folder = ownFolder();
  const { made, exposed, address } = await opener(folder.path, () => undefined);
  await using _ = made;
  expect(await get(address)).toEqual([302, page.href]);
  expect(exposed).toEqual([]);
  expect(await get(address)).toEqual([410, null]);
  expect(exposed[0]?.kind).toBe("sign-in-required");
  expect(exposed[0]?.message).toContain("another user of this machine");
});

test("without a browser, open() resolves to false, and no listener is left after dispose", async () => {
  const made = new PageOpener({ env: { PATH: "/nowhere" }, onExposed: () => {} });
  expect(await made.open(page)).toBe(false);
  await made[Symbol.asyncDispose]();
});
