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
