import { isatty } from "node:tty";
import { defineCommand, serverArgument } from "../cli/command.ts";
import { loadConfig, pickServer, readConfig } from "../config/load.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { Http } from "../http/client.ts";
import type { OAuth } from "../oauth/authorizer/open.ts";
import { StaticAuthorizer } from "../oauth/authorizer/static.ts";
import { BridgeError } from "../wire/errors.ts";
import { openServerOAuth } from "./auth/open-oauth.ts";

/**
 * Codex asks again after a 401, in a run that differs in nothing from the first. A token that was printed within this time
 * may have been refused: the server is asked.
 */
const mayBeRefusedMs = 60_000;
/** Codex gives the helper 10 s. */
const limitMs = 8000;

export const command = defineCommand({
  args: {
    server: serverArgument,
    show: { type: "boolean", description: "print the secret on a terminal as well" },
  },
  async run({ server: name, show }, context) {
    const config = await loadConfig(context.paths());
    const server = pickServer(config, name);
    if (isatty(1) && !show) {
      throw new BridgeError("usage", "headers prints a secret, and stdout is a terminal", {
        hint: "add --show if that is what you want",
      });
    }
    const { type } = server.credential;
    const isOAuth = type === "oauth" || type === "unset";
    const opened = isOAuth ? await openServerOAuth(server, context) : undefined;
    const oauth = opened?.oauth;
    const late = new BridgeError(
      "timeout",
      `no token for server "${server.name}" within ${limitMs / 1000} s`,
    );
    const clock = new AbortController();
    const timer = setTimeout(() => clock.abort(late), limitMs);
    try {
      const work = opened
        ? oauthHeaders(opened, clock.signal)
        : new StaticAuthorizer(server, {
            ...context,
            reload: async () => (await readConfig(config.paths))?.servers.get(server.name),
          }).headers({}, clock.signal);
      const lateness = new Promise<never>((_, reject) => {
        clock.signal.addEventListener("abort", () => reject(late), { once: true });
      });
      await context.print(`${JSON.stringify(await Promise.race([work, lateness]))}\n`);
    } catch (error) {
      if (error !== late) throw error;
      // The error is shown at once. The process ends later: a token that the server has rotated must be stored.
      context.note(`error: ${late.message}`);
      await oauth?.refresher.settled();
      return late.exitCode;
    } finally {
      clearTimeout(timer);
    }
    return 0;
  },
});

function needsProofs({ name }: ServerSettings): BridgeError {
  return new BridgeError(
    "configuration",
    `server "${name}" uses DPoP, which needs the bridge for every request`,
    { hint: (command) => `let Codex start the bridge: ${command("codex-config --write")}` },
  );
}

/** Names a token without showing it. */
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
    const made = await authorizer.headers(request, signal);
    const { Authorization = "" } = made;
    if (Authorization.startsWith("DPoP ")) throw needsProofs(server);
    return made;
  };
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
    // A server that cannot be reached has not refused the token.
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
