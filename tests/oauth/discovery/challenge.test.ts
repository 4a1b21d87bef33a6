import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { bearerChallenge, parseChallenges } from "../../../src/oauth/discovery/challenge.ts";

test.each([
  ['Bearer resource_metadata="https://a/b"', "https://a/b"],
  ['bearer RESOURCE_METADATA="https://a/b"', "https://a/b"],
  ['Basic realm="x", Bearer error="invalid_token", resource_metadata="https://a/b"', "https://a/b"],
  [
    'Bearer realm="a, Bearer resource_metadata=\\"https://evil\\"", resource_metadata="https://a/b"',
    "https://a/b",
  ],
  ['Negotiate abc123==, Bearer resource_metadata="https://a/b"', "https://a/b"],
  ['Digest qop="auth", nonce="1", Bearer resource_metadata = "https://a/b"', "https://a/b"],
  ['Bearer realm="x", Bearer resource_metadata="https://a/b"', "https://a/b"],
  [', , Bearer ,resource_metadata="https:\\/\\/a/b"', "https://a/b"],
  ["Bearer resource_metadata=https", "https"],
  ["Bearer realm=x, resource_metadata=https://a/b?c=d, scope=mcp", "https://a/b?c=d"],
  [
    'Bearer realm="x", error="invalid_token", Basic realm="y", Bearer resource_metadata=https://a/b',
    "https://a/b",
  ],
  ['Bearer realm="x"; resource_metadata="https://a/b"', "https://a/b"],
  ['Bearer realm="x" resource_metadata="https://a/b"', "https://a/b"],
  ['Basic resource_metadata="https://not-ours"', undefined],
  ["Bearer", undefined],
  ['Bearer resource_metadata="unfinished', undefined],
])("the challenge of %p names the metadata %p", (header, expected) => {
  expect(bearerChallenge(header)?.resourceMetadata).toBe(expected as string);
});

test("scope and error come from the Bearer challenge only", () => {
  const header =
    'Basic scope="wrong", error="wrong", Bearer scope="mcp mcp:write", error="insufficient_scope"';
  expect(bearerChallenge(header)).toEqual({
    scheme: "bearer",
    scope: "mcp mcp:write",
    error: "insufficient_scope",
  });
});

test("a DPoP challenge is read where there is no Bearer challenge", () => {
  expect(bearerChallenge('DPoP algs="ES256", error="use_dpop_nonce"')).toEqual({
    scheme: "dpop",
    error: "use_dpop_nonce",
  });
  expect(bearerChallenge(null)).toBeUndefined();
});

test("any header text is parsed without an error and in linear time", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      expect(parseChallenges(text)).toBeArray();
    }),
  );
  const hostile = `Bearer a="${"\\".repeat(30_000)}`;
  const started = performance.now();
  parseChallenges(hostile);
  parseChallenges(`Bearer ${"a=,".repeat(10_000)}`);
  expect(performance.now() - started).toBeLessThan(500);
});

test("a quoted value keeps any text", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 50 }), (value) => {
      const quoted = `"${value.replace(/[\\"]/g, "\\$&")}"`;
      const found = bearerChallenge(`Basic a="b", Bearer error=${quoted}`);
      expect(found?.error).toBe(value);
    }),
  );
});
