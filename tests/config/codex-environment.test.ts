import { describe, expect, test } from "bun:test";
import { codexEnvironment, passedVariables } from "../../src/config/codex-environment.ts";
import { settingsOf } from "../support/settings.ts";

const settings = settingsOf({ tokenEnv: "KB_TOKEN" }, "/h");

describe("on Windows", () => {
  test("an entry names no variable that only other systems have, and each variable once", () => {
    const names = passedVariables(settings, "win32");
    for (const absent of [
      "DISPLAY",
      "WAYLAND_DISPLAY",
      "DBUS_SESSION_BUS_ADDRESS",
      "XDG_RUNTIME_DIR",
    ])
      expect(names).not.toContain(absent);
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
    expect(names).toContain("KB_TOKEN");
  });

  test("Codex passes the user's profile and the system's folders, and drops other systems' variables", () => {
    const all = {
      APPDATA: "C:\\a",
      HOME: "C:\\h",
      KB_TOKEN: "t",
      LOGNAME: "n",
      SYSTEMROOT: "C:\\w",
      USERPROFILE: "C:\\u",
    };
    const { LOGNAME: _, ...expected } = all;
    expect(codexEnvironment(all, settings, "win32")).toEqual(expected);
  });
});

test("elsewhere an entry names the variables of a desktop session and of proxies in both cases", () => {
  expect(passedVariables(settings, "linux")).toEqual(
    expect.arrayContaining(["DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "https_proxy", "HTTPS_PROXY"]),
  );
});
