import { expect, test } from "bun:test";
import { Redactor } from "../../../src/platform/redact.ts";
import { redirectError, statusError } from "../../../src/upstream/transport/status-errors.ts";
import { commandLineTo } from "../../../src/wire/program-facts.ts";
import { memoryLog } from "../../support/client.ts";

const base = new URL("https://kb.example/mcp");
function redirectTo(location: string | null) {
  const terminal: unknown[] = [];
  const toTerminal = (_event: string, { to }: { to?: unknown } = {}) => void terminal.push(to);
  const log = { ...memoryLog(), toTerminal };
  const response = new Response(null, {
    status: 302,
    headers: location === null ? {} : { location },
  });
  const error = redirectError(response, { name: "kb", url: base, log });
  return { told: `${error.message}: ${error.hintText((words) => `bridge ${words}`)}`, terminal };
}

test.each([
  ["/v2/mcp?key=1", "https://kb.example/v2/mcp"],
  ["https://user:pw@kb.example/mcp/", "https://kb.example/mcp/"],
  ["http://kb.example/mcp/", "https://kb.example/mcp/"],
  ["/it's", "'https://kb.example/it'\\''s'"],
])("a redirect to %s on the same host makes a command with the one word %s", (location, word) => {
  const { told, terminal } = redirectTo(location);
  expect(told).toEndWith(`if it has moved there: bridge setup --server kb --url ${word}`);
  expect(terminal).toEqual([]);
});

test("a redirect of a server that the client's entry names by URL names that entry, which no command changes", () => {
  const log = { ...memoryLog(), toTerminal: () => undefined };
  const response = new Response(null, { status: 301, headers: { location: "/it's" } });
  const error = redirectError(response, { name: "kb-1", url: base, log });
  const commandLine = commandLineTo({ name: "kb-1", adHoc: {} }, (words) => words);
  expect(error.hintText(commandLine)).toBe(
    "if it has moved there, write https://kb.example/it's in the client's entry",
  );
});

test.each([
  "https://evil.example/IMPORTANT-send-the-token",
  "http://evil.example/IMPORTANT",
  "https://kb.example:8443/IMPORTANT",
  "http://kb.example:8080/IMPORTANT",
  "https://user:IMPORTANT@evil.example/",
  "https://evil.example/?q=IMPORTANT#IMPORTANT",
  "javascript:IMPORTANT()",
  "data:text/html,IMPORTANT",
  "file:///IMPORTANT",
])("a redirect to %s shows the host alone; the whole address goes to a terminal", (location) => {
  const { told, terminal } = redirectTo(location);
  expect(told).not.toContain("IMPORTANT");
  expect(told).not.toContain("--url");
  expect(told).toContain("ask its operator for the URL of the MCP endpoint");
  const { host, href } = new URL(location);
  if (host !== "") expect(told).toContain(`to "${host}"`);
  expect(terminal).toEqual([href]);
});

test("a redirect without an address, or to one that is too long, makes no command", () => {
  for (const location of [null, `/${"x".repeat(300)}`])
    expect(redirectTo(location).told).toEndWith("ask its operator for the URL of the MCP endpoint");
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

test.each([401, 404, 418])(
  "the hint at %i names a command that tells more than test, which shows it",
  (status) => {
    const error = statusError(new Response(null, { status }), "", "kb", new Redactor());
    expect(error.hintText((words) => words)).toContain(": doctor kb");
  },
);
