import type { ServerSettings } from "../config/settings.ts";
import type { ChosenAuthorizer } from "../oauth/authorizer/select.ts";
import { RunSignIn } from "../oauth/sign-in/run-sign-in.ts";
import { mayUseOAuth } from "../oauth/store/grant-owner.ts";
import type { Paths } from "../platform/paths.ts";
import type { CommandLine } from "../wire/errors.ts";
import { CatalogUpstream, type usualTimes } from "./catalog/catalog.ts";
import { type CachedPage, hasCachedTool } from "./catalog/entry.ts";
import { catalogIdentity } from "./catalog/identity.ts";
import { CatalogStore } from "./catalog/store.ts";
import type { ConnectServerOptions } from "./connect-server.ts";
import { traitsOf } from "./core/client-traits.ts";
import { RequestIds } from "./core/request-ids.ts";
import type { Upstream } from "./core/types.ts";
import { LazyUpstream } from "./lazy.ts";
import { type SignInMode, SignInUpstream } from "./sign-in/sign-in.ts";
import { problemToolName } from "./stand-in/problem-tool.ts";
import { hasStandIn, type OnFailure, StartGuard } from "./stand-in/start-guard.ts";
import type { ToolLinks } from "./tools/links.ts";

export interface OpenServerOptions extends Omit<ConnectServerOptions, "login" | "reload" | "ids"> {
  readonly commandLine: CommandLine;
  /** Paths of the configuration, which is read again after a 401. */
  readonly paths: () => Paths;
  /** Whether the catalog may answer from its cache. */
  readonly mayAnswer: boolean;
  /** The cached answer that the client's initialize got before the server was opened. */
  readonly earlyAnswer?: CachedPage | undefined;
  /** How long answers of the catalog wait for the server; default: `usualTimes`. */
  readonly catalogTimes?: typeof usualTimes;
  /** How the user signs in when a call needs it; undefined: the call fails. */
  readonly signIn: SignInMode | undefined;
  /** How long a sign-in may take; undefined: ten minutes. */
  readonly signInWaitMs?: number | undefined;
  /** What the client gets if the start fails. */
  readonly onFailure: OnFailure;
  /** Numbers the calls in the audits of a run; absent in a run of one server. */
  readonly nextCall?: () => number;
}

/** One server with everything that its configuration asks for. */
export interface Server {
  readonly upstream: Upstream;
  /** Adds the server's audit to another upstream; undefined if the server has none. */
  readonly audit: ((next: Upstream) => Upstream) | undefined;
  /** Resolves once no token refresh is under way: a rotated refresh token that is lost would end the sign-in. */
  settled(): Promise<void>;
}

/**
 * Composes the chain of one server, outermost first: audit, start guard, sign-in, tool policy, catalog, call guard,
 * connectServer(). The last is loaded with the first message that the catalog does not answer, so that a start from the
 * catalog does not wait for it.
 */
export function openServer(settings: ServerSettings, options: OpenServerOptions): Server {
  const { env, log, commandLine, paths, cache, client, ask, mayAnswer, earlyAnswer, signIn } =
    options;
  const { signInWaitMs, onFailure } = options;
  const { name, url, timeoutMs } = settings;
  const login = commandLine(`login --server ${name}`);
  const ids = new RequestIds();
  let current = settings;
  let connected: Promise<{ upstream: Upstream; authorizer: ChosenAuthorizer }> | undefined;
  const reload = async () => {
    if (settings.adHoc !== undefined) return settings;
    const { readConfig } = await import("../config/load.ts");
    const fresh = (await readConfig(paths()))?.servers.get(name);
    // A credential belongs to its origin: an entry for another origin is ignored.
    if (fresh?.url.origin === url.origin) {
      current = fresh;
      catalog.doubt();
    }
    return fresh;
  };
  const connect = () => {
    connected ??= import("./connect-server.ts").then(({ connectServer }) => {
      // A stand-in tries again by itself, and its client lists the tools anew: its start need not wait.
      const needsNoWait = hasStandIn(onFailure, client) && traitsOf(client).restart === undefined;
      const waitsForStart = options.waitsForStart && !needsNoWait;
      return connectServer(settings, { ...options, waitsForStart, ids, login, reload });
    });
    return connected;
  };
  const { tools: rules } = settings;
  let links: Promise<ToolLinks> | undefined;
  const toolLinks = () => {
    links ??= import("./tools/links.ts").then(
      ({ ToolLinks }) => new ToolLinks(settings, rules!, { log, ids, client, commandLine }),
    );
    return links;
  };
  const catalog = new CatalogUpstream({
    next: new LazyUpstream(async () => {
      const { upstream } = await connect();
      return rules === undefined ? upstream : (await toolLinks()).guard(upstream);
    }),
    store: new CatalogStore(cache, () => catalogIdentity(current, env), Date.now),
    log,
    name,
    ids,
    timeoutMs,
    mayAnswer,
    earlyAnswer,
    ...(options.catalogTimes && { times: options.catalogTimes }),
  });
  const policed =
    rules === undefined
      ? catalog
      : new LazyUpstream(async () => (await toolLinks()).policy(catalog));
  const oauth = async () => (await connect()).authorizer.oauth();
  const withSignIn = (mode: SignInMode) =>
    new SignInUpstream({
      ...{ next: policed, ask, client, name, host: url.host, login, mode },
      signIns: new RunSignIn(oauth, { opensBrowser: mode === "browser", waitMs: signInWaitMs }),
    });
  const signingIn = signIn !== undefined && mayUseOAuth(settings) ? withSignIn(signIn) : policed;
  const { redactor } = options;
  const toolName = () => problemToolName(name, (tool) => hasCachedTool(cache, tool));
  const guard = { next: signingIn, name, toolName, client, log, redactor, commandLine };
  const guarded = onFailure === "error" ? signingIn : new StartGuard({ ...guard, onFailure });
  const audit =
    settings.audits.length === 0 ? undefined : (next: Upstream) => audited(next, settings, options);
  return {
    upstream: audit?.(guarded) ?? guarded,
    audit,
    async settled() {
      await (await connected?.catch(() => undefined))?.authorizer.settled();
    },
  };
}

/** Adds the audit, outermost: a call that the rest of the chain refuses has its lines, too. */
function audited(next: Upstream, settings: ServerSettings, options: OpenServerOptions): Upstream {
  const { name, audits, credential } = settings;
  const { client, redactor, log, nextCall = counter() } = options;
  return new LazyUpstream(async () => {
    // The first call may hold a secret that no request has used yet. A sign-in is read when it is used.
    if (credential.type !== "oauth" && credential.type !== "unset") {
      const { knowSecrets } = await import("../oauth/store/known-secrets.ts");
      const { openKeyring } = await import("../platform/keyring.ts");
      await knowSecrets(settings, { ...options, keyring: openKeyring });
    }
    const { AuditUpstream } = await import("./audit.ts");
    return new AuditUpstream({ next, name, client, audits, redactor, log, nextCall });
  });
}

function counter(): () => number {
  let count = 0;
  return () => ++count;
}
