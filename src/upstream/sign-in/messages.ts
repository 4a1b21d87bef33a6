// Every text of a sign-in for the client: our own sentences, a checked URL, its host, a code, and the cleaned cause of a failure.
import type { PendingSignIn } from "../../oauth/sign-in/interactive-sign-in.ts";
import type { BridgeError } from "../../wire/errors.ts";
import { toolsArrive } from "../core/client-traits.ts";
import type { ClientFacts } from "../core/types.ts";

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

/** What the texts name: the server and the client. */
export interface SignInFacts {
  /** Name of the server's entry. */
  readonly name: string;
  /** The command that signs in, ready to copy. */
  readonly login: string;
  readonly client: ClientFacts;
}

/** The one tool of a server that nobody is signed in to; `host`: of the server's URL. */
export function signInTool(
  toolName: string,
  { name, login, client, host }: SignInFacts & { readonly host: string },
) {
  return {
    name: toolName,
    title: `Sign in to ${name}`,
    description:
      `Server "${name}" (${host}) has tools, but nobody is signed in to it. Calling this tool starts the sign-in ` +
      `and returns a page to open and a code: show both to the user. After the sign-in, ${toolsArrive(client)}. ` +
      `The user may also run ${login} in a terminal; this tool then reports that the user is signed in.`,
    inputSchema: { type: "object", properties: {}, additionalProperties: false },
    annotations: { readOnlyHint: true, openWorldHint: true },
  };
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
export function pageText(
  { name, client }: SignInFacts,
  pending: PendingSignIn,
  failure?: BridgeError,
): string {
  const lines = [
    ...(failure === undefined ? [] : [`The sign-in before this one failed: ${failure.message}.`]),
    `When the sign-in is done, ${toolsArrive(client)}.`,
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

export function signedInText({ name, client }: SignInFacts): string {
  return `The user is signed in to "${name}": ${toolsArrive(client)}.`;
}

/** The instructions of a server that nobody is signed in to. */
export function instructions({ name, login, client }: SignInFacts): string {
  return `Nobody is signed in to "${name}" yet: the user signs in by the tool offered here, or runs ${login}. After the sign-in, ${toolsArrive(client)}.`;
}
