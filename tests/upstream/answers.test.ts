import { expect, test } from "bun:test";
import { redirectError } from "../../src/upstream/answers.ts";

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
  const { hint } = redirectError("kb", 302, URL.parse(location, base));
  expect(hint).toBe(
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
