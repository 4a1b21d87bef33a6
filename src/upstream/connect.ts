import type { ServerSettings } from "../config/settings.ts";
import type { Http } from "../http/client.ts";
import { AffinityCookies } from "../http/cookies.ts";
import { InFlightRequests } from "../http/in-flight.ts";
import type { Authorizer } from "../oauth/authorizer/types.ts";
import type { Log } from "../platform/log.ts";
import type { Redactor } from "../platform/redact.ts";
import { type ServerCache, transportKey } from "../platform/server-cache.ts";
import type { Message } from "../wire/message.ts";
import type { RequestIds } from "./core/request-ids.ts";
import { ToolTable } from "./core/tool-table.ts";
import type { Ask, ClientFacts, ServerScope, Upstream } from "./core/types.ts";
import { NegotiatingUpstream } from "./protocol/negotiate.ts";
import { SessionClientAdapter } from "./protocol/session-client.ts";
import { StatelessClientAdapter } from "./protocol/stateless-client.ts";
import { AttemptTimeouts } from "./retry/attempt-timeout.ts";
import { startLimitMs } from "./retry/deadline.ts";
import { IdempotentTools } from "./retry/idempotent-tools.ts";
import { RetryUpstream } from "./retry/retry.ts";
import { AbandonedSessions } from "./session/abandoned-sessions.ts";
import { KeepAlive } from "./session/keep-alive.ts";
import { SessionUpstream } from "./session/session.ts";
import { authorize } from "./transport/authorize.ts";
import { CredentialWatch } from "./transport/credential-watch.ts";
import { Endpoint } from "./transport/endpoint.ts";
import { LegacySse } from "./transport/legacy-sse.ts";
import { ReadBudget } from "./transport/read-budget.ts";
import type { Session } from "./transport/session-lost.ts";
import { StatelessHttp } from "./transport/stateless-http.ts";
import { StreamableHttp } from "./transport/streamable-http.ts";
import { ToolListObserver } from "./transport/tool-list-observer.ts";
import { traceHeaders } from "./transport/trace-headers.ts";

export interface ConnectOptions {
  readonly settings: ServerSettings;
  readonly http: Http;
  /** Counts the requests under way for `http`. */
  readonly inFlight?: InFlightRequests;
  /** Shared by all servers of the process; default: one for this server alone. */
  readonly budget?: ReadBudget;
  readonly authorizer: Authorizer;
  readonly cache: ServerCache;
  readonly log: Log;
  readonly redactor: Redactor;
  readonly client: ClientFacts;
  readonly ask: Ask;
  /** Ids of the requests that the bridge itself sends to the server. */
  readonly ids: RequestIds;
  /** Whether to wait for an unreachable server as long as a start may take; otherwise three seconds. */
  readonly waitsForStart?: boolean;
  /** Whether server/discover is answered for a session server, too. */
  readonly answersDiscovery?: boolean;
}

// Keys in the server's cache file.
/** The path that a 307 or 308 led to. */
const movedKey = "moved";
/** The newest revision that the server accepts, if it is older than the client's. */
const revisionKey = "revision";
/** The path prefix that is missing in the message URL of an HTTP+SSE server. */
const lostPrefixKey = "lostPrefix";

