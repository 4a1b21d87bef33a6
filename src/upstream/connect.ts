import type { ServerSettings } from "../config/settings.ts";
import type { Http } from "../http/client.ts";
import { Crowd } from "../http/in-flight.ts";
import type { Authorizer } from "../oauth/authorizer/types.ts";
import type { Log } from "../platform/log.ts";
import type { Redactor } from "../platform/redact.ts";
import type { Memory } from "../platform/server-cache.ts";
import type { Message } from "../wire/message.ts";
import type { Ask, ClientFacts, Upstream } from "./core/types.ts";
import { EraUpstream } from "./protocol/negotiate.ts";
import { TranslatingUpstream } from "./protocol/session-client.ts";
import { FrontUpstream } from "./protocol/stateless-client.ts";
import { Patience } from "./retry/attempt-timeout.ts";
import { Hints } from "./retry/idempotent-tools.ts";
import { type RetryOptions, RetryUpstream } from "./retry/retry.ts";
import { LeftSessions } from "./session/abandoned-sessions.ts";
import { KeepAlive } from "./session/keep-alive.ts";
import { SessionUpstream } from "./session/session.ts";
import { authorize } from "./transport/authorize.ts";
import { Endpoint } from "./transport/endpoint.ts";
import { ToolTable } from "./transport/header-params.ts";
import { LegacySse } from "./transport/legacy-sse.ts";
import type { Session } from "./transport/session-lost.ts";
import { StatelessHttp } from "./transport/stateless-http.ts";
import { StreamableHttp } from "./transport/streamable-http.ts";

export interface ConnectOptions {
  readonly settings: ServerSettings;
  readonly http: Http;
  /** Counts the requests under way for `http`. */
  readonly crowd?: Crowd;
  readonly authorizer: Authorizer;
  readonly memory: Memory;
  readonly log: Log;
  readonly redactor: Redactor;
  readonly client: ClientFacts;
  readonly ask: Ask;
}

/** Under this name the memory keeps the path that a 307 or 308 led to. */
const movedKey = "moved";
/** Under this name it keeps how a legacy client is served. */
const wayKey = "way";

/** The chain of wrappers that one server's configuration asks for; the order is the way a request takes. */
export function connect(options: ConnectOptions): Upstream {
  const { settings, http, authorizer, memory, log, redactor, ask, crowd = new Crowd() } = options;
  const { name, transport, timeoutMs } = settings;
  const limit = settings.limits.messageBytes;
  const authorized = authorize(http, authorizer);
  const hints = new Hints();
  const patience = new Patience(hints, crowd);
  const repeating = { hints, patience, crowd };
  const heard = (signal: AbortSignal) => patience.heard(signal);
  const endpoint = new Endpoint({
    url: settings.url,
    movedUrl: movedUrl(memory, settings.url),
    http: authorized,
    heard,
    moved: (url) => memory.set(movedKey, pathToKeep(url, settings.url)),
  });
  const isRepeatable = (message: Message) => hints.isRepeatable(message);
  const common = { name, endpoint, log, redactor, limit, isRepeatable };
  const streamable = () => {
    const session: Session = { id: undefined, version: undefined };
    const next = new StreamableHttp({ ...common, session });
    // Some servers give every session of a client the same id.
    const end = async (id: string, deadlineMs: number) => {
      if (id !== session.id) await next.end(id, deadlineMs);
    };
    const left = new LeftSessions({ end, callMs: settings.timeoutMs });
    return inSession(next, session, repeating, options, left);
  };
  const sse = () => {
    const session: Session = { id: undefined, version: undefined };
    const postTo = (url: URL) => new Endpoint({ url, http: authorized, heard });
    const next = new LegacySse({ ...common, postTo, session });
    return inSession(next, session, repeating, options);
  };
  const remembered = () => memory.get(wayKey);
  const remember = (way: string) => {
    if (memory.get(wayKey) !== way) memory.set(wayKey, way);
  };
  const front = { remembered, rememberModern: () => remember("modern"), log, name, timeoutMs };
  if (transport === "sse") return new FrontUpstream({ next: sse(), probe: undefined, ...front });
  // The probe is never repeated: the handshake that follows has all the patience there is.
  const probe = new StatelessHttp({ ...common, tools: new ToolTable() });
  const modern = retrying(probe, repeating, options);
  const era = new EraUpstream({
    name,
    log,
    remembered,
    remember,
    modern,
    probe,
    translating: () => new TranslatingUpstream({ next: modern, ask, log, name }),
    streamable,
    sse: transport === "auto" ? sse : undefined,
  });
  return new FrontUpstream({ next: era, probe, ...front });
}

/** What the judges of repetition share: one server, whatever it is spoken to by. */
type Repeating = Pick<RetryOptions, "hints" | "patience" | "crowd">;

function inSession(
  next: Upstream,
  session: Session,
  repeating: Repeating,
  options: ConnectOptions,
  left?: LeftSessions,
) {
  const { client, log, settings } = options;
  const retry = retrying(next, repeating, options);
  const { name, keepAliveMs, timeoutMs } = settings;
  const kept = new SessionUpstream({ next: retry, session, client, log, name, timeoutMs, left });
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
function movedUrl(memory: Memory, url: URL): URL | undefined {
  const path = memory.get(movedKey);
  if (typeof path !== "string" || !path.startsWith("/")) return undefined;
  const target = new URL(url);
  target.pathname = path;
  return target;
}
