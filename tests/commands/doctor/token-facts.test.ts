import { expect, test } from "bun:test";
import { expiryText, tokenFacts } from "../../../src/commands/doctor/token-facts.ts";

/** A JWT with these claims, given as JSON text, since JSON.stringify writes no number beyond a double. */
const jwt = (claims: string) =>
  `e30.${new TextEncoder().encode(claims).toBase64({ alphabet: "base64url", omitPadding: true })}.x`;

test.each(["1e400", "-1e400", "1e300", "-1", "null", '"soon"', "[]", "8.7e12"])(
  "a token's expiry that is no date is not told: %s",
  (exp) => {
    expect(tokenFacts(jwt(`{"exp":${exp},"scope":"a"}`))).toEqual({ scope: "a" });
  },
);

test.each([
  [0, "expired 20420 days ago"],
  [8_640_000_000_000, "expires in 99979580 days"],
  [1_764_288_000.5, "expires in 1 s"],
])("any date can be told: %d", (exp, text) => {
  const { expiresAt } = tokenFacts(jwt(`{"exp":${exp}}`));
  expect(expiryText(expiresAt!, 1_764_288_000_000)).toBe(text);
});

test("a certificate's date that cannot be read is told as such", () => {
  expect(expiryText(Number.NaN, 0)).toBe("expires at a time that cannot be read");
});
