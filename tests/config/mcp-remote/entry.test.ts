import { describe, expect, test } from "bun:test";
import { dropInWords } from "../../../src/cli/drop-in-words.ts";
import { findBridge } from "../../../src/commands/import/launcher.ts";
import { dropInOf } from "../../../src/config/mcp-remote/entry.ts";
import { asBridgeError } from "../../../src/wire/errors.ts";
import { splitWords } from "../../../src/wire/text.ts";
import { shapes } from "../../commands/import/shapes.ts";

/** The words of a shape and the variables before them. */
function wordsOf(line: string): { words: string[]; env: Record<string, string> } {
  const [first = "", ...others] = splitWords(line);
  const words = others.length === 0 ? splitWords(first) : [first, ...others];
  const env: Record<string, string> = {};
  while (/^[A-Z_0-9]+=/.test(words[0] ?? "")) {
    const [name = "", ...value] = words.shift()!.split("=");
    env[name] = value.join("=");
  }
  return { words, env };
}

const readFile = (path: string) => (path === "gone" ? undefined : '{"client_id":"file-id"}');

/** What becomes of the arguments of mcp-remote: the members of the entry, and the rest of the result. */
function resultOf(args: readonly string[], env: Record<string, string> = {}): object {
  try {
    const { entry, warnings, transport, holdsSecret } = dropInOf(args, { env, readFile });
    return {
      ...entry,
      ...(warnings.length > 0 && { warnings }),
      ...(transport !== undefined && { transport }),
      ...(holdsSecret && { holdsSecret }),
    };
  } catch (error) {
    return { refused: asBridgeError(error).message };
  }
}

describe("mcp-remote's arguments in public configuration files, with the launcher replaced", () => {
  const ours = shapes.flatMap(({ line, dropIn = {} }) => {
    const { words, env } = wordsOf(line);
    const bridge = findBridge(words);
    return bridge?.name === "mcp-remote"
      ? [[line, { args: bridge.args, env, dropIn }] as const]
      : [];
  });

  test("are 74 shapes", () => {
    expect(ours).toHaveLength(74);
  });

  test.each(ours)("%s", (_, { args, env, dropIn }) => {
    const result = resultOf(args, env);
    if ("refused" in dropIn) {
      expect(result).toEqual({ refused: expect.stringContaining(String(dropIn.refused)) });
      return;
    }
    expect(result).toEqual({ ...dropIn, url: args.find((word) => word.startsWith("http"))! });
  });
});

describe("other ways to write the arguments", () => {
  const url = "https://h.example/mcp";
  const auth = { headers: { Authorization: "Bearer ${TOKEN}" } };

  test.each<[readonly string[], object]>([
    [[url, "--header", "Authorization: Bearer ${TOKEN}"], { url, ...auth }],
    [[url, "--header", "Authorization:Bearer ${TOKEN}"], { url, ...auth }],
    [[url, "--header", "Authorization:   Bearer ${TOKEN}  "], { url, ...auth }],
    [[url, "--header=Authorization: Bearer ${TOKEN}"], { url, ...auth }],
    [[url, "--header", '"Authorization: Bearer ${TOKEN}"'], { url, ...auth }],
    [["--header", "Authorization: Bearer ${TOKEN}", url], { url, ...auth }],
    [["--header", "Authorization: Bearer ${TOKEN}", "--debug", url], { url, ...auth }],
    [
      [`"${url}"`, "3334"],
      { url, auth: { type: "oauth", redirectUri: "http://localhost:3334/oauth/callback" } },
    ],
    [[`'${url}'`], { url }],
    [[`${url} `], { url }],
    [[`${url}#part`], { url }],
    [[url, "-H", "X-A: b"], { url, warnings: ["-H is no option of mcp-remote: it has no effect"] }],
    [["-y", url], { url }],
    [[url, "--transport=sse-only"], { url, transport: "sse" }],
    [["--transport", "http-only", url], { url, transport: "http" }],
    [[url, "--foo=bar"], { url, warnings: ["--foo is no option of mcp-remote: it has no effect"] }],
    [
      [url, "--foo", "bar", "--ipv4"],
      {
        url,
        network: { ipFamily: 4 },
        warnings: ["--foo is no option of mcp-remote: it has no effect"],
      },
    ],
    [[url, "--header", "X-A: 1", "--header", "x-a: 2"], { url, headers: { "x-a": "2" } }],
    [
      [url, "--header", "no colon"],
      { url, warnings: ["a --header that is not Name:value is left out"] },
    ],
    [
      [url, "--header", "Accept: x", "--header", "Mcp-Session-Id: y"],
      {
        url,
        warnings: [
          "the header Accept is left out: the bridge sets it",
          "the header Mcp-Session-Id is left out: the bridge sets it",
        ],
      },
    ],
    [
      [url, "--header", "X-Api-Key: secret-value"],
      { url, headers: { "X-Api-Key": "secret-value" }, holdsSecret: true },
    ],
    [[`${url}?api_key=secret-value`], { url: `${url}?api_key=secret-value`, holdsSecret: true }],
  ])("%j", (args, expected) => {
    expect(resultOf(args)).toEqual(expected);
  });

  test.each([
    `npx -y mcp-remote ${url} --silent`,
    `-y mcp-remote@latest ${url} --silent`,
    `/c npx -y mcp-remote ${url} --silent`,
    `mcp-remote ${url} --silent`,
    `run ${url} --silent`,
    `${url} --silent`,
  ])("%s reaches the drop-in", (line) => {
    const words = dropInWords("codex-mcp-http-bridge", line.split(" "), {});
    expect(words).toEqual([url, "--silent"]);
  });
});

