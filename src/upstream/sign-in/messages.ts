// Every text of a sign-in for the client: our own sentences, a checked URL, its host, a code, and the cleaned cause of a failure.
import type { PendingSignIn } from "../../oauth/sign-in/interactive-sign-in.ts";
import { errorMeta } from "../../platform/run-id.ts";
import type { BridgeError } from "../../wire/errors.ts";
import { program } from "../../wire/program-facts.ts";

/** Marks our own question and its answer in a stateless client's call. */
export const inputKey = "bridge-sign-in";

/** The line that the user reads in the client's prompt. */
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

/** A tool result that the bridge gives in place of the server, as JSON text; `error`: the error kind, if the result is an error. */
export function signInResult(
  text: string,
  { isStateless, error }: { readonly isStateless: boolean; readonly error?: "sign-in-required" },
): string {
  return JSON.stringify({
    ...(isStateless && { resultType: "complete" }),
    content: [{ type: "text", text }],
    ...(error !== undefined && {
      isError: true,
      _meta: errorMeta(error),
    }),
  });
}

/** A text that ends with the page and its code: Codex shows its user the last lines of a result. */
function withPage(lines: readonly string[], { url, code }: PendingSignIn): string {
  const enter = code === undefined ? [] : [`The page must show, or asks for, this code: ${code}`];
  return [...lines, url.href, ...enter].join("\n");
}

/** The text of `sign_in` if no sign-in could be started. */
export function noSignInText(login: string, { message }: BridgeError): string {
  return `No sign-in could be started (${message}): ask the user to run ${login}.`;
}

/** The text of `sign_in`, with which the model sends its user to the page; `failure`: of the sign-in before. */
export function pageText(name: string, pending: PendingSignIn, failure?: BridgeError): string {
  const lines = [
    ...(failure === undefined ? [] : [`The sign-in before this one failed: ${failure.message}.`]),
    `When the sign-in is done, the tools of "${name}" appear after a restart of Codex.`,
    `Ask the user to open this page (at ${pending.hosts.page}) and sign in to "${name}":`,
  ];
  return withPage(lines, pending);
}

/** The text of a call that was not executed: nobody is signed in, and the client did not ask its user. */
export function repeatText(name: string, pending: PendingSignIn, login: string): string {
  const lines = [
    `The call was not executed: server "${name}" needs a sign-in, on the page below or by ${login} in a terminal.`,
    "The page is valid for ten minutes, and the repeated call waits until the user has signed in.",
    `Ask the user to open this page (at ${pending.hosts.page}) and sign in, then repeat the call:`,
  ];
  return withPage(lines, pending);
}

export function signedInText(name: string): string {
  return `The user is signed in to "${name}". Codex must be restarted to see the server's tools.`;
}

/** Marks a result of initialize that the bridge gave in place of the server. */
export const standInKey = `${program.name}/stand-in`;

/** The result of `initialize` that the bridge gives in place of the server, as JSON text. */
export function initializeResult(name: string, version: string, login: string): string {
  return JSON.stringify({
    protocolVersion: version,
    capabilities: { tools: { listChanged: true } },
    serverInfo: { name, version: program.version },
    instructions: `Nobody is signed in to "${name}" yet: run ${login}, then restart Codex.`,
    _meta: { [standInKey]: true },
  });
}
