import { describe, expect, test } from "bun:test";
import { governed, matchesOrigin } from "../../src/config/governed.ts";
import { parsePolicy } from "../../src/config/policy-file.ts";
import { requireAllowed } from "../../src/config/requirements.ts";
import { bypassProblem, rulesOf } from "../../src/config/rules-of.ts";
import type { ServerSettings } from "../../src/config/settings.ts";
import { asyncFailure, failure } from "../support/failure.ts";
import { settingsOf } from "../support/settings.ts";

const file = "/etc/codex-mcp-bridge/policy.json";
const parse = (policy: object) => parsePolicy(JSON.stringify({ version: 1, ...policy }), file);
const ruled = async (entry: object, policy: object): Promise<ServerSettings> =>
  governed(settingsOf(entry, "/home/user/.bridge"), await parse(policy));
const origin = "https://kb.example";

describe("an origin in a policy", () => {
  test.each<[pattern: string, matching: string[], others: string[]]>([
    [
      "https://kb.example",
      ["https://kb.example/mcp", "https://KB.example:443/", "https://kb.example./mcp"],
      ["http://kb.example/", "https://kb.example:8443/", "https://a.kb.example/"],
    ],
    [
      "https://*.example",
      ["https://kb.example/", "https://a.b.example/", "https://kb.example./"],
      ["https://example/", "https://example.evil/", "https://kb.example:1/", "http://kb.example/"],
    ],
    ["https://*.example:8443", ["https://kb.example:8443/"], ["https://kb.example/"]],
    ["https://*:8443", ["https://kb.example:8443/"], ["https://kb.example/"]],
    ["https://kb.example", ["https://kb.example../"], ["https://kb..example/"]],
    ["https://*", ["https://a/", "https://a.b:8443/"], ["http://a/"]],
    ["http://[::1]:8080", ["http://[::1]:8080/mcp"], ["http://[::1]/"]],
  ])("%s", (pattern, matching, others) => {
    expect(matching.filter((url) => !matchesOrigin(pattern, new URL(url)))).toEqual([]);
    expect(others.filter((url) => matchesOrigin(pattern, new URL(url)))).toEqual([]);
  });

  test.each([
    "https://kb.example/",
    "https://kb.example/mcp",
    "https://KB.example",
    "https://kb.example:443",
    "https://*kb.example",
    "https://a.*.example",
    "https://*.*",
    "https://*.",
    "https://kb.example.",
    "https://kb.example.:8443",
    "https://user@kb.example",
    "*",
    "kb.example",
    "ftp://kb.example",
    "",
  ])("%p is refused", async (pattern) => {
    const error = await asyncFailure(() => parse({ origins: [pattern] }));
    expect(error.message).toContain("origins[0]: expected an origin");
  });
});

describe("a policy that is invalid is refused with its file and key", () => {
  test.each<[string, object | string, string]>([
    ["without its version", { version: undefined }, "version: missing"],
    ["of another version", { version: 2 }, "version: expected 1"],
    ["with an unknown key", { orgins: [] }, "orgins: unknown key (is it origins?)"],
    ["with rules that are no list", { rules: {} }, "rules: expected a list"],
    ["with a rule without an origin", { rules: [{}] }, "rules[0].origin: missing"],
    [
      "with an unknown rule",
      { rules: [{ origin, tools: { readonly: true } }] },
      "rules[0].tools.readonly: unknown key",
    ],
    [
      "with a list for tools",
      { rules: [{ origin, tools: [] }] },
      "rules[0].tools: expected an object",
    ],
    ["with a bad glob", { rules: [{ origin, tools: { deny: ["["] } }] }, "rules[0].tools.deny[0]"],
    [
      "with an audit without a file",
      { rules: [{ origin, audit: {} }] },
      "rules[0].audit.file: missing",
    ],
    ["with a word for a switch", { allowHttp: "no" }, "allowHttp: expected true or false"],
    ["that is a list", "[]", "expected an object"],
    ["that is empty", "", "line 1"],
    ["with a key twice", '{"version":1,"version":1}', "version"],
  ])("%s", async (_, policy, words) => {
    const text = typeof policy === "string" ? policy : JSON.stringify({ version: 1, ...policy });
    const error = await asyncFailure(() => parsePolicy(text, file));
    expect(error.kind).toBe("configuration");
    expect(error.message).toStartWith(file);
    expect(error.message).toContain(words);
    expect(error.hintText((line) => line)).toContain("setup --schema policy");
  });
});

