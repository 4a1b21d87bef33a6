import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../src/config/load.ts";
import { homeOf } from "../../src/platform/paths.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { commandLineFor } from "../../src/wire/program-facts.ts";
import { asyncFailure } from "../support/failure.ts";

const paths = homeOf({ HOME: "/home/user" });
const secret = "canary-Zq7-secret";

/** The configuration with one server, whose entry is given as an object. */
const one = (entry: object) => JSON.stringify({ servers: { crm: entry } });
const url = "https://crm.example.com/mcp";

const wrong: [what: string, text: string, place: string, expected: string][] = [
  ["a missing URL", one({}), "servers.crm.url", "missing"],
  ["a URL that is no text", one({ url: 5 }), "servers.crm.url", "expected a URL"],
  ["plain http to another host", one({ url: "http://x.example/" }), "servers.crm.url", "ssh -L"],
  [
    "a host that only begins like localhost",
    one({ url: "http://localhost.evil.example/" }),
    "servers.crm.url",
    "ssh -L",
  ],
  ["userinfo", one({ url: `https://u:${secret}@x.example/` }), "servers.crm.url", "user name"],
  ["a fragment", one({ url: "https://x.example/#a" }), "servers.crm.url", "fragment"],
  ["another scheme", one({ url: "file:///etc/passwd" }), "servers.crm.url", "https://host/path"],
  ["an unknown key", one({ url, foo: secret }), "servers.crm.foo", "unknown key"],
  ["a key in another case", one({ url, timeoutsec: 1 }), "servers.crm.timeoutsec", "timeoutSec"],
  [
    "another word for pin",
    one({ url, tools: { pin: secret } }),
    "servers.crm.tools.pin",
    '"terminal"',
  ],
  ["rules that are no object", one({ url, tools: [] }), "servers.crm.tools", "not a list"],
  ["an unknown rule", one({ url, tools: { alow: [] } }), "servers.crm.tools.alow", "is it allow?"],
  [
    "a glob without its bracket",
    one({ url, tools: { allow: ["a", `{${secret}`] } }),
    "servers.crm.tools.allow[1]",
    '"}" for each "{"',
  ],
  [
    "a deny rule whose range breaks when case is ignored",
    one({ url, tools: { deny: ["[Z-_]"] } }),
    "servers.crm.tools.deny[0]",
    "ranges",
  ],
  ["an unknown key on top", `{"foo":"${secret}"}`, "foo", "unknown key"],
  [
    "an unknown key in auth",
    one({ url, auth: { type: "oauth", x: 1 } }),
    "servers.crm.auth.x",
    "unknown key",
  ],
  [
    "an unknown auth type",
    one({ url, auth: { type: secret } }),
    "servers.crm.auth.type",
    '"oauth"',
  ],
  ["auth without its kind", one({ url, auth: {} }), "servers.crm.auth.type", "missing"],
  [
    "an unknown grant",
    one({ url, auth: { type: "oauth", grant: secret } }),
    "servers.crm.auth.grant",
    "device_code",
  ],
  [
    "two credentials",
    one({ url, token: secret, tokenEnv: "A" }),
    "servers.crm",
    "token and tokenEnv",
  ],
  [
    "a token of two words",
    one({ url, token: `${secret} b` }),
    "servers.crm.token",
    "visible ASCII",
  ],
  [
    "a token with its scheme",
    one({ url, token: `Bearer ${secret}` }),
    "servers.crm.token",
    "Bearer",
  ],
  ["an empty token", one({ url, token: "  " }), "servers.crm.token", "not empty"],
  ["a variable that is none", one({ url, tokenEnv: "A-B" }), "servers.crm.tokenEnv", "variable"],
  [
    "a relative program",
    one({ url, tokenCommand: ["./x"] }),
    "servers.crm.tokenCommand",
    "absolute path",
  ],
  ["an empty command", one({ url, tokenCommand: [] }), "servers.crm.tokenCommand", "program"],
  [
    "a shell line as command",
    one({ url, tokenCommand: secret }),
    "servers.crm.tokenCommand",
    "program",
  ],
  [
    "the header Host",
    one({ url, headers: { Host: secret } }),
    "servers.crm.headers.Host",
    "another header",
  ],
  [
    "a header Mcp-",
    one({ url, headers: { "mcp-session-id": "x" } }),
    "servers.crm.headers.mcp-session-id",
    "another header",
  ],
  [
    "a header Accept-",
    one({ url, headers: { "Accept-Language": "x" } }),
    "servers.crm.headers.Accept-Language",
    "another",
  ],
  [
    "a header Content-",
    one({ url, headers: { "CONTENT-TYPE": "x" } }),
    "servers.crm.headers.CONTENT-TYPE",
    "another",
  ],
  [
    "the header Connection",
    one({ url, headers: { connection: "x" } }),
    "servers.crm.headers.connection",
    "another",
  ],
  ["a header's line end", one({ url, headers: { X: "a\r\nb" } }), "servers.crm.headers.X", "ASCII"],
  [
    "a header name with a space",
    one({ url, headers: { "X Y": "a" } }),
    "servers.crm.headers.X Y",
    "name of a header",
  ],
  [
    "a header repeated in another case",
    one({ url, headers: { "X-A": "a", "x-a": "b" } }),
    "servers.crm.headers.x-a",
    "once",
  ],
  ["a half variable", one({ url, headers: { X: "${A" } }), "servers.crm.headers.X", "${"],
  [
    "Authorization beside a token",
    one({ url, token: secret, headers: { authorization: "x" } }),
    "servers.crm.headers",
    "no Authorization header beside another credential",
  ],
  [
    "a SOCKS proxy",
    one({ url, network: { proxy: "socks5://x:1" } }),
    "servers.crm.network.proxy",
    "SOCKS",
  ],
  [
    "a certificate without key",
    one({ url, network: { clientCertFile: "x" } }),
    "servers.crm.network",
    "together",
  ],
  [
    "an unknown IP family",
    one({ url, network: { ipFamily: 5 } }),
    "servers.crm.network.ipFamily",
    "4 or 6",
  ],
  ["a negative time", one({ url, timeoutSec: -1 }), "servers.crm.timeoutSec", "1 to 86400"],
  ["a number as text", one({ url, timeoutSec: "10" }), "servers.crm.timeoutSec", "1 to 86400"],
  [
    "a message limit with a fraction",
    one({ url, limits: { messageMB: 1.5 } }),
    "servers.crm.limits.messageMB",
    "fraction",
  ],
  [
    "an unknown approval policy",
    one({ url, codex: { approval: "yes" } }),
    "servers.crm.codex.approval",
    "approve",
  ],
  [
    "id_jag without idp",
    one({ url, auth: { type: "oauth", grant: "id_jag" } }),
    "servers.crm.auth.idp",
    "needs it",
  ],
  [
    "two client secrets",
    one({ url, auth: { type: "oauth", clientSecret: secret, clientSecretEnv: "A" } }),
    "servers.crm.auth",
    "one client secret",
  ],
  ["a name with a space", `{"servers":{"a b":{"url":"${url}"}}}`, "servers.a b", "expected a name"],
  [
    "a name that is a path",
    `{"servers":{"../x":{"url":"${url}"}}}`,
    "servers.../x",
    "expected a name",
  ],
  [
    "names that differ in case",
    `{"servers":{"a":{"url":"${url}"},"A":{"url":"${url}"}}}`,
    "servers.A",
    '"a"',
  ],
  [
    "a repeated server name",
    `{"servers":{"a":{"url":"${url}"},"a":{"url":"${url}"}}}`,
    "servers.a",
    "twice",
  ],
  ["a key twice", `{"servers":{"a":{"url":"${url}","url":"${secret}"}}}`, "servers.a.url", "twice"],
  [
    "a key repeated with an escape",
    `{"servers":{"a":{"url":"${url}","\\u0075rl":"x"}}}`,
    "servers.a.url",
    "twice",
  ],
  ["__proto__", `{"servers":{"__proto__":{"url":"${url}"}}}`, "servers.__proto__", "unknown key"],
  [
    "a header named constructor",
    one({ url, headers: { constructor: "x" } }),
    "servers.crm.headers.constructor",
    "unknown key",
  ],
  ["servers as a list", '{"servers":[]}', "line 1: servers:", "an object, not a list"],
  ["a server as a list", '{"servers":{"a":[]}}', "servers.a:", "an object, not a list"],
  ...["network", "limits", "retry", "headers", "auth", "codex"].map(
    (key): [string, string, string, string] => [
      `${key} as a list`,
      one({ url, [key]: [secret] }),
      `servers.crm.${key}:`,
      "an object, not a list",
    ],
  ),
  [
    "an identity provider as a list",
    one({ url, auth: { type: "oauth", idp: [] } }),
    "servers.crm.auth.idp:",
    "an object, not a list",
  ],
  ["the top level's limits as a list", '{"limits":[]}', "limits:", "an object, not a list"],
  ["a list of lists", one({ url, env: [[secret]] }), "servers.crm.env", "expected"],
  ["a mistyped key", one({ url, tokenenv: secret }), "servers.crm.tokenenv", "is it tokenEnv?"],
  [
    "a mistyped key of auth",
    one({ url, auth: { type: "oauth", clientid: 1 } }),
    "auth",
    "clientId",
  ],
  [
    "a mistyped key of idp",
    one({ url, auth: { type: "oauth", idp: { isuer: 1 } } }),
    "idp",
    "issuer",
  ],
  ["a mistyped key of limits", one({ url, limits: { mesageMB: 1 } }), "limits", "is it messageMB?"],
  ["a mistyped key on top", '{"server":{}}', "server:", "is it servers?"],
  ["a key of another level", one({ url, messageMB: 1 }), "servers.crm.messageMB", "unknown key"],
  [
    "an invalid value on a later line",
    `{\n  "servers": {\n    "a": {\n      "url": "${url}",\n      "timeoutSec": 0\n    }\n  }\n}`,
    "config.json, line 5: servers.a.timeoutSec",
    "1 to 86400",
  ],
  [
    "a missing key on a later line",
    `{\n  "servers": {\n    "a": {\n      "timeoutSec": 1\n    }\n  }\n}`,
    "config.json, line 3: servers.a.url",
    "missing",
  ],
  [
    "a repeated key on a later line",
    `{"servers":{"a":{"url":"${url}",\n"token":"${secret}",\n"url":"${secret}"}}}`,
    "config.json, line 3: servers.a.url",
    "twice",
  ],
  ["a key that holds a terminal sequence", '{"\\u001b[2J\\u202ex":1}', "[2J x", "unknown key"],
  [
    "a list with a wrong element",
    one({ url, tokenCommand: ["a", 1] }),
    "tokenCommand[1]",
    "string",
  ],
  ["a server that is null", '{"servers":{"a":null}}', "servers.a", "expected an object"],
  ["another version", '{"version":2}', "version", "expected 1"],
  ["an empty file", "", "line 1, column 1", "ends early"],
  ["a cut file", `{"servers":\n {"a":`, "line 2, column 7", "ends early"],
  ["a trailing comma", `{"servers":{},}`, "line 1, column 15", "key in double quotes"],
  ["a comment", `// ${secret}\n{}`, "line 1, column 1", "JSON without comments"],
  ["a bare word", `{"servers":${secret}}`, "line 1, column 12", "expected a value"],
  ["two documents", `{}{}`, "line 1, column 3", "after the end"],
  [
    "an unended string",
    `{"servers":{"a":{"token":"${secret}`,
    "line 1, column 26",
    "without its end",
  ],
  ["a list for the whole", "[]", "config.json", "expected an object"],
  ["nesting without end", "[".repeat(100_000), "line 1, column", "nested too deeply"],
];

describe("an invalid configuration is refused with file, line and key path, without the value", () => {
  test.each(wrong)("%s", async (_, text, place, expected) => {
    const error = await asyncFailure(() => parseConfig(text, paths));
    expect(error.kind).toBe("configuration");
    expect(error.exitCode).toBe(3);
    expect(error.message).toStartWith(paths.configFile);
    expect(error.message).toContain(place);
    expect(error.message).toContain(expected);
    expect(`${error.message} ${error.hintText(commandLineFor(undefined))}`).not.toContain(secret);
    // What keeps secrets out of messages leaves the words that help.
    expect(new Redactor().redact(error.message)).toContain(expected);
  });
});