/** Builds one server's chain of wrappers from its configuration, outermost last. */
export function connect(options: ConnectOptions): Upstream {
  const {
    settings,
    http,
    authorizer,
    cache,
    log,
    redactor,
    client,
    ask,
    ids,
    inFlight = new InFlightRequests(),
    budget = new ReadBudget(),
  } = options;
  const { name, transport, timeoutMs } = settings;
  const limit = settings.limits.messageBytes;
  const cookies = settings.cookies ? new AffinityCookies(settings.url.origin) : undefined;
  const beginSession = () => cookies?.clear();
  const watch = new CredentialWatch(authorizer);
  const anotherCredential = (signal: AbortSignal) => watch.another(signal);
  const authorized = authorize(http, watch, beginSession);
  const scope: ServerScope = { name, log, ids, now: () => performance.now() };
  const tools = new ToolTable();
  const idempotentTools = new IdempotentTools(tools);
  const attemptTimeouts = new AttemptTimeouts(idempotentTools, inFlight, scope.now);
  const { attempts } = settings.retry;
  const { random } = Math;
  const startWaitMs = options.waitsForStart === true ? startLimitMs(timeoutMs) : undefined;
  const repeating = {
    ...scope,
    idempotentTools,
    attemptTimeouts,
    inFlight,
    attempts,
    timeoutMs,
    random,
    startWaitMs,
  };
  /** Adds the retries and, between them and the transport, the observer that feeds the tool table. */
  const retrying = (transport: Upstream, leavesOutInvalid: boolean) =>
    new RetryUpstream({
      ...repeating,
      next: new ToolListObserver({ ...scope, next: transport, tools, leavesOutInvalid }),
    });
  const withSession = (transport: Upstream, session: Session, abandoned?: AbandonedSessions) => {
    const next = retrying(transport, false);
    const { keepAliveMs } = settings;
    const inSession = new SessionUpstream({
      ...scope,
      next,
      session,
      client,
      timeoutMs,
      abandoned,
    });
    return keepAliveMs > 0
      ? new KeepAlive({ ...scope, next: inSession, everyMs: keepAliveMs })
      : inSession;
  };
  const onResponseHeaders = (signal: AbortSignal) => attemptTimeouts.onResponseHeaders(signal);
  const endpoint = new Endpoint({
    url: settings.url,
    movedUrl: movedUrl(cache, settings.url),
    http: authorized,
    cookies,
    onResponseHeaders,
    moved: (url) => cache.set(movedKey, pathToRemember(url, settings)),
  });
  const isRepeatable = (message: Message) => idempotentTools.isRepeatable(message);
  const common = {
    ...{ name, endpoint, log, redactor, limit, budget, isRepeatable, beginSession },
    traceHeaders: traceHeaders(settings.trace, settings.headers),
  };
  const streamable = () => {
    const session: Session = { id: undefined, version: undefined, answered: new Set() };
    const next = new StreamableHttp({
      ...common,
      session,
      ids,
      anotherCredential,
      endsSessions: settings.endSession,
    });
    // Some servers give every session of a client the same id.
    const end = async (id: string, deadlineMs: number) => {
      if (id !== session.id) await next.end(id, deadlineMs);
    };
    const abandoned = new AbandonedSessions({ end, callMs: settings.timeoutMs });
    return withSession(next, session, abandoned);
  };
  const sse = () => {
    const session: Session = { id: undefined, version: undefined };
    const postTo = (url: URL) =>
      new Endpoint({ url, http: authorized, cookies, onResponseHeaders });
    const lostPrefix = () => cache.get(lostPrefixKey);
    const noteLostPrefix = (prefix?: string) => {
      if (settings.urlTemplate === undefined) cache.set(lostPrefixKey, prefix);
    };
    const next = new LegacySse({ ...common, postTo, session, lostPrefix, noteLostPrefix });
    return withSession(next, session);
  };
  const remembered = () => cache.get(transportKey);
  const remember = (foundTransport: string) => {
    if (cache.get(transportKey) !== foundTransport) cache.set(transportKey, foundTransport);
  };
  const statelessClient = {
    ...scope,
    remembered,
    timeoutMs,
    answersDiscovery: options.answersDiscovery === true,
  };
  if (transport === "sse")
    return new StatelessClientAdapter({ next: sse(), probe: undefined, ...statelessClient });
  // The probe has no retries: the handshake that follows has them.
  const probe = new StatelessHttp({ ...common, tools, ids });
  const stateless = retrying(probe, true);
  const mode = new NegotiatingUpstream({
    ...scope,
    protocol: settings.protocol,
    remembered,
    remember,
    rememberedRevision: () => cache.get(revisionKey),
    rememberRevision: (revision) => cache.set(revisionKey, revision),
    stateless,
    probe,
    sessionClient: () =>
      new SessionClientAdapter({ ...scope, next: stateless, ask, anotherCredential }),
    streamable,
    sse: transport === "auto" ? sse : undefined,
  });
  return new StatelessClientAdapter({ next: mode, probe, ...statelessClient });
}

/** The path to remember. Its query is not stored, since it may hold a secret; it must equal the configured one. A path that may hold the value of a variable is not stored either. */
function pathToRemember(
  moved: URL | undefined,
  { url, urlTemplate }: ServerSettings,
): string | undefined {
  const isStorable = urlTemplate === undefined && moved?.search === url.search;
  return isStorable ? moved?.pathname : undefined;
}

/** The remembered URL of the endpoint, on the configured origin. */
function movedUrl(cache: ServerCache, url: URL): URL | undefined {
  const path = cache.get(movedKey);
  if (typeof path !== "string" || !path.startsWith("/")) return undefined;
  const target = new URL(url);
  target.pathname = path;
  return target;
}
