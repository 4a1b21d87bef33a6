// What a sign-in says to the client: our sentences, a checked URL, its host, a code; no text of a server.
import type { PendingSignIn } from "../../oauth/sign-in/interactive-sign-in.ts";
import { BridgeError } from "../../wire/errors.ts";
import { program } from "../../wire/program.ts";

/** The error of a call that nobody signs in for. */
export function signInRequired(name: string, login: string): BridgeError {
  const hint = `run ${login}`;
  return new BridgeError("sign-in-required", `server "${name}" needs a sign-in`, { hint });
}

/** The one line that a person reads in the client's prompt. */
export function promptText(name: string, { hosts, code, movedIssuer }: PendingSignIn): string {
  const enter = code === undefined ? "" : ` and make sure that it shows the code ${code}`;
  const moved =
    movedIssuer === undefined
      ? ""
      : ` Its authorization server is ${movedIssuer.to} now, not ${movedIssuer.from} as before.`;
  return `Server "${name}" (${hosts.server}) needs a sign-in: open the page at ${hosts.page}${enter}.${moved}`;
}

/** Parameters of an elicitation in URL mode (MCP 2025-11-25 client/elicitation), as JSON text. */
export function elicitation(name: string, pending: PendingSignIn): string {
  return JSON.stringify({
    mode: "url",
    message: promptText(name, pending),
    url: pending.url.href,
    elicitationId: pending.id,
  });
}

/** The one tool of a server that nobody is signed in to. */
export function signInTool(toolName: string, name: string, host: string, login: string) {
  return {
    name: toolName,
    title: `Sign in to ${name}`,
    description:
      `Server "${name}" (${host}) has tools, but nobody is signed in to it. Calling this tool starts the sign-in ` +
      "and returns a page to open and a code: show both to the user. After the sign-in, Codex must be restarted " +
      `to see the server's tools. The user may also run ${login} in a terminal.`,
    inputSchema: { type: "object", properties: {}, additionalProperties: false },
    annotations: { readOnlyHint: true, openWorldHint: true },
  };
}

/** What the tool `sign_in` answers, as JSON text of a result; `extra` are members that the modern era adds. */
export function signInResult(text: string, isError = false): string {
  return JSON.stringify({ content: [{ type: "text", text }], ...(isError && { isError }) });
}

/** The text with which the model sends its user to the page. */
export function pageText(name: string, { url, code, hosts }: PendingSignIn): string {
  const lines = [
    `Ask the user to open this page (at ${hosts.page}) and sign in to "${name}":`,
    "",
    url.href,
  ];
  if (code !== undefined) lines.push("", `The page must show, or asks for, this code: ${code}`);
  lines.push(
    "",
    `When the sign-in is done, the tools of "${name}" appear after a restart of Codex.`,
  );
  return lines.join("\n");
}

export function signedInText(name: string): string {
  return `The user is signed in to "${name}". Codex must be restarted to see the server's tools.`;
}

/** Marks an answer to initialize that stands in for the server's own. */
export const standInKey = `${program.name}/stand-in`;

/** The answer to `initialize` that stands in for the server's, as JSON text of a result. */
export function initializeResult(name: string, version: string, login: string): string {
  return JSON.stringify({
    protocolVersion: version,
    capabilities: { tools: { listChanged: true } },
    serverInfo: { name, version: program.version },
    instructions: `Nobody is signed in to "${name}" yet: run ${login}, then restart Codex.`,
    _meta: { [standInKey]: true },
  });
}
