import { expect, test } from "bun:test";
import { refusalError } from "../../../src/oauth/authorizer/refusal-error.ts";
import { Redactor } from "../../../src/platform/redact.ts";

function shown(body: string, wwwAuthenticate: string | null = null): string {
  const redactor = new Redactor();
  redactor.add("canary-token-9");
  const refusal = { status: 401, wwwAuthenticate, body, sent: {} };
  return refusalError(refusal, "kb", "hint", redactor).message;
}

test.each([
  ['{"error":"invalid_token","error_description":"expired"}', "expired"],
  ['{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no such user"}}', "no such user"],
  ['{"message":"bad key"}', "bad key"],
  ['{"detail":"bad key"}', "bad key"],
  ['{"error":"nope"}', "nope"],
  ["plain\u001b[31m words\u202e", "plain [31m words"],
  ['{"message":"bad token canary-token-9"}', "bad token ..."],
])("the server's own words in %s are shown, cleaned and without secrets", (body, words) => {
  expect(shown(body)).toBe(`Authentication failed: server "kb" answered 401 and said: ${words}`);
});

test.each(["<html>Sign in</html>", '{"a":1}', "[]", "  "])(
  "the body %s gives no reason",
  (body) => {
    expect(shown(body)).toBe('Authentication failed: server "kb" answered 401');
  },
);

test("the description in the challenge is shown where the body gives no reason", () => {
  const challenge = 'Bearer error="invalid_token", error_description="the \\"kb\\" token expired"';
  expect(shown("", challenge)).toEndWith('and said: the "kb" token expired');
});
