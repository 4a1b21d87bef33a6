import type { ServerSettings } from "../config/settings.ts";
import type { Http } from "../http/client.ts";
import { InFlightRequests } from "../http/in-flight.ts";
import type { Authorizer } from "../oauth/authorizer/types.ts";
import type { Log } from "../platform/log.ts";
import type { Redactor } from "../platform/redact.ts";
import type { ServerCache } from "../platform/server-cache.ts";
import type { Message } from "../wire/message.ts";
import type { Ask, ClientFacts, Upstream } from "./core/types.ts";
import { NegotiatingUpstream } from "./protocol/negotiate.ts";
import { SessionClientAdapter } from "./protocol/session-client.ts";
import { StatelessClientAdapter } from "./protocol/stateless-client.ts";
import { AttemptTimeouts } from "./retry/attempt-timeout.ts";
import { IdempotentTools } from "./retry/idempotent-tools.ts";
import { type RetryOptions, RetryUpstream } from "./retry/retry.ts";
import { AbandonedSessions } from "./session/abandoned-sessions.ts";
import { KeepAlive } from "./session/keep-alive.ts";
import { SessionUpstream } from "./session/session.ts";
import { authorize } from "./transport/authorize.ts";
import { Endpoint } from "./transport/endpoint.ts";
import { ToolTable } from "./transport/header-params.ts";
import { LegacySse } from "./transport/legacy-sse.ts";
import { ReadBudget } from "./transport/read-budget.ts";
import type { Session } from "./transport/session-lost.ts";
import { StatelessHttp } from "./transport/stateless-http.ts";
import { StreamableHttp } from "./transport/streamable-http.ts";

export interface ConnectOptions {
  readonly settings: ServerSettings;
  readonly http: Http;
  /** Counts the requests under way for `http`. */
  readonly inFlight?: InFlightRequests;
  /** What the answers of several servers in one process share; without it this server has one of its own. */
  readonly budget?: ReadBudget;
  readonly authorizer: Authorizer;
  readonly cache: ServerCache;
  readonly log: Log;
  readonly redactor: Redactor;
  readonly client: ClientFacts;
  readonly ask: Ask;
}

/** Under this name the memory keeps the path that a 307 or 308 led to. */
const movedKey = "moved";
/** Under this name it keeps how a legacy client is served. */
const transportKey = "transport";

/** The chain of wrappers that one server's configuration asks for; the order is the way a request takes. */
export function connect(options: ConnectOptions): Upstream {
  const {
    settings,
    http,
    authorizer,
    cache,
    log,
    redactor,
    ask,
    inFlight = new InFlightRequests(),
    budget = new ReadBudget(),
  } = options;
  const { name, transport, timeoutMs } = settings;
  const limit = settings.limits.messageBytes;
  const authorized = authorize(http, authorizer);
  const idempotentTools = new IdempotentTools();
  const attemptTimeouts = new AttemptTimeouts(idempotentTools, inFlight);
  const repeating = { idempotentTools, attemptTimeouts, inFlight };
  const onResponseHeaders = (signal: AbortSignal) => attemptTimeouts.onResponseHeaders(signal);
  const endpoint = new Endpoint({
    url: settings.url,
    movedUrl: movedUrl(cache, settings.url),
    http: authorized,
    onResponseHeaders,
    moved: (url) => cache.set(movedKey, pathToKeep(url, settings.url)),
  });
  const isRepeatable = (message: Message) => idempotentTools.isRepeatable(message);
  const common = { name, endpoint, log, redactor, limit, budget, isRepeatable };
  const streamable = () => {
    const session: Session = { id: undefined, version: undefined };
    const next = new StreamableHttp({ ...common, session });
    // Some servers give every session of a client the same id.
    const end = async (id: string, deadlineMs: number) => {
      if (id !== session.id) await next.end(id, deadlineMs);
    };
    const abandoned = new AbandonedSessions({ end, callMs: settings.timeoutMs });
    return inSession(next, session, repeating, options, abandoned);
  };
  const sse = () => {
    const session: Session = { id: undefined, version: undefined };
    const postTo = (url: URL) => new Endpoint({ url, http: authorized, onResponseHeaders });
    const next = new LegacySse({ ...common, postTo, session });
    return inSession(next, session, repeating, options);
  };
  const remembered = () => cache.get(transportKey);
  const remember = (foundTransport: string) => {
    if (cache.get(transportKey) !== foundTransport) cache.set(transportKey, foundTransport);
  };
  const statelessClient = {
    remembered,
    rememberStateless: () => remember("stateless-http"),
    log,
    name,
    timeoutMs,
  };
  if (transport === "sse")
    return new StatelessClientAdapter({ next: sse(), probe: undefined, ...statelessClient });
  // The probe is never repeated: the handshake that follows has all the patience there is.
  const probe = new StatelessHttp({ ...common, tools: new ToolTable() });
  const stateless = retrying(probe, repeating, options);
  const mode = new NegotiatingUpstream({
    name,
    log,
    remembered,
    remember,
    stateless,
    probe,
    sessionClient: () => new SessionClientAdapter({ next: stateless, ask, log, name }),
    streamable,
    sse: transport === "auto" ? sse : undefined,
  });
  return new StatelessClientAdapter({ next: mode, probe, ...statelessClient });
}

/** What the judges of repetition share: one server, whatever it is spoken to by. */
type Repeating = Pick<RetryOptions, "idempotentTools" | "attemptTimeouts" | "inFlight">;

function inSession(
  next: Upstream,
  session: Session,
  repeating: Repeating,
  options: ConnectOptions,
  abandoned?: AbandonedSessions,
) {
  const { client, log, settings } = options;
  const retry = retrying(next, repeating, options);
  const { name, keepAliveMs, timeoutMs } = settings;
  const kept = new SessionUpstream({
    next: retry,
    session,
    client,
    log,
    name,
    timeoutMs,
    abandoned,
  });
  return keepAliveMs > 0 ? new KeepAlive({ next: kept, everyMs: keepAliveMs, log, name }) : kept;
}

function retrying(next: Upstream, repeating: Repeating, { settings, log }: ConnectOptions) {
  const { name, retry, timeoutMs } = settings;
  const { attempts } = retry;
  const { random } = Math;
  return new RetryUpstream({ next, ...repeating, attempts, timeoutMs, log, name, random });
}

/** The path to remember: without its query, which may hold a secret and has to be the configured one. */
function pathToKeep(moved: URL | undefined, url: URL): string | undefined {
  return moved?.search === url.search ? moved.pathname : undefined;
}

/** Where the endpoint was found to be, on the configured origin. */
function movedUrl(cache: ServerCache, url: URL): URL | undefined {
  const path = cache.get(movedKey);
  if (typeof path !== "string" || !path.startsWith("/")) return undefined;
  const target = new URL(url);
  target.pathname = path;
  return target;
}
