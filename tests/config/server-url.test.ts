import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  expandedUrl,
  requireUrlVariables,
  serverUrlProblem,
  shownServerUrl,
} from "../../src/config/server-url.ts";
import { BridgeError } from "../../src/wire/errors.ts";

const settingsOf = (urlTemplate: string, env: Record<string, string>) => ({
  name: "kb",
  urlTemplate,
  url: expandedUrl(urlTemplate, env),
});

describe("variables in the URL of a server", () => {
  test.each([
    ["https://h.example/${TENANT}/mcp", { TENANT: "blue" }, "https://h.example/blue/mcp"],
    [
      "https://h.example/mcp?key=${KEY}",
      { KEY: "a&b=c#d" },
      "https://h.example/mcp?key=a%26b%3Dc%23d",
    ],
    [
      "https://h.example/${A}?k=${B}",
      { A: "a/../b?c#d", B: "ü +" },
      "https://h.example/a%2F..%2Fb%3Fc%23d?k=%C3%BC%20%2B",
    ],
    ["https://h.example/${A:-x}/${B:-y z}", { A: "" }, "https://h.example/x/y%20z"],
    ["https://h.example/a${A}b", { A: "\\..\\" }, "https://h.example/a%5C..%5Cb"],
  ])("%s with %j is %s", (template, env, expected) => {
    const settings = settingsOf(template, env);
    requireUrlVariables(settings, env);
    expect(settings.url.href).toBe(expected);
  });

  test("whatever a value is, it stays one segment of the path or one value of the query, or is refused", () => {
    const template = "https://h.example/a/${P}/c?q=${Q}&r=1";
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (value) => {
        const env = { P: value, Q: value };
        const settings = settingsOf(template, env);
        try {
          requireUrlVariables(settings, env);
        } catch (error) {
          expect(["kind" in (error as object), value]).toEqual([
            true,
            expect.stringMatching(/^\.\.?$/),
          ]);
          return;
        }
        const { host, pathname, searchParams, hash } = settings.url;
        const [, a, segment = "", c, ...more] = pathname.split("/");
        expect([host, a, c, more, hash]).toEqual(["h.example", "a", "c", [], ""]);
        expect(decodeURIComponent(segment)).toBe(value.toWellFormed());
        expect([...searchParams]).toEqual([
          ["q", value.toWellFormed()],
          ["r", "1"],
        ]);
      }),
    );
  });

  test.each([
    ["https://h.example/${TENANT}/mcp", {}, "the variable TENANT is not set"],
    ["https://h.example/mcp?key=${KEY}", { KEY: "" }, "the variable KEY is not set"],
    ["https://h.example/${A}/mcp", { A: ".." }, "would change the path"],
    ["https://h.example/${A}/mcp", { A: "." }, "would change the path"],
    ["https://h.example/.${A}/mcp", { A: "." }, "would change the path"],
  ])("%s with %j is an error of the configuration", (template, env, message) => {
    const check = () => requireUrlVariables(settingsOf(template, env), env);
    expect(check).toThrow(BridgeError);
    expect(check).toThrow(message);
  });

  test.each([
    "${SCHEME}://h.example/",
    "https://${HOST}/",
    "https://h.example:${PORT}/",
    "https://a${B}.example/mcp",
    "${URL}",
    "https://h.example${PATH}",
    "https://h.example/${}",
    "https://h.example/${A B}",
    "https://h.example/${A",
    "https://h.example/${1}",
  ])("%s is refused", (template) => {
    expect(serverUrlProblem(template, false)).toBeString();
    expect(serverUrlProblem(template, true)).toBeString();
  });

  test("are shown by name, and values of the query not at all", () => {
    const shown = (template: string) =>
      shownServerUrl(settingsOf(template, { A: "canary-1", B: "canary-2" }));
    expect(shown("https://h.example/${A}/mcp?k=${B}&k=2&l=literal")).toBe(
      "https://h.example/${A}/mcp?k=...&l=...",
    );
    expect(shown("https://h.example/${A}")).toBe("https://h.example/${A}");
  });
});

describe("plain http", () => {
  test.each(["http://localhost/x", "http://127.0.0.1:9/", "http://[::1]/"])(
    "%s is accepted",
    (url) => {
      expect(serverUrlProblem(url, false)).toBeUndefined();
    },
  );

  test.each(["http://10.0.0.2/mcp", "http://host/mcp", "http://h.example/${A}"])(
    "%s needs allowHttp; the refusal names it and the tunnel",
    (url) => {
      expect(serverUrlProblem(url, false)).toMatch(/ssh -L .*allowHttp/);
      expect(serverUrlProblem(url, true)).toBeUndefined();
    },
  );

  test.each(["ftp://10.0.0.2/", "http://u:p@10.0.0.2/", "http://10.0.0.2/#x", "http://${A}/"])(
    "%s is refused with allowHttp, too",
    (url) => {
      expect(serverUrlProblem(url, true)).toBeString();
    },
  );
});