test("allow lists are intersected, and every other rule is added up", async () => {
  const { tools } = await ruled(
    { tools: { allow: ["get_*"], deny: ["a"], pin: true } },
    {
      rules: [
        { origin, tools: { allow: ["*_x"], deny: ["b"], readOnly: true } },
        { origin: "https://*", tools: { pin: "terminal", repair: true } },
        { origin: "https://other.example", tools: { deny: ["*"] } },
      ],
    },
  );
  expect(tools).toEqual({
    allow: [["get_*"], ["*_x"]],
    deny: ["a", "b"],
    readOnly: true,
    pin: "terminal",
    repair: true,
  });
});

test("nothing that an entry says loosens a rule", async () => {
  const policy = {
    rules: [{ origin, tools: { allow: ["get"], deny: ["put"], readOnly: true, pin: "terminal" } }],
  };
  const { tools } = await ruled(
    { tools: { allow: ["*"], deny: [], readOnly: false, pin: false, repair: false } },
    policy,
  );
  expect(tools).toMatchObject({
    allow: [["*"], ["get"]],
    deny: ["put"],
    readOnly: true,
    pin: "terminal",
  });
  expect((await ruled({}, policy)).tools).toMatchObject({ allow: [["get"]], readOnly: true });
});

test("audits are added up, one for each file, with the fuller arguments", async () => {
  const { audits } = await ruled(
    { audit: { file: "a.jsonl", arguments: "hash" } },
    {
      rules: [
        { origin, audit: { file: "/var/log/a.jsonl" } },
        { origin, audit: { file: "/home/user/.bridge/a.jsonl", arguments: "full" } },
        { origin, audit: { file: "a.jsonl", arguments: "none" } },
      ],
    },
  );
  expect(audits).toEqual([
    { file: "/home/user/.bridge/a.jsonl", arguments: "full" },
    { file: "/var/log/a.jsonl", arguments: "none" },
  ]);
});

test.each<[policy: object, url: string, refused: string | undefined]>([
  [{ origins: ["https://*.example"] }, "https://kb.example/mcp", undefined],
  [{ origins: ["https://*.example"] }, "https://kb.evil/mcp", "does not list the origin"],
  [{ origins: [] }, "https://kb.example/mcp", "does not list the origin"],
  [{ origins: ["https://127.0.0.1"] }, "http://127.0.0.1:8080/mcp", "does not list the origin"],
  [{ allowHttp: false }, "http://10.0.0.1/mcp", "forbids plain http"],
  [{ allowHttp: false }, "http://127.0.0.1:8080/mcp", undefined],
  [{ allowHttp: true }, "http://10.0.0.1/mcp", undefined],
])("under %j the server %s meets the policy, or its words: %p", async (policy, url, words) => {
  const settings = await ruled({ url, allowHttp: true }, policy);
  if (words === undefined) return expect(requireAllowed(settings)).toBeUndefined();
  const error = failure(() => requireAllowed(settings));
  expect(error.kind).toBe("refused");
  expect(error.message).toContain(words);
  expect(error.hintText((line) => line)).toContain(file);
});

test("each rule is told with the file that it comes from", async () => {
  const settings = await ruled(
    { tools: { deny: ["a"], pin: true }, audit: { file: "/a" } },
    {
      origins: [],
      rules: [{ origin, tools: { allow: [], pin: "terminal" }, audit: { file: "/b" } }],
    },
  );
  expect(rulesOf(settings).map(({ rule, from }) => `${from}: ${rule}`)).toEqual([
    "config.json: tools.deny: a",
    "config.json: tools.pin",
    "config.json: audit: /a (arguments: none)",
    `${file}: not to be reached: the policy does not list the origin https://kb.example`,
    `${file}: tools.allow: nothing`,
    `${file}: tools.pin: terminal`,
    `${file}: audit: /b (arguments: none)`,
  ]);
  expect(rulesOf(settingsOf({ tools: { readOnly: true, repair: true } }, "/"))).toEqual([
    { rule: "tools.readOnly", from: "config.json" },
    { rule: "tools.repair", from: "config.json" },
  ]);
  const adHoc = { ...settingsOf({ tools: { deny: ["a"] } }, "/"), adHoc: { withheld: [] } };
  expect(rulesOf(adHoc)).toEqual([{ rule: "tools.deny: a", from: "the client's entry" }]);
});

test("a client may go without the bridge only where nothing rules the server", async () => {
  expect(bypassProblem(settingsOf({}, "/"))).toBeUndefined();
  expect(bypassProblem(settingsOf({ tools: { repair: true } }, "/"))).toContain("rules for tools");
  expect(bypassProblem(settingsOf({ audit: { file: "a" } }, "/"))).toContain("audit");
  expect(bypassProblem(await ruled({}, {}))).toContain(file);
});
