import type { ServerSettings } from "../../config/settings.ts";
import { fs } from "../../platform/fs.ts";
import { credentialsFile } from "../../platform/paths.ts";
import { mayUseOAuth } from "../store/grant-owner.ts";
import type { OAuth, OAuthDeps } from "./open.ts";
import { StaticAuthorizer, type StaticDeps } from "./static.ts";
import type { Authorizer, Refusal } from "./types.ts";

export interface ChoiceDeps extends OAuthDeps {
  /** Reads the server's entry from the file again; undefined where it was removed. */
  readonly reload: StaticDeps["reload"];
}

/**
 * Authorizes as the configuration says. At a 401 it reads the configuration again and uses a credential that `setup`
 * has changed. OAuth modules are loaded only if they are needed.
 */
export class ChosenAuthorizer implements Authorizer {
  #server: ServerSettings;
  readonly #deps: ChoiceDeps;
  #static: StaticAuthorizer;
  #oauth: Promise<OAuth> | undefined;
  #bearer: Authorizer | undefined;

  constructor(server: ServerSettings, deps: ChoiceDeps) {
    this.#server = server;
    this.#deps = deps;
    this.#static = new StaticAuthorizer(server, deps);
  }

  known(): Readonly<Record<string, string>> | undefined {
    if (!mayUseOAuth(this.#server)) return this.#static.known();
    return this.#bearer?.known?.();
  }

  async headers(
    request: { readonly method: string; readonly url: URL },
    signal: AbortSignal,
  ): Promise<Record<string, string>> {
    const isNeeded = mayUseOAuth(this.#server) && (this.#oauth !== undefined || this.#hasSignIn());
    if (!isNeeded) return { ...(await this.#static.headers(request, signal)), ...this.#foreign() };
    return (await this.oauth()).authorizer.headers(request, signal);
  }

  async refused(refusal: Refusal, signal: AbortSignal): Promise<boolean> {
    if (refusal.status === 401 && (await this.#reloadCredential())) return true;
    if (!mayUseOAuth(this.#server)) return this.#static.refused(refusal, signal);
    return (await this.oauth()).authorizer.refused(refusal, signal);
  }

  accepted(sent: Readonly<Record<string, string>>): void {
    this.#bearer?.accepted?.(sent);
  }

  /** The OAuth components of the server, loaded at the first call. */
  oauth(): Promise<OAuth> {
    this.#oauth ??= import("./open.ts").then(({ openOAuth }) => {
      const oauth = openOAuth(this.#server, this.#deps);
      this.#bearer = oauth.authorizer;
      return oauth;
    });
    return this.#oauth;
  }

  /** Resolves when the process may end without losing a refreshed token. */
  async settled(): Promise<void> {
    await (await this.#oauth)?.refresher.settled();
  }

  /** The header of the foreign token, while it is good. A refusal loads the OAuth components, and the token is not sent again. */
  #foreign(): { Authorization?: string } {
    const { foreignToken } = this.#server;
    if (foreignToken === undefined || foreignToken.expiresAt <= Date.now()) return {};
    this.#deps.redactor.add(foreignToken.accessToken);
    return { Authorization: `Bearer ${foreignToken.accessToken}` };
  }

  #hasSignIn(): boolean {
    return fs().existsSync(credentialsFile(this.#server.state));
  }

  /** Switches to the credential in the configuration file if it has changed and the server's origin has not; resolves to whether it switched. */
  async #reloadCredential(): Promise<boolean> {
    const fresh = await this.#deps.reload();
    if (fresh === undefined || fresh.url.origin !== this.#server.url.origin) return false;
    const asText = ({ credential }: ServerSettings) => JSON.stringify(credential);
    const isSame = asText(fresh) === asText(this.#server);
    const concernsOAuth = mayUseOAuth(this.#server) || mayUseOAuth(fresh);
    // The static authorizer itself follows a change from one static credential to another.
    if (isSame || !concernsOAuth) return false;
    this.#server = fresh;
    this.#static = new StaticAuthorizer(fresh, this.#deps);
    this.#oauth = undefined;
    this.#bearer = undefined;
    return true;
  }
}
