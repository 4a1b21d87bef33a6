import { expect, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import { redirectError, statusError } from "../../../src/upstream/transport/status-errors.ts";
import { commandLineFor } from "../../../src/wire/program.ts";

const base = "https://kb.example/mcp";

test.each([
  ["/v2/mcp?key=1", "https://kb.example/v2/mcp"],
  ["https://other.example/mcp", "https://other.example/mcp"],
  ["http://localhost:8080/mcp", "http://localhost:8080/mcp"],
  ["https://other.example/a;id", "'https://other.example/a;id'"],
  ["https://other.example/$(id)", "'https://other.example/$(id)'"],
  ["https://other.example/it's", "'https://other.example/it'\\''s'"],
  ["https://user:pw@other.example/mcp", "https://other.example/mcp"],
])("a redirect to %s makes a command with the one word %s", (location, word) => {
  const error = redirectError("kb", 302, URL.parse(location, base));
  expect(error.hintText(commandLineFor(undefined))).toBe(
    `if you trust that address: codex-mcp-http-bridge setup --server kb --url ${word}`,
  );
});

test.each([
  "javascript:alert(1)",
  "blob:https://other.example/mcp",
  "file:///etc/passwd",
  "data:text/html,x",
  "http://other.example/mcp",
  `https://other.example/${"x".repeat(300)}`,
])("a redirect to %s makes no command", (location) => {
  const { hint } = redirectError("kb", 302, URL.parse(location, base));
  expect(hint).toBe("ask its operator for the URL of the MCP endpoint");
  expect(redirectError("kb", 302, null).hint).toBe(hint);
});

test.each([
  (words: string) => words,
  (words: string) => JSON.stringify({ message: words }),
  (words: string) => JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code: 1, message: words } }),
])("of a secret at the edge of the server's words nothing is shown (%#)", (bodyOf) => {
  const redactor = new Redactor();
  redactor.add("canary-token-4c1d9e");
  for (let before = 280; before <= 300; before++) {
    const body = bodyOf(`${"x".repeat(before)}canary-token-4c1d9e`);
    const { message } = statusError(new Response(null, { status: 500 }), body, "kb", redactor);
    expect(message).toStartWith('Server error: "kb" answered 500 and said: xxx');
    expect(message).not.toContain("can");
  }
});

test.each([400, 401, 402, 404, 409, 410, 422, 429, 500, 503])(
  "the server's reason is told for status %i, clean and bounded",
  (status) => {
    const body = JSON.stringify({ detail: `\u001b[31mno such ${"thing ".repeat(100)}` });
    const { message } = statusError(new Response(null, { status }), body, "kb", new Redactor());
    expect(message).toMatch(/ and said: \[31mno such thing .*…$/);
    expect(message.length).toBeLessThan(400);
  },
);
