import { expect, test } from "bun:test";
import fc from "fast-check";
import { findJsonProblem } from "../../src/config/json-document.ts";
import { parseStrict } from "../../src/config/strict-json.ts";
import {
  isLoopback,
  nameProblem,
  serverName,
  tokenProblem,
  urlProblem,
} from "../../src/config/validators.ts";
import { Redactor, shownUrl } from "../../src/platform/redact.ts";

const runs = { numRuns: Number(process.env.PROPERTY_RUNS ?? 300) };

test("plain http is allowed for exactly three hosts, in every spelling of the URL", () => {
  const host = fc.constantFrom(
    "localhost",
    "LOCALHOST",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "localhost.",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "[::]",
    "127.0.0.2",
    "evil.example",
  );
  const before = fc.constantFrom("", "user@", "127.0.0.1@", "localhost:80@", "a:b@");
  const rest = fc.constantFrom(
    "",
    "/",
    ":8080/mcp",
    "/\\@127.0.0.1",
    "/mcp#localhost",
    "?x=@localhost",
  );
  fc.assert(
    fc.property(host, before, rest, (name, user, tail) => {
      const text = `http://${user}${name}${tail}`;
      if (urlProblem(text) !== undefined) return;
      const url = new URL(text);
      expect(["localhost", "127.0.0.1", "[::1]"]).toContain(url.hostname);
      expect(isLoopback(url)).toBe(true);
      expect(url.username + url.password + url.hash).toBe("");
    }),
    { numRuns: 2000 },
  );
});

test("nameProblem accepts exactly the names that match the schema's pattern", () => {
  const name = fc.oneof(fc.stringMatching(/^[\w.-]{0,66}$/), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(name, (text) => {
      expect(nameProblem(text) === undefined).toBe(serverName.test(text));
    }),
    { numRuns: 2000 },
  );
});

test("a URL with a scheme other than https or http is refused", () => {
  const scheme = fc.constantFrom(
    "ftp",
    "file",
    "javascript",
    "data",
    "ws",
    "wss",
    "HTTPS",
    "https",
    "blob",
  );
  fc.assert(
    fc.property(scheme, fc.webPath(), (name, path) => {
      const isHttps = name.toLowerCase() === "https";
      expect(urlProblem(`${name}://host.example${path}`) === undefined).toBe(isHttps);
    }),
    runs,
  );
});

test("every valid token can be sent in a header", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      if (tokenProblem(text) !== undefined) return;
      expect(text).toMatch(/^[\x21-\x7e]+$/);
      expect(new Headers({ authorization: `Bearer ${text}` }).get("authorization")).toBe(
        `Bearer ${text}`,
      );
    }),
    runs,
  );
});

test("redacted text contains no encoding of a known secret", () => {
  const secret = fc.string({ unit: "grapheme-ascii", minLength: 8, maxLength: 60 });
  const form = fc.constantFrom<(s: string) => string>(
    (s) => s,
    (s) => JSON.stringify(s),
    (s) => encodeURIComponent(s),
    (s) => btoa(s),
    (s) => btoa(s).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""),
  );
  fc.assert(
    fc.property(secret, form, fc.string(), fc.string(), (text, write, before, after) => {
      // Too plain a secret is also ordinary text: `........` would be found in the dots that replace it.
      fc.pre(new Set(text).size > 3);
      const redactor = new Redactor();
      redactor.add(text);
      expect(redactor.redact(`${before}|${write(text)}|${after}`)).not.toContain(text);
    }),
    runs,
  );
});

test("a displayed URL contains no query value and no user name", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9]{12,20}$/), (secret) => {
      const url = new URL(`https://host.example/mcp?key=${secret}&key=${secret}2&other=${secret}`);
      expect(shownUrl(url)).toBe("https://host.example/mcp?key=...&other=...");
    }),
    runs,
  );
});

test("parseStrict agrees with JSON.parse, and findJsonProblem explains each refusal", async () => {
  const safe = (text: string) => !/__proto__|constructor|prototype/.test(text);
  const damaged = fc
    .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom("", '"', ",", "}", "1", "\n", "\\"))
    .map(([text, at, mark]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + mark + text.slice(place + (mark === "" ? 1 : 0));
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json({ maxDepth: 4 }), damaged).filter(safe), async (text) => {
      const got = parseStrict(text);
      if (got !== undefined) {
        expect(got).toEqual(JSON.parse(text));
        return;
      }
      const { message } = await findJsonProblem(text);
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      // Stricter than JSON.parse in one thing: no key may stand twice.
      if (isJson) expect(message).toBe("the key stands twice");
      else expect(message).not.toBe("expected JSON");
    }),
    runs,
  );
});
