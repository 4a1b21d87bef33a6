import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, existsSync } from "node:fs";
import { ownFolder } from "../support/folder.ts";
import { bridgeHome, callTool, startProgram, startRun } from "../support/oauth-bridge.ts";
import { oauthServers } from "../support/oauth-servers.ts";
import { type Browser, type Page, startChromium } from "./chromium.ts";

const servers = oauthServers();
let browser: Browser;

beforeAll(async () => {
  browser = await startChromium();
});

afterAll(() => browser.close());

const title = "document.querySelector('h1')?.textContent ?? ''";
const phone = { width: 320, height: 640, deviceScaleFactor: 2, mobile: true };

/** How the page stands on the screen: its colours, and whether anything is cut off. */
async function lookAt(page: Page, scheme: "light" | "dark") {
  const features = [{ name: "prefers-color-scheme", value: scheme }];
  await page.send("Emulation.setEmulatedMedia", { features });
  const canvas = "matchMedia('(prefers-color-scheme: dark)').matches";
  return {
    isDark: await page.evaluate<boolean>(canvas),
    // `color-scheme: light dark` lets the browser choose: the text must not be the colour of the ground.
    color: await page.evaluate<string>("getComputedStyle(document.body).color"),
    isAbandoned: await page.evaluate<boolean>("document.documentElement.scrollWidth > innerWidth"),
    size: await page.evaluate<string>("getComputedStyle(document.body).fontSize"),
  };
}

test("a whole sign-in in Chromium ends at a page that is fine on a phone, in the light and in the dark", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  const opened = `${folder.path}/opened`;
  const opener = `${folder.path}/opener`;
  await Bun.write(opener, `#!/bin/sh\necho "$1" > ${opened}.new && mv ${opened}.new ${opened}\n`);
  chmodSync(opener, 0o755);
  const login = startProgram(["login", "-s", "kb"], { ...home.env, BROWSER: opener });
  while (!existsSync(opened)) await Bun.sleep(5);
  // The loopback address that the browser is given redirects to the page at once.
  const url = (await Bun.file(opened).text()).trim();
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]+$/);
  const page = await browser.open();
  await page.send("Emulation.setDeviceMetricsOverride", phone);
  await page.send("Page.navigate", { url });
  await page.until("document.querySelector('input[name=login]')");
  await page.evaluate("document.querySelector('input[name=login]').value = 'ada'");
  await page.evaluate("document.querySelector('input[name=password]').value = 'any'");
  await page.evaluate("document.querySelector('form').submit()");
  await page.until("document.querySelector('input[value=consent]')");
  await page.evaluate("document.querySelector('form').submit()");
  await page.until(`${title}.includes('You are signed in')`);
  expect((await login.ended).code).toBe(0);
  const light = await lookAt(page, "light");
  const dark = await lookAt(page, "dark");
  expect(light).toEqual({ isDark: false, color: "rgb(0, 0, 0)", isAbandoned: false, size: "16px" });
  expect(dark).toEqual({
    isDark: true,
    color: "rgb(255, 255, 255)",
    isAbandoned: false,
    size: "16px",
  });
  expect(await page.evaluate<string>("document.body.innerText")).toContain(
    "You can close this tab.",
  );
  // Its own style passes its own policy; the browser asks for an icon, which is refused in silence or not at all.
  expect(
    page.complaints.filter((text) => /Content Security Policy/.test(text) && !/favicon/.test(text)),
  ).toEqual([]);
  const child = await startRun(home);
  expect(await callTool(child)).toBe("done");
  await child.end();
}, 120_000);

test("a refusal is told on the page with its reason, which brings no element with it", async () => {
  using folder = ownFolder();
  const home = await bridgeHome(folder.path, { url: servers.resource.url });
  const login = startProgram(["login", "-s", "kb", "--no-browser"], home.env);
  const [text] = await login.seen(/http:\/\/127\S+\/auth\?\S+/);
  const asked = new URL(text).searchParams;
  const answer = new URL(asked.get("redirect_uri")!);
  answer.search = new URLSearchParams({
    error: "access_denied",
    error_description: `<img src=x onerror="document.title='owned'"> ${"long".repeat(40)}`,
    state: asked.get("state")!,
    iss: servers.provider.issuer,
  }).toString();
  const page = await browser.open();
  await page.send("Emulation.setDeviceMetricsOverride", phone);
  await page.send("Page.navigate", { url: answer.href });
  await page.until(`${title}.includes('did not work')`);
  expect(await page.evaluate<number>("document.querySelectorAll('img').length")).toBe(0);
  expect(await page.evaluate<string>("document.body.innerText")).toContain("access_denied");
  expect((await lookAt(page, "dark")).isAbandoned).toBe(false);
  expect((await login.ended).code).toBe(4);
}, 120_000);
