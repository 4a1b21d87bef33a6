import { expect, test } from "bun:test";
import { Redactor } from "../../src/platform/redact.ts";

const token = "canary-token-4c1d9e";

test("a secret that begins with another secret is hidden whole", () => {
  const redactor = new Redactor();
  for (const secret of ["canary-a", "canary-abcd", "canary-ab"]) redactor.add(secret);
  expect(redactor.redact("it was canary-abcd")).toBe("it was ...");
});

test.each([
  "I got X-Pin: 4711abc",
  "I got x-pin=4711abc, which is wrong",
  '{"X-Pin":"4711abc"}',
  '{"headers": "{\\"x-pin\\": \\"4711abc\\"}"}',
  "X-Pin: Bearer 4711abc",
])("the value of a configured header is hidden by its name: %s", (text) => {
  const redactor = new Redactor();
  redactor.addHeader("X-Pin", "4711abc");
  expect(redactor.redact(text)).not.toContain("4711");
  expect(new Redactor().redact("4711abc and X-Pins")).toBe("4711abc and X-Pins");
});

test("a header's name may contain characters that have a meaning in regular expressions", () => {
  const redactor = new Redactor();
  redactor.addHeader("X.Key*", "abc");
  expect(redactor.redact("X.Key*: abc, XaKey: abc")).toBe("X.Key*: ..., XaKey: abc");
});

test("a configured header's value is also redacted without its scheme", () => {
  const redactor = new Redactor();
  redactor.addHeader("X-Auth", `Key ${token}`);
  expect(redactor.redact(`what is ${token}?`)).toBe("what is ...?");
});

test("a secret at the length limit is redacted whole", () => {
  const redactor = new Redactor();
  redactor.add(token);
  for (let before = 80; before <= 100; before++) {
    const shown = redactor.shown(`${"x".repeat(before)}${token} and more`, 100);
    expect(shown).not.toContain("can");
    expect(shown.length).toBeLessThanOrEqual(100);
  }
});

test.each([token, "secret/with+signs/in-it", 'quote"and\\slash/12'])(
  "wherever a text is cut, no part of a secret is left: %s",
  (secret) => {
    const redactor = new Redactor();
    for (const each of [secret, `${secret}-and-more`, "xx-another-secret"]) redactor.add(each);
    const texts = [secret, JSON.stringify(secret), encodeURIComponent(secret), btoa(secret)];
    for (const form of texts) {
      const text = `${form} ${form}: ${form}`;
      for (let end = 0; end <= text.length; end++) {
        const shown = redactor.redactCut(`~~${text.slice(0, end)}`);
        expect(shown.replaceAll(/[~ ":]|\.\.\./g, "")).toBe("");
        // Shortened before it was redacted: at most three characters are left.
        const late = redactor.shown(`~~${text.slice(0, end)}…`);
        expect(late.replaceAll(/[~ ":…]|\.\.\./g, "").length).toBeLessThan(4);
      }
    }
  },
);

test.each([
  ["proxy http://user:hunter2", "proxy http://..."],
  ["Bearer abc", "Bearer ..."],
  ["X-Pin: 47", "X-Pin: ..."],
  ["?code=ab", "?code=..."],
  ["plain words", "plain words"],
])(
  "a value without a known secret, whose end is missing, is hidden by its name: %s",
  (text, shown) => {
    const redactor = new Redactor();
    redactor.addHeader("X-Pin", "4711");
    expect(redactor.redactCut(text)).toBe(shown);
  },
);

test.each([
  "Ab%2fCd%3dEf-12345678",
  "Ab%2FCd%3DEf-12345678",
  "ab/cd=ef-12345678",
  "AB/CD=EF-12345678",
])("a secret is hidden in either case of its letters, and of its percent-encoding: %s", (text) => {
  const redactor = new Redactor();
  redactor.add("Ab/Cd=Ef-12345678");
  expect(redactor.redact(`text/${text}, İ ${text}`)).toBe("text/..., İ ...");
});

test("a secret is hidden whatever stands beside it, also where the lower case of its letters depends on that", () => {
  const redactor = new Redactor();
  for (const secret of ["ΑΒΓ-12345-ΣΑΣ", "İstanbul-12345"]) redactor.add(secret);
  expect(redactor.redact("ΑΒΓ-12345-ΣΑΣ, xΑΒΓ-12345-ΣΑΣy İİstanbul-12345İ")).toBe(
    "..., x...y İ...İ",
  );
});

test.each(["abcd%2fefgh%3d", "ABCD%2Fefgh%3D", "ABCD/efgh="])(
  "wherever a text is cut, no part of a secret is left, in either case of its letters: %s",
  (text) => {
    const redactor = new Redactor();
    redactor.add("abcd/EFGH=");
    for (let end = 1; end <= text.length; end++) {
      expect(redactor.redactCut(`İİ ${text.slice(0, end)}`)).toBe("İİ ...");
      const late = redactor.redact(`İİ ${text.slice(0, end)}…`);
      expect(late.replaceAll(/[ İ…]|\.\.\./g, "").length).toBeLessThan(4);
    }
  },
);

test("a secret is hidden in JSON that escapes its slashes", () => {
  const redactor = new Redactor();
  redactor.add("ab/cd/ef/gh");
  expect(redactor.redact('{"a":"ab\\/cd\\/ef\\/gh"}')).toBe('{"a":"..."}');
});

test("a value is redacted even if cleaning removed characters between its name and it", () => {
  expect(new Redactor().shown("Cookie\u200b:\u0000canary")).toBe("Cookie : ...");
});

test.each(["a.", "a", "bearer ", "authorization ", "://a", "code"])(
  "a megabyte of %j is redacted in linear time",
  (text) => {
    const long = text.repeat(1024 * 1024).slice(0, 1024 * 1024);
    expect(new Redactor().shown(long, 300).length).toBeLessThanOrEqual(303);
  },
);

test("an exempt text is shown unredacted, the text around it is redacted", () => {
  const redactor = new Redactor();
  redactor.add("secret-state");
  const page = "https://as.example.com/authorize?state=secret-state&code=1";
  redactor.exempt(page);
  expect(redactor.shown(`open ${page} or ${page}, not state=secret-state`)).toBe(
    `open ${page} or ${page}, not state=...`,
  );
});
