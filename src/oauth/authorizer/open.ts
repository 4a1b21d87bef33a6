import type { ServerSettings } from "../../config/settings.ts";
import type { Http } from "../../http/client.ts";
import { lookupAddresses } from "../../http/dns.ts";
import { routeTo } from "../../http/proxy.ts";
import { sleep } from "../../platform/async.ts";
import { openKeyring } from "../../platform/keyring.ts";
import type { Log } from "../../platform/log.ts";
import type { Environment } from "../../platform/paths.ts";
import type { Redactor } from "../../platform/redact.ts";
import { type OAuthContext, oauthOf } from "../core/context.ts";
import { isSameIssuer } from "../core/grant.ts";
import { createSsrfGuard } from "../core/ssrf-guard.ts";
import { CredentialStore } from "../store/store.ts";
import { ConfiguredHeaders } from "./configured-headers.ts";
import { OAuthAuthorizer } from "./oauth.ts";
import { TokenRefresher } from "./refresh.ts";

export interface OAuthDeps {
  readonly http: Http;
  readonly env: Environment;
  readonly log: Log;
  readonly redactor: Redactor;
  /** The command that signs in, ready to copy. */
  readonly login: string;
}

/** The OAuth components of one server. */
export interface OAuth {
  readonly context: OAuthContext;
  readonly store: CredentialStore;
  readonly refresher: TokenRefresher;
  readonly authorizer: OAuthAuthorizer;
}

function hostOf(url: string | undefined): string[] {
  const parsed = url === undefined ? null : URL.parse(url);
  return parsed === null ? [] : [parsed.host];
}

/** Whether a host may see the client certificate: the MCP server, trusted hosts, and the configured or pinned issuer may. */
async function showsCertificate(
  { server, auth, store }: Pick<OAuthContext, "server" | "auth"> & { store: CredentialStore },
  url: URL,
  issuer: string | undefined,
): Promise<boolean> {
  if (server.network.clientCertFile === undefined) return false;
  const isTrusted = auth.trustedHosts?.some((host) => host === url.host || host === url.hostname);
  if (url.origin === server.url.origin || isTrusted === true) return true;
  if (issuer === undefined) return false;
  const own = auth.issuer ?? (await store.read()).pinned?.issuer;
  return own !== undefined && isSameIssuer(issuer, own);
}

/** Creates the OAuth components of one server. */
export function openOAuth(server: ServerSettings, deps: OAuthDeps): OAuth {
  const { env, log, redactor, login } = deps;
  const auth = oauthOf(server);
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  const http = createSsrfGuard({
    http: deps.http,
    lookup: (host) => lookupAddresses(host, server.network),
    server: server.url,
    trustedHosts: [
      ...(auth.trustedHosts ?? []),
      ...hostOf(auth.issuer),
      ...hostOf(auth.idp?.tokenEndpoint),
    ],
    proxied: (url) => routeTo(url, { network: server.network, env }).proxy !== undefined,
    showsCertificate: (url, issuer) => showsCertificate({ server, auth, store }, url, issuer),
  });
  const context: OAuthContext = {
    server,
    auth,
    http,
    env,
    redactor,
    log,
    login,
    withoutClientId: new Set(),
    now: Date.now,
    sleep,
  };
  const refresher = new TokenRefresher(context, store);
  const headers = new ConfiguredHeaders({ env, redactor });
  const authorizer = new OAuthAuthorizer({ context, store, refresher, headers });
  return { context, store, refresher, authorizer };
}
