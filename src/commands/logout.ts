import { defineCommand, serverArgument } from "../cli/command.ts";
import { findServer } from "../config/ad-hoc.ts";
import { cacheFile } from "../platform/paths.ts";
import { ServerCache } from "../platform/server-cache.ts";
import { cacheKeyName } from "../upstream/catalog/entry.ts";
import { asBridgeError } from "../wire/errors.ts";
import { openServerOAuth } from "./auth/open-oauth.ts";

/** Timeout of the token revocation. After it the local credentials are deleted anyway. */
const revocationMs = 15_000;

export const command = defineCommand({
  args: { server: serverArgument },
  async run({ server: name }, context) {
    const server = await findServer(context.paths(), name);
    const { oauth } = await openServerOAuth(server, context);
    const { revoke } = await import("../oauth/client/revoke.ts");
    const { sendsConfiguredSecret } = await import("../oauth/client/token-request-plan.ts");
    const { usable } = await import("../oauth/authorizer/refresh.ts");
    const outcome = await oauth.store.locked(async () => {
      // Unreadable credentials cannot be revoked, but they are deleted.
      const stored = await oauth.store.read().catch((error) => {
        context.note(asBridgeError(error).message);
        return undefined;
      });
      const grant = stored === undefined ? undefined : usable(stored);
      const signal = AbortSignal.timeout(revocationMs);
      const isRevoked = grant !== undefined && (await revoke(oauth.context, grant, signal));
      if (sendsConfiguredSecret(oauth.context.auth)) await oauth.store.forgetAllButPin();
      else await oauth.store.forget();
      // The cached lists belong to the user who signs out.
      const cache = new ServerCache(cacheFile(server.state), server.url, context.log);
      cache.set(cacheKeyName, undefined);
      cache.flush();
      return { hadGrant: stored === undefined || stored.grant !== undefined, isRevoked };
    });
    if (!outcome.hadGrant) {
      await context.print(`Nobody was signed in to "${server.name}"\n`);
      return 0;
    }
    if (!outcome.isRevoked) {
      context.note(
        "The authorization server did not confirm the revocation. The local credentials are deleted.",
      );
    }
    await context.print(`Signed out of "${server.name}"\n`);
    return 0;
  },
});
