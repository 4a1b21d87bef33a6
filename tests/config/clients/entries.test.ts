import { describe, expect, test } from "bun:test";
import { type Format, readValue } from "../../../src/config/clients/document.ts";
import { type ClientEntry, findEntries } from "../../../src/config/clients/entries.ts";
import type { BridgeError } from "../../../src/wire/errors.ts";

/** The error that a promise rejects with. */
const failureOf = (work: Promise<unknown>): Promise<BridgeError> =>
  work.then(
    () => Promise.reject(new Error("nothing was refused")),
    (error) => error,
  );

/** An entry without its empty fields. */
function brief({
  name,
  url,
  words,
  env,
  headers,
  isDisabled,
  unsupportedKeys,
  toolFilters,
}: ClientEntry): object {
  return {
    name,
    ...(url !== undefined && { url }),
    ...(words.length > 0 && { words: words.join(" ") }),
    ...(Object.keys(env).length > 0 && { env }),
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(isDisabled && { isDisabled }),
    ...(unsupportedKeys.length > 0 && { unsupportedKeys }),
    ...(toolFilters.length > 0 && { toolFilters }),
  };
}

const read = async (text: string, format: Format = "json") =>
  findEntries(await readValue(text, format, "the file")).map(brief);

const remote = { name: "kb", url: "https://kb.example/mcp" };

