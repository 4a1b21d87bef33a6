import { isatty } from "node:tty";
import { defineCommand, serverArgument } from "../cli/command.ts";
import { loadConfig, pickServer, readConfig } from "../config/load.ts";
import { bypassProblem } from "../config/rules-of.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { Http } from "../http/client.ts";
import type { OAuth } from "../oauth/authorizer/open.ts";
import { StaticAuthorizer } from "../oauth/authorizer/static.ts";
import { mayUseOAuth } from "../oauth/store/grant-owner.ts";
import { BridgeError } from "../wire/errors.ts";
import { openServerOAuth } from "./auth/open-oauth.ts";

/**
 * After a 401, Codex runs `headers` again with identical arguments. A run within this time after the last one may follow a
 * 401: then the bridge asks the server whether it still accepts the token.
 */
const mayBeRefusedMs = 60_000;
/** Codex ends the helper after 10 s. */
const timeoutMs = 8000;

export const command = defineCommand({
  args: {
    server: serverArgument,
    show: { type: "boolean", description: "print the secret on a terminal as well" },
  },
  async run({ server: name, show }, context) {
    const config = await loadConfig(context.paths());
    const server = pickServer(config, name);
    requirePrintable(server, show);
    const opened = mayUseOAuth(server) ? await openServerOAuth(server, context) : undefined;
    const oauth = opened?.oauth;
    const timeoutError = new BridgeError(
      "timeout",
      `no token for server "${server.name}" within ${timeoutMs / 1000} s`,
    );
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(timeoutError), timeoutMs);
    try {
      const headers = opened
        ? oauthHeaders(opened, deadline.signal)
        : new StaticAuthorizer(server, {
            ...context,
            reload: async () => (await readConfig(config.paths))?.servers.get(server.name),
          }).headers({}, deadline.signal);
      const timedOut = new Promise<never>((_, reject) => {
        deadline.signal.addEventListener("abort", () => reject(timeoutError), { once: true });
      });
      await context.print(`${JSON.stringify(await Promise.race([headers, timedOut]))}\n`);
    } catch (error) {
      if (error !== timeoutError) throw error;
      // The error is shown at once. The process waits for a refresh under way, or a rotated refresh token would be lost.
      context.note(`error: ${timeoutError.message}`);
      await oauth?.refresher.settled();
      return timeoutError.exitCode;
    } finally {
      clearTimeout(timer);
    }
    return 0;
  },
});

/** Throws `refused` if a rule for the server would be bypassed, and `usage` if the secret would appear on a terminal unasked. */
function requirePrintable(server: ServerSettings, isShown: boolean): void {
  const why = bypassProblem(server);
  if (why !== undefined) {
    throw new BridgeError("refused", `headers of server "${server.name}" are not printed: ${why}`, {
      hint: (command) => `let Codex start the bridge: ${command("codex-config --write")}`,
    });
  }
  if (isatty(1) && !isShown) {
    throw new BridgeError("usage", "headers prints a secret, and stdout is a terminal", {
      hint: "add --show to print it on the terminal",
    });
  }
}

function needsProofs({ name }: ServerSettings): BridgeError {
  return new BridgeError(
    "configuration",
    `server "${name}" uses DPoP, which needs the bridge for every request`,
    { hint: (command) => `let Codex start the bridge: ${command("codex-config --write")}` },
  );
}

/** SHA-256 of a token: recognizes the token without storing it. */
function digestOf(token: string): string {
  return new Bun.CryptoHasher("sha256").update(token).digest("base64url");
}

async function oauthHeaders(
  { oauth, http }: { readonly oauth: OAuth; readonly http: Http },
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const { store, refresher, authorizer } = oauth;
  const { server, auth } = oauth.context;
  const { signInRequired } = await import("../oauth/core/sign-in-required.ts");
  const { isMachineGrant } = await import("../oauth/client/machine-grants.ts");
  if (auth.dpop === true) throw needsProofs(server);
  const request = { method: "POST", url: server.url };
  const authorize = async () => {
    const authorized = await authorizer.headers(request, signal);
    const { Authorization = "" } = authorized;
    if (Authorization.startsWith("DPoP ")) throw needsProofs(server);
    return authorized;
  };
  /** Records that the token is printed, and resolves to its headers. */
  const handOut = async (headers: Record<string, string>, token: string) => {
    const digest = digestOf(token);
    await store.update((stored) => ({ ...stored, handed: { digest, at: Date.now() } }));
    return headers;
  };
  let headers = await authorize();
  const tokenIn = ({ Authorization }: Record<string, string>) =>
    /^Bearer (.*)$/.exec(Authorization ?? "")?.[1];
  let token = tokenIn(headers);
  if (token === undefined) {
    if (server.credential.type === "unset") return headers;
    if (!isMachineGrant(oauth.context)) throw signInRequired(oauth.context);
    await refresher.refresh({ sent: undefined });
  } else {
    const { handed } = await store.read();
    const mayBeRefused =
      handed?.digest === digestOf(token) && Date.now() - handed.at < mayBeRefusedMs;
    if (!mayBeRefused) return handOut(headers, token);
    const { probeHeaders } = await import("../oauth/discovery/probe.ts");
    // An unreachable server counts as no refusal of the token (status 0).
    const { status, challenge } = await probeHeaders(server, http, headers, signal).catch(() => ({
      status: 0,
      challenge: undefined,
    }));
    if (status !== 401) return handOut(headers, token);
    const refreshed = await refresher.refresh({ sent: token, refused: { challenge } });
    if (refreshed === undefined) throw signInRequired(oauth.context);
  }
  headers = await authorize();
  token = tokenIn(headers);
  if (token === undefined) throw signInRequired(oauth.context);
  return handOut(headers, token);
}
