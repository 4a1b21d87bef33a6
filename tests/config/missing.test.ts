import { expect, test } from "bun:test";
import { requireNamedVariables } from "../../src/config/requirements.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import { commandLineFor } from "../../src/wire/program-facts.ts";
import { settingsOf } from "../support/settings.ts";

async function missing(entry: object, env: Record<string, string> = {}): Promise<BridgeError> {
  const error = await requireNamedVariables(settingsOf(entry, "/nonexistent"), env).catch((e) => e);
  expect(error).toBeInstanceOf(BridgeError);
  return error;
}

const command = commandLineFor(undefined);

test("all missing variables stand in one error, each with its place", async () => {
  const headers = { "X-Key": "${CRM_KEY}", "X-Team": "${TEAM}-${SUB}" };
  const error = await missing({ tokenEnv: "KB_TOKEN", headers }, { TEAM: "blue" });
  expect(error.message).toBe(
    'server "kb" names variables that are not set: KB_TOKEN (tokenEnv), CRM_KEY (header X-Key), SUB (header X-Team)',
  );
  expect(error.hintText(command, "claude-code")).toBe(
    "set KB_TOKEN and CRM_KEY and SUB where Claude Code starts, then start it again",
  );
});

test("a variable that is set to nothing is missing, and nothing is missing where all are set", async () => {
  expect((await missing({ tokenEnv: "KB_TOKEN" }, { KB_TOKEN: "" })).message).toContain("KB_TOKEN");
  const settings = settingsOf({ tokenEnv: "KB_TOKEN" }, "/nonexistent");
  await requireNamedVariables(settings, { KB_TOKEN: "x" });
});

test.each([
  [
    "codex-mcp-client",
    "set KB_TOKEN where Codex starts, then run codex-mcp-http-bridge codex-config --write (it passes the variable on)",
  ],
  ["claude-code", "set KB_TOKEN where Claude Code starts, then start it again"],
  ["opencode", "set KB_TOKEN where opencode starts, then start it again"],
  [
    "gemini-cli-mcp-client",
    'set KB_TOKEN where Gemini CLI starts; it passes it on if its entry holds "env": { "KB_TOKEN": "$KB_TOKEN" }, which codex-mcp-http-bridge client-config --for gemini --write writes',
  ],
  [
    "Visual Studio Code",
    'set KB_TOKEN where VS Code starts; it passes it on if its entry holds "env": { "KB_TOKEN": "${env:KB_TOKEN}" }, which codex-mcp-http-bridge client-config --for vscode --write writes',
  ],
  [
    "claude-ai",
    "Claude Desktop passes no variables on: store the secret itself by codex-mcp-http-bridge setup --server kb",
  ],
  [
    "somebody's client",
    "set KB_TOKEN where the client starts; codex-mcp-http-bridge client-config --for CLIENT --write passes it on",
  ],
  [
    undefined,
    "set KB_TOKEN where the client starts; codex-mcp-http-bridge client-config --for CLIENT --write passes it on",
  ],
])("client %s: the hint says how the variable gets here", async (client, hint) => {
  const error = await missing({ tokenEnv: "KB_TOKEN" });
  expect(error.message).toBe('tokenEnv of server "kb": the variable KB_TOKEN is not set');
  expect(error.hintText(command, client)).toBe(hint);
});

test.each([
  ["codex-mcp-client", 'set NOPE where Codex starts, and add "NOPE" to "env_vars" of its entry'],
  ["claude-code", "set NOPE where Claude Code starts, then start it again"],
  ["gemini-cli-mcp-client", 'add "NOPE" to "env" of the client\'s entry'],
  [undefined, 'add "NOPE" to "env" of the client\'s entry'],
])("a server named by URL, client %s: the hint names the client's entry", async (client, hint) => {
  const settings = settingsOf({ headers: { "X-Key": "${NOPE}" } }, "/nonexistent");
  const adHoc = { ...settings, adHoc: { withheld: [] } };
  const error: BridgeError = await requireNamedVariables(adHoc, {}).catch((e) => e);
  expect(error.hintText(command, client)).toBe(hint);
});
