import { describe, expect, test } from "bun:test";
import { configText, resolveTemplate, templateOf } from "../../../src/config/clients/variables.ts";

const rewritten = (text: string, env: Record<string, string> = {}) =>
  configText(resolveTemplate(text, env, new Set()));

describe("variable syntax of the clients", () => {
  test.each([
    ["Bearer ${KEY}", "Bearer ${KEY}"],
    ["Bearer ${env:KEY}", "Bearer ${KEY}"],
    ["Bearer {env:KEY}", "Bearer ${KEY}"],
    ["Bearer $KEY", "Bearer ${KEY}"],
    ["$KEY", "${KEY}"],
    ["$env:KEY", "${KEY}"],
    ["${KEY:-none}", "${KEY:-none}"],
    ["${env:KEY:-}", "${KEY:-}"],
    ["${{ secrets.KEY }}", "${KEY}"],
    ["${input:github-token}", "${GITHUB_TOKEN}"],
    ["Bearer ${op://vault/item/field}", "Bearer ${VAULT_ITEM_FIELD}"],
    ["op://vault/item", "${VAULT_ITEM}"],
    ["{file:~/.secret}", "${SECRET}"],
    ["${keyring:1st}", "${SECRET_1ST}"],
    ["a${A}b${B}c", "a${A}b${B}c"],
    ["Bearer {{KEY}}", "Bearer ${KEY}"],
    ["${KEY-none}", "${KEY:-none}"],
    ["${KEY:?missing}", "${KEY}"],
    ["$(cat ~/key)", "${CAT_KEY}"],
    ["https://$host/mcp", "https://${host}/mcp"],
    ["https://x.example/$A/mcp?k=$B&l=1", "https://x.example/${A}/mcp?k=${B}&l=1"],
  ])("%s is %s in config.json", (text, expected) => {
    expect(rewritten(text)).toBe(expected);
  });

  test.each([
    ...["pa$$word", "abc$def", "a $b c", "$1", "100%", "{env}", "plain"],
    "https://x.example/$metadata/mcp",
  ])("%s contains no reference", (text) => expect(templateOf(text)).toEqual([text]));

  test("the entry's own variables are substituted, nested ones too, and a circle ends", () => {
    const env = { AUTH: "Bearer ${TOKEN}", TOKEN: "tok", SELF: "${SELF}", A: "${B}", B: "${A}" };
    const used = new Set<string>();
    expect(configText(resolveTemplate("${AUTH}", env, used))).toBe("Bearer tok");
    expect([...used]).toEqual(["AUTH", "TOKEN"]);
    expect(rewritten("${SELF}", env)).toBe("${SELF}");
    expect(rewritten("${A}", env)).toMatch(/^\$\{[AB]\}$/);
  });
});