describe("findEntries reads the servers of a client's file", () => {
  test("Claude Desktop: entries with a command", async () => {
    const text = `{"globalShortcut": "", "mcpServers": {"kb": {"command": "npx",
      "args": ["mcp-remote", "https://kb.example/mcp"], "env": {"A": "b"}}}}`;
    expect(await read(text)).toEqual([
      { name: "kb", words: "npx mcp-remote https://kb.example/mcp", env: { A: "b" } },
    ]);
  });

  test("Claude Code: the user's servers and those of each project", async () => {
    const text = `{"mcpServers": {"kb": {"type": "http", "url": "https://kb.example/mcp",
      "headers": {"X-Key": "\${KEY:-none}"}, "headersHelper": "print-it"}},
      "projects": {"/home/someone/app": {"mcpServers": {"crm": {"type": "sse", "url": "https://crm.example/sse"}}}}}`;
    expect(await read(text)).toEqual([
      { ...remote, headers: { "X-Key": "${KEY:-none}" }, unsupportedKeys: ["headersHelper"] },
      { name: "crm", url: "https://crm.example/sse" },
    ]);
  });

  test(".mcp.json without mcpServers", async () => {
    expect(await read('{"kb": {"url": "https://kb.example/mcp"}, "note": 1}')).toEqual([remote]);
  });

  test("VS Code: servers, inputs, comments and trailing commas", async () => {
    const text = `// mine
    {"inputs": [{"id": "k", "type": "promptString"}],
     "servers": {"kb": {"type": "http", "url": "https://kb.example/mcp",
       "headers": {"Authorization": "Bearer \${input:k}",}, "envFile": ".env"},},}`;
    expect(await read(text)).toEqual([
      { ...remote, headers: { Authorization: "Bearer ${input:k}" }, unsupportedKeys: ["envFile"] },
    ]);
  });

  test("VS Code's settings: mcp.servers", async () => {
    expect(await read('{"mcp": {"servers": {"kb": {"url": "https://kb.example/mcp"}}}}')).toEqual([
      remote,
    ]);
  });

  test("Windsurf's serverUrl, Gemini's httpUrl before url, mcporter's baseUrl and token", async () => {
    const text = `\ufeff{"mcpServers": {
      "a": {"serverUrl": "https://a.example/mcp", "disabled": true},
      "b": {"url": "https://b.example/sse", "httpUrl": "https://b.example/mcp", "timeout": 5000},
      "c": {"baseUrl": "https://c.example/mcp", "bearerTokenEnv": "C_TOKEN"},
      "d": {"url": "https://d.example/mcp", "bearerToken": "tok"}}}`;
    expect(await read(text)).toEqual([
      { name: "a", url: "https://a.example/mcp", isDisabled: true },
      { name: "b", url: "https://b.example/mcp" },
      {
        name: "c",
        url: "https://c.example/mcp",
        headers: { Authorization: "Bearer ${C_TOKEN}" },
      },
      { name: "d", url: "https://d.example/mcp", headers: { Authorization: "Bearer tok" } },
    ]);
  });

  test("opencode: command as a list, remote servers, and the second form", async () => {
    const text = `{"mcp": {"kb": {"type": "remote", "url": "https://kb.example/mcp", "enabled": false},
      "l": {"type": "local", "command": ["npx", "mcp-remote"], "environment": {"A": "b"}}}}`;
    expect(await read(text)).toEqual([
      { ...remote, isDisabled: true },
      { name: "l", words: "npx mcp-remote", env: { A: "b" } },
    ]);
    expect(await read('{"mcp": {"servers": {"kb": {"url": "https://kb.example/mcp"}}}}')).toEqual([
      remote,
    ]);
  });

  test("Cline: the transport as an object, and its older flat form", async () => {
    const text = `{"mcpServers": {
      "kb": {"transport": {"type": "streamableHttp", "url": "https://kb.example/mcp", "headers": {"A": "b"}}},
      "l": {"command": "bunx", "args": ["mcp-remote"], "autoApprove": []}}}`;
    expect(await read(text)).toEqual([
      { ...remote, headers: { A: "b" } },
      { name: "l", words: "bunx mcp-remote" },
    ]);
  });

  test("Zed: context_servers, with the program as a string or an object", async () => {
    const text = `{"context_servers": {
      "kb": {"source": "custom", "url": "https://kb.example/mcp"},
      "l": {"command": {"path": "npx", "args": ["mcp-remote"], "env": {"A": "b"}}}}}`;
    expect(await read(text)).toEqual([
      remote,
      { name: "l", words: "npx mcp-remote", env: { A: "b" } },
    ]);
  });

  test("Continue: a list in YAML", async () => {
    const text = `name: mine
mcpServers:
  - name: kb # mine
    type: streamable-http
    url: https://kb.example/mcp
    requestOptions:
      headers:
        Authorization: Bearer \${{ secrets.KB }}
  - name: l
    command: npx
    args: [mcp-remote]
`;
    expect(await read(text, "yaml")).toEqual([
      { ...remote, headers: { Authorization: "Bearer ${{ secrets.KB }}" } },
      { name: "l", words: "npx mcp-remote" },
    ]);
  });

  test("anchors and merge keys of YAML", async () => {
    const text = `x: &shared
  A: b
mcpServers:
  kb:
    url: https://kb.example/mcp
    headers:
      <<: *shared
      C: d
`;
    expect(await read(text, "yaml")).toEqual([{ ...remote, headers: { A: "b", C: "d" } }]);
  });

  test("goose: extensions in YAML", async () => {
    const text = `extensions:
  developer: {enabled: true, type: builtin, name: developer}
  kb: {enabled: true, type: streamable_http, name: kb, uri: "https://kb.example/mcp"}
  l: {enabled: true, type: stdio, name: l, cmd: npx, args: [mcp-remote], envs: {A: b}}
`;
    expect(await read(text, "yaml")).toEqual([
      remote,
      { name: "l", words: "npx mcp-remote", env: { A: "b" } },
    ]);
  });

  test("Codex: entries with a URL and headers, and a profile's servers", async () => {
    const text = `[mcp_servers.kb]
url = "https://kb.example/mcp"
bearer_token_env_var = "KB"
http_headers = { X-Team = "blue" }
env_http_headers = { "X-Key" = "KEY" }
[profiles.work.mcp_servers.crm]
url = "https://crm.example/mcp"
`;
    const headers = { "X-Team": "blue", "X-Key": "${KEY}", Authorization: "Bearer ${KB}" };
    expect(await read(text, "toml")).toEqual([
      { ...remote, headers },
      { name: "crm", url: "https://crm.example/mcp" },
    ]);
  });

  test.each<[string, Format, string]>([
    ['{"mcpServers": {', "json", "line 1"],
    ['{"mcpServers": {"a": 1, "a": 2}}', "json", "the key stands twice"],
    ['{"a": "canary', "json", "line 1"],
    [`${"[".repeat(5000)}`, "json", "nested too deeply"],
    ["a: [", "yaml", "not YAML"],
    ["a: 1\na: 2\n", "yaml", "the key stands twice"],
    ["a: canary: b", "yaml", "not YAML"],
    ["[a", "toml", "the file: line 1"],
    ["mcp_servers = 1", "toml", "the file: mcp_servers is not a table"],
  ])("%p is refused with its place, and never quoted", async (text, format, said) => {
    const error = await failureOf(readValue(text, format, "the file"));
    expect(error.kind).toBe("configuration");
    expect(error.message).toContain(said);
    expect(error.message).not.toContain("canary");
  });

  test.each(["", " \n", "[]", "1", "null", '{"mcpServers": null}', '{"mcpServers": [1, "a"]}'])(
    "a file with %p has no servers",
    async (text) => expect(await read(text)).toEqual([]),
  );

  const bearer = { headers: { Authorization: "Bearer tok" } };
  const url = "https://kb.example/mcp";
  test.each<[string, object, object]>([
    ["requestInit", { url, requestInit: { headers: { Authorization: "Bearer tok" } } }, bearer],
    ["a transport beside requestInit", { transport: { url }, requestInit: bearer }, bearer],
    ["serverURL", { serverURL: url }, {}],
    ["server_url", { server_url: url }, {}],
    ["endpoint", { endpoint: url }, {}],
    ["apiKey", { url, apiKey: "tok" }, bearer],
    ["authorization_token", { url, authorization_token: "tok" }, bearer],
    ["auth as a token", { url, auth: "tok" }, bearer],
    ["auth as a word", { url, auth: "oauth" }, {}],
    ["another auth of Codex", { url, auth: "chatgpt" }, { unsupportedKeys: ["auth"] }],
    ["isActive", { url, isActive: false }, { isDisabled: true }],
    ["a provider", { url, authProviderType: "x" }, { unsupportedKeys: ["authProviderType"] }],
    ["an unknown key", { url, fooBar: 1, timeout: 3 }, { unsupportedKeys: ["fooBar"] }],
    ["a filter", { url, excludeTools: ["a"] }, { toolFilters: ["excludeTools"] }],
    ["filters of nothing", { url, tools: ["*"], disabledTools: [] }, {}],
    [
      "settings of requests",
      { url, requestOptions: { verifySsl: false, timeout: 3 } },
      {
        unsupportedKeys: ["requestOptions.verifySsl"],
      },
    ],
    ["headers as a list", { url, headers: ["A: b"] }, { unsupportedKeys: ["headers"] }],
    [
      "a header that is no text",
      { url, headers: { A: { env: "B" } } },
      {
        unsupportedKeys: ["headers.A"],
      },
    ],
  ])("of any client: %s", async (_, entry, expected) =>
    expect(await read(JSON.stringify({ mcpServers: { kb: entry } }))).toEqual([
      { ...remote, ...expected },
    ]),
  );

  test.each([
    ["a workspace of VS Code", { settings: { mcp: { servers: { kb: { url } } } } }],
    ["a container", { customizations: { vscode: { mcp: { servers: { kb: { url } } } } } }],
  ])("%s", async (_, file) => expect(await read(JSON.stringify(file))).toEqual([remote]));

  test("arguments as one text, and a port as a number", async () => {
    const text = `{"mcpServers": {"a": {"command": "npx", "args": "mcp-remote 'x y'"},
      "b": {"command": "npx", "args": ["mcp-remote", 3334, null]}}}`;
    expect(await read(text)).toEqual([
      { name: "a", words: "npx mcp-remote x y" },
      { name: "b", words: "npx mcp-remote 3334" },
    ]);
  });

  test("a server may be named __proto__", async () => {
    const [entry] = findEntries(
      await readValue('{"mcpServers": {"__proto__": {"url": "https://x.example/"}}}', "json", "f"),
    );
    expect(entry?.name).toBe("__proto__");
    expect(({} as { url?: string }).url).toBeUndefined();
  });
});
