import type { Http } from "../host/http.ts";
import type { Log } from "../host/log.ts";
import type { Memory } from "../host/memory.ts";
import type { Redactor } from "../host/redact.ts";
import type { ServerSettings } from "../host/settings.ts";
import type { Authorizer } from "../oauth/authorizer.ts";
import type { Message } from "../wire/message.ts";
import { authorize } from "./authorize.ts";
import { Endpoint } from "./endpoint.ts";
import { EraUpstream } from "./era.ts";
import { FrontUpstream } from "./front.ts";
import { Hints } from "./hints.ts";
import { KeepAlive } from "./keep-alive.ts";
import { LeftSessions } from "./left-sessions.ts";
import { LegacySse } from "./legacy-sse.ts";
import { RetryUpstream } from "./retry.ts";
import { SessionUpstream } from "./session.ts";
import type { Session } from "./session-lost.ts";
import { StatelessHttp } from "./stateless-http.ts";
import { StreamableHttp } from "./streamable-http.ts";
import { ToolTable } from "./tools.ts";
import { TranslatingUpstream } from "./translate.ts";
import type { Ask, ClientFacts, Upstream } from "./types.ts";

export interface ConnectOptions {
  readonly settings: ServerSettings;
  readonly http: Http;
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
  const { settings, http, authorizer, memory, log, redactor, ask } = options;
  const { name, transport, timeoutMs } = settings;
  const limit = settings.limits.messageBytes;
  const authorized = authorize(http, authorizer);
  const endpoint = new Endpoint({
    url: settings.url,
    movedUrl: movedUrl(memory, settings.url),
    http: authorized,
    moved: (url) => memory.set(movedKey, pathToKeep(url, settings.url)),
  });
  const common = { name, endpoint, log, redactor, limit };
  const hints = new Hints();
  const streamable = () => {
    const session: Session = { id: undefined, version: undefined };
    const isRepeatable = (message: Message) => hints.isRepeatable(message);
    const next = new StreamableHttp({ ...common, session, isRepeatable });
    // Some servers give every session of a client the same id.
    const end = async (id: string, deadlineMs: number) => {
      if (id !== session.id) await next.end(id, deadlineMs);
    };
    const left = new LeftSessions({ end, callMs: settings.timeoutMs });
    return inSession(next, session, hints, options, left);
  };
  const sse = () => {
    const session: Session = { id: undefined, version: undefined };
    const postTo = (url: URL) => new Endpoint({ url, http: authorized });
    const next = new LegacySse({ ...common, postTo, session });
    return inSession(next, session, hints, options);
  };
  const remembered = () => memory.get(wayKey);
  const remember = (way: string) => {
    if (memory.get(wayKey) !== way) memory.set(wayKey, way);
  };
  const front = { remembered, rememberModern: () => remember("modern"), log, name, timeoutMs };
  if (transport === "sse") return new FrontUpstream({ next: sse(), probe: undefined, ...front });
  // The probe is never repeated: the handshake that follows has all the patience there is.
  const probe = new StatelessHttp({ ...common, tools: new ToolTable() });
  const modern = retrying(probe, hints, options);
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

function inSession(
  next: Upstream,
  session: Session,
  hints: Hints,
  options: ConnectOptions,
  left?: LeftSessions,
) {
  const { client, log, settings } = options;
  const retry = retrying(next, hints, options);
  const { name, keepAliveMs } = settings;
  const kept = new SessionUpstream({ next: retry, session, client, log, name, left });
  return keepAliveMs > 0 ? new KeepAlive({ next: kept, everyMs: keepAliveMs, log, name }) : kept;
}

function retrying(next: Upstream, hints: Hints, { settings, log }: ConnectOptions) {
  const { name, retry, timeoutMs } = settings;
  const { attempts } = retry;
  return new RetryUpstream({ next, hints, attempts, timeoutMs, log, name, random: Math.random });
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