describe("each option", () => {
  const url = "https://h.example/mcp";
  const oauth = (auth: object) => ({ url, auth: { type: "oauth", ...auth } });
  const info = '{"client_id":"id","client_secret":"${SECRET}"}';

  test.each<[string, object]>([
    ["--resource https://r.example/", oauth({ resource: "https://r.example/" })],
    ["--disable-resource-parameter", oauth({ resource: false })],
    ["--authorize-param audience=a=b", oauth({ authorizeParams: { audience: "a=b" } })],
    ["--device-code", oauth({ grant: "device_code" })],
    ["--client-credentials", oauth({ grant: "client_credentials" })],
    [
      "--client-credentials --token-endpoint https://t.example/t",
      oauth({ grant: "client_credentials", tokenEndpoint: "https://t.example/t" }),
    ],
    ["--use-id-token", oauth({ useIdToken: true })],
    [
      "--client-metadata-url https://c.example/client.json --host 127.0.0.1 --callback-path /cb",
      {
        url,
        auth: {
          type: "oauth",
          clientMetadataUrl: "https://c.example/client.json",
          redirectUri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/cb$/),
        },
      },
    ],
    [
      "--client-metadata-url http://c.example/",
      { url, warnings: ["--client-metadata-url is no https URL with a path: it has no effect"] },
    ],
    ["--ignore-tool delete_* --ignore-tool x?", { url, tools: { deny: ["delete_*", "x\\?"] } }],
    ["--disable-cookies", { url, cookies: false }],
    ["--protocol legacy", { url, protocol: "session" }],
    ["--protocol auto", { url }],
    [
      "--protocol new",
      { url, warnings: ["--protocol is neither legacy nor auto: it has no effect"] },
    ],
    ["--ipv4", { url, network: { ipFamily: 4 } }],
    ["--keep-alive", { url, keepAliveSec: 30 }],
    ["--ping-interval 5", { url, keepAliveSec: 5 }],
    [
      "--connect-timeout 3 --headers-timeout 200 --body-timeout 0",
      { url, connectTimeoutSec: 3, timeoutSec: 86_400 },
    ],
    ["--enable-proxy --auth-timeout 60 --debug", { url }],
    [
      "--auth-success-url https://x.example/done",
      { url, warnings: ["--auth-success-url has no effect: the bridge shows a page of its own"] },
    ],
    [
      "--transport quick",
      {
        url,
        warnings: [
          "--transport is none of http-only, http-first, sse-only, sse-first: it has no effect",
        ],
      },
    ],
  ])("%s", (line, expected) => {
    expect(resultOf([url, ...line.split(" ")])).toEqual(expected);
  });

  test("variables in client information come from the environment", () => {
    const args = [url, "--client-credentials", "--static-oauth-client-info", info];
    expect(resultOf(args, { SECRET: 'quoted "s"' })).toEqual(
      oauth({ grant: "client_credentials", clientId: "id", clientSecret: 'quoted "s"' }),
    );
    expect(resultOf(args)).toEqual({
      refused: "--static-oauth-client-info: the variable SECRET is not set",
    });
  });

  test.each<[readonly string[], string]>([
    [[], "URL of an MCP server is missing"],
    [["ftp://h.example/"], "URL of an MCP server is missing"],
    [["https://"], "expected a URL"],
    [["http://h.example/mcp"], "allowHttp"],
    [["https://u:p@h.example/mcp"], "without user name"],
    [[url, "--resource", "not absolute"], "no absolute URI"],
    [[url, "--authorize-param", "state=x"], "cannot set state"],
    [[url, "--authorize-param", "x"], "no key=value"],
    [[url, "--token-endpoint", "https://t.example/t"], "needs --client-credentials"],
    [[url, "--client-credentials", "--token-endpoint", "http://t.example/t"], "expected https"],
    [[url, "--static-oauth-client-info", "canary"], "no JSON object"],
    [[url, "--static-oauth-client-info", "{}"], "names no client_id"],
    [[url, "--static-oauth-client-info", "@gone"], "cannot be read: gone"],
    [[url, "--header-file", "gone"], "cannot be read: gone"],
    [[url, "--header", "X-A: a\u0001canary"], "visible ASCII"],
  ])("%j is refused, without a secret", (args, message) => {
    const result = resultOf(args);
    expect(result).toEqual({ refused: expect.stringContaining(message) });
    expect(JSON.stringify(result)).not.toContain("canary");
  });
});
