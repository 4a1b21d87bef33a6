import { isatty } from "node:tty";
import { type Context, defineCommand, serverArgument } from "../cli/command.ts";
import { confirmOnTerminal } from "../cli/passphrase-prompt.ts";
import { findServer } from "../config/ad-hoc.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { OAuth } from "../oauth/authorizer/open.ts";
import type { IssuerChange } from "../oauth/client/token-request-plan.ts";
import type { Grant } from "../oauth/core/grant.ts";
import { inLoginTurn } from "../oauth/sign-in/sign-in-locks.ts";
import { hasDesktop } from "../platform/browser.ts";
import { BridgeError } from "../wire/errors.ts";
import { cleanText } from "../wire/text.ts";
import { loginMethods } from "./auth/login-methods.ts";
import { openServerOAuth, requireOAuth } from "./auth/open-oauth.ts";

const defaultTimeoutSec = 300;

export const command = defineCommand({
  args: {
    server: serverArgument,
    "no-browser": {
      type: "boolean",
      description:
        "print the sign-in address; read the address of the browser's last page from stdin",
    },
    timeout: {
      type: "string",
      valueHint: "SEC",
      description: "stop waiting for the sign-in after this time (300)",
    },
  },
  async run({ server: name, "no-browser": noBrowser, timeout }, context) {
    const server = await findServer(context.paths(), name);
    requireOAuth(server);
    const seconds = timeoutSeconds(timeout);
    const timeoutError = new BridgeError(
      "sign-in-required",
      `the sign-in was not completed within ${seconds} s`,
      {
        hint: (command) => `run ${command(`login --server ${server.name}`)} again`,
      },
    );
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(timeoutError), seconds * 1000);
    try {
      const grant = await signInUnderLock(server, noBrowser, context, deadline.signal);
      const who = grant.account === undefined ? "" : ` as ${cleanText(grant.account, 200)}`;
      await context.print(`Signed in to "${server.name}"${who}\n`);
      clearTimeout(timer);
      await fillToolCache(server, context);
    } finally {
      clearTimeout(timer);
    }
    return 0;
  },
});

/**
 * Fetches the server's tool list into the cache, from which the next start of Codex is answered. A failure is reported; the
 * sign-in stays.
 */
async function fillToolCache(server: ServerSettings, context: Context): Promise<void> {
  const { silent, testOne } = await import("./test/test.ts");
  const { steps, tools } = await testOne(server, undefined, silent, context);
  const failure = steps.find(({ error }) => error !== undefined)?.error;
  if (failure === undefined)
    context.note(`The server has ${tools.length} ${tools.length === 1 ? "tool" : "tools"}.`);
  else context.note(context.redactor.shown(`The tools could not be listed: ${failure.message}`));
}

/** The value of `--timeout`. Throws `usage`. */
function timeoutSeconds(text: string | undefined): number {
  if (text === undefined) return defaultTimeoutSec;
  const seconds = Number(text);
  if (/^\d+$/.test(text) && seconds > 0 && seconds <= 86_400) return seconds;
  throw new BridgeError("usage", "--timeout is a number of seconds from 1 to 86400");
}

/**
 * Signs in while holding the lock of the server's sign-in, which all processes share. If another process signed in while this
 * one waited for the lock, resolves to the grant of that process.
 */
async function signInUnderLock(
  server: ServerSettings,
  noBrowser: boolean,
  context: Context,
  signal: AbortSignal,
): Promise<Grant> {
  const { oauth, http } = await openServerOAuth(server, context);
  const { grant: oldGrant } = await oauth.store.read();
  const waitNotice = setTimeout(
    () => context.note(`another process is signing in to "${server.name}": waiting for it`),
    500,
  );
  const signIn = async () => {
    clearTimeout(waitNotice);
    const { grant } = await oauth.store.read();
    const isNew = grant !== undefined && grant.accessToken !== oldGrant?.accessToken;
    if (isNew && grant.obtainedAt > startedAt) return grant;
    return signInNow(oauth, http, noBrowser, context, signal);
  };
  const startedAt = Date.now();
  try {
    return await inLoginTurn(server, signIn, signal);
  } finally {
    clearTimeout(waitNotice);
  }
}

/** Asks the user whether to sign in at an authorization server other than that of the last sign-in. */
function issuerQuestion({ context: { server } }: OAuth, context: Context) {
  return async ({ from, to, registersAnew }: IssuerChange): Promise<boolean> => {
    const [oldIssuer, newIssuer] = [from, to].map((issuer) => context.redactor.shown(issuer, 200));
    const change = `Server "${server.name}" names another authorization server now: ${newIssuer} in place of ${oldIssuer}.`;
    const answer = isatty(0) ? await confirmOnTerminal(`${change}\nSign in there?`) : undefined;
    if (answer !== undefined) return answer;
    // Nobody can be asked. A client id or secret from config.json must not reach the new authorization server unasked. A newly
    // registered client sends it neither of them, so the sign-in goes on.
    if (!registersAnew) return false;
    context.note(change);
    return true;
  };
}

async function signInNow(
  oauth: OAuth,
  http: Parameters<typeof import("../oauth/discovery/probe.ts").probe>[1],
  noBrowser: boolean,
  context: Context,
  signal: AbortSignal,
): Promise<Grant> {
  const { server } = oauth.context;
  const { probe } = await import("../oauth/discovery/probe.ts");
  const { ConfiguredHeaders } = await import("../oauth/authorizer/configured-headers.ts");
  const { prepare } = await import("../oauth/sign-in/prepare.ts");
  const { isMachineGrant, obtainByMachine } = await import("../oauth/client/machine-grants.ts");
  const acceptIssuer = issuerQuestion(oauth, context);
  const headers = await new ConfiguredHeaders(context).get(server);
  const { challenge, schemes, status } = await probe(server, http, headers, signal);
  if (isMachineGrant(oauth.context)) {
    const { store } = oauth;
    return store.locked(async () => {
      const stored = await store.read();
      const request = { stored, challenge, acceptIssuer, signal };
      const grant = await obtainByMachine(oauth.context, request);
      await store.writeNew({ ...stored, grant });
      return grant;
    });
  }
  if (status < 300 && server.credential.type === "unset") {
    throw new BridgeError("configuration", `server "${server.name}" asks for no sign-in`, {
      hint: (command) =>
        server.adHoc === undefined
          ? 'if some calls need a sign-in nevertheless, set "auth": {"type": "oauth"} in its entry'
          : `nothing is to be done: ${command(`test ${server.name}`)} shows its tools`,
    });
  }
  const { noSignIn } = await import("../oauth/sign-in/availability.ts");
  const unavailable = await noSignIn(oauth.context, { challenge, schemes }, signal);
  if (unavailable !== undefined) throw unavailable;
  const prepared = await prepare(oauth, { challenge, acceptIssuer, signal });
  const { signIn } = await import("../oauth/sign-in/sign-in.ts");
  const { PageOpener } = await import("../oauth/sign-in/page-opener.ts");
  const usesBrowser = !noBrowser && hasDesktop(context.env);
  const exposed = new AbortController();
  await using opener = new PageOpener({
    env: context.env,
    onExposed: (error) => exposed.abort(error),
  });
  const open = async (url: URL) => usesBrowser && (await opener.open(url));
  const methods = loginMethods(prepared, { context, open, isInteractive: isatty(0) });
  return await signIn(prepared, methods, AbortSignal.any([signal, exposed.signal]));
}
