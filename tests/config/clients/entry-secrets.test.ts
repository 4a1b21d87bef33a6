import { describe, expect, test } from "bun:test";
import { secretsIn } from "../../../src/config/clients/entry-secrets.ts";

const secret = "canary-of-the-entry";

describe("secretsIn finds the secrets of a client's entry", () => {
  test.each<[string, object]>([
    ["a variable", { env: { A: secret } }],
    ["a header with a scheme", { headers: { Authorization: `Bearer ${secret}` } }],
    ["a header in Codex's file", { http_headers: { "X-A": secret } }],
    ["a nested header", { requestInit: { headers: { "X-A": secret } } }],
    ["a key by its name", { apiKey: secret }],
    ["a client secret", { oauth: { clientSecret: secret } }],
    ["an option's value", { args: ["x", "--token", secret] }],
    ["an option with its value", { args: [`--api-key=${secret}`] }],
    ["a header in an argument", { args: ["--header", `Authorization: Bearer ${secret}`] }],
    ["a header without a space", { args: ["--header", `X-A:${secret}`] }],
    ["a query", { url: `https://a.example/mcp?k=${secret}` }],
    ["a query in an argument", { args: [`https://a.example/mcp?k=${secret}&x=1`] }],
    ["a password in a URL", { url: `https://u:${secret}@a.example/` }],
    ["an argument in a list of the command", { command: ["npx", "--key", secret] }],
    ["a variable of a container", { args: ["run", "-e", `A=${secret}`] }],
    ["a command line in one text", { command: `npx mcp-remote https://a.example/?k=${secret}` }],
  ])("%s", (_, entry) => expect(secretsIn(entry)).toContain(secret));

  test("what an ordinary entry shows is none", () => {
    const entry = {
      ...{ type: "http", command: "/usr/local/bin/npx", url: "https://a.example/mcp" },
      args: ["-y", "mcp-remote@latest", "https://a.example/mcp", "3334", "--debug"],
      env: { HOME: "/home/someone", PATH: "/usr/bin:/bin" },
      ...{ timeout: 5, enabled: true, description: "the wiki of the team" },
    };
    expect(secretsIn(entry)).toEqual([]);
  });
});
