import { expect, test } from "bun:test";
import { type Pasted, pastedProblem, readPasted } from "../../../src/commands/setup/pasted.ts";

const url = "https://a.example/mcp";
const token: Partial<Pasted> = { credential: { type: "token", token: "t0k" } };
const key: Partial<Pasted> = { credential: { type: "headers" }, headers: { "X-Api-Key": "k" } };

const oauth = (client: object): Partial<Pasted> => ({
  credential: { type: "oauth" },
  settings: { oauth: client },
});

const rows: [text: string, beside: Partial<Pasted>][] = [
  [url, {}],
  [`  ${url}\n`, {}],
  ["a.example/mcp", {}],
  [`"${url}"`, {}],
  [`'${url}'`, {}],
  [`<${url}>`, {}],
  [`npx -y mcp-remote ${url}`, {}],
  [`npx mcp-remote@latest ${url} --header 'Authorization: Bearer t0k'`, token],
  [`claude mcp add --transport http kb ${url} --header "X-Api-Key: k"`, key],
  [`claude mcp add kb -- npx mcp-remote ${url}`, {}],
  [`claude mcp add-json kb '{"type":"http","url":"${url}"}'`, {}],
  [`codex mcp add kb --url ${url}`, {}],
  [`{"mcpServers":{"kb":{"command":"npx","args":["-y","mcp-remote","${url}"]}}}`, {}],
  [`"kb": {"url": "${url}", "headers": {"Authorization": "Bearer t0k"}},`, token],
  [`{"url":"${url}"}`, {}],
  [`$ npx -y mcp-remote ${url}`, {}],
  [`{"mcpServers": {"kb": {"url": "${url}", "headers": {"X-Api-Key": "k",},},},}`, key],
  [`{"servers": {"kb": {"type": "http", "url": "${url}"}}}`, {}],
  [`{"mcp": {"kb": {"type": "remote", "url": "${url}", "enabled": true}}}`, {}],
  [`{"context_servers": {"kb": {"url": "${url}"}}}`, {}],
  [`gemini mcp add --transport http kb ${url}`, {}],
  [`code --add-mcp '{"name":"kb","type":"http","url":"${url}"}'`, {}],
  [`claude mcp add --transport http --client-id c kb ${url}`, oauth({ clientId: "c" })],
  [
    `npx -y mcp-remote ${url} --static-oauth-client-info '{"client_id":"c","client_secret":"s3c"}'`,
    oauth({
      ...{ clientId: "c", clientSecret: "s3c" },
      redirectUri: "http://localhost:46946/oauth/callback",
    }),
  ],
  [
    `{"kb": {"url": "${url}", "auth": {"CLIENT_ID": "c", "scopes": ["a"]}}}`,
    oauth({ clientId: "c", scopes: ["a"] }),
  ],
];

test.each(rows)("%s holds a server", (text, beside) => {
  const { notes, headers, ...pasted } = readPasted(text);
  expect(pastedProblem(text)).toBeUndefined();
  expect({ ...pasted, ...(pasted.credential?.type === "headers" && { headers }) }).toEqual({
    url,
    ...beside,
  });
});

test("a loopback address without a scheme is plain http", () => {
  expect(readPasted("localhost:3000/mcp").url).toBe("http://localhost:3000/mcp");
  expect(readPasted("localhost.a.example/mcp").url).toBe("https://localhost.a.example/mcp");
});

test.each(["", "two words", "{broken", '{"command":"npx","args":["a-local-server"]}', "ftp://x/y"])(
  "%j is refused",
  (text) => {
    expect(pastedProblem(text)).toBeDefined();
  },
);

test("a text of hostile size is refused", () => {
  expect(pastedProblem("{".repeat(100_000))).toBeDefined();
  expect(pastedProblem('"'.repeat(100_000))).toBeDefined();
});
