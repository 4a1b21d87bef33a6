import type { ServerSettings } from "../config/settings.ts";
import type { ChosenAuthorizer } from "../oauth/authorizer/select.ts";
import { RunSignIn } from "../oauth/sign-in/run-sign-in.ts";
import type { Paths } from "../platform/paths.ts";
import type { CommandLine } from "../wire/errors.ts";
import { CatalogUpstream } from "./catalog/catalog.ts";
import type { CachedPage } from "./catalog/entry.ts";
import { catalogIdentity } from "./catalog/identity.ts";
import { CatalogStore } from "./catalog/store.ts";
import type { ConnectServerOptions } from "./connect-server.ts";
import { RequestIds } from "./core/request-ids.ts";
import type { Upstream } from "./core/types.ts";
import { LazyUpstream } from "./lazy.ts";
import { type SignInMode, SignInUpstream } from "./sign-in/sign-in.ts";

export interface OpenServerOptions extends Omit<ConnectServerOptions, "login" | "reload" | "ids"> {
  readonly commandLine: CommandLine;
  /** Where the configuration is read again after a 401. */
  readonly paths: () => Paths;
  /** Whether the catalog may answer before the server does. */
  readonly mayAnswer: boolean;
  /** What the client's initialize was answered with before the server was opened. */
  readonly said?: CachedPage | undefined;
  /** How a call that needs a sign-in gets it; undefined: it fails. */
  readonly signIn: SignInMode | undefined;
}

/** One server, reached through everything that its configuration asks for. */
export interface Server {
  readonly upstream: Upstream;
  /** Resolves once no token is being renewed: a new one that is lost would cost the sign-in. */
  settled(): Promise<void>;
}

/**
 * Composes the chain of one server, outermost first: sign-in, catalog, and behind them connectServer(). That is loaded by
 * the first message that the catalog does not answer, so that a start which the catalog answers does not wait for it.
 */
export function openServer(settings: ServerSettings, options: OpenServerOptions): Server {
  const { env, log, commandLine, paths, cache, client, ask, mayAnswer, said, signIn } = options;
  const { name, url, credential, timeoutMs } = settings;
  const login = commandLine(`login --server ${name}`);
  const ids = new RequestIds();
  let current = settings;
  let connected: Promise<{ upstream: Upstream; authorizer: ChosenAuthorizer }> | undefined;
  const reload = async () => {
    const { readConfig } = await import("../config/load.ts");
    const fresh = (await readConfig(paths()))?.servers.get(name);
    // A credential belongs to its origin: one for another origin is not taken over.
    if (fresh?.url.origin === url.origin) {
      current = fresh;
      catalog.doubt();
    }
    return fresh;
  };
  const connect = () => {
    connected ??= import("./connect-server.ts").then(({ connectServer }) =>
      connectServer(settings, { ...options, ids, login, reload }),
    );
    return connected;
  };
  const catalog = new CatalogUpstream({
    next: new LazyUpstream(async () => (await connect()).upstream),
    store: new CatalogStore(cache, () => catalogIdentity(current, env), Date.now),
    log,
    name,
    ids,
    timeoutMs,
    mayAnswer,
    said,
  });
  const oauth = async () => (await connect()).authorizer.oauth();
  const mayNeedSignIn = credential.type === "unset" || credential.type === "oauth";
  const withSignIn = (mode: SignInMode) =>
    new SignInUpstream({
      ...{ next: catalog, ask, client, name, host: url.host, login, mode },
      signIns: new RunSignIn(oauth, { opensBrowser: mode === "browser" }),
    });
  return {
    upstream: signIn !== undefined && mayNeedSignIn ? withSignIn(signIn) : catalog,
    async settled() {
      await (await connected?.catch(() => undefined))?.authorizer.settled();
    },
  };
}
