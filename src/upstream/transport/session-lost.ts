import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";

/** The negotiated session; the transport sets the id, SessionUpstream the version. */
export interface Session {
  id: string | undefined;
  version: string | undefined;
  /** Requests that got a 404 in a fresh session as well: for them a 404 is the server's answer, not a lost session. */
  readonly answered?: Set<string>;
}

/** Size limit of `answered`; each further request with a 404 costs a new session. */
const maxAnswered = 1000;

/** Statuses of an unknown session: 404 (MCP 2025-11-25 basic/transports, session management), and 410 for one that has ended. */
const goneStatuses = [404, 410];

/** Identifies a request by method and name: a 404 depends on no other part. */
const subjectOf = (request: Message) => `${request.head.method} ${request.name ?? ""}`;

/** Notes that the server answered 404 or 410 to this request in a fresh session, too. */
export function noteAnswer({ answered }: Session, request: Message, { status = 0 }: BridgeError) {
  if (goneStatuses.includes(status) && answered !== undefined && answered.size < maxAnswered)
    answered.add(subjectOf(request));
}

/** Whether a status may mean the session, or be the server's answer to a request that a fresh session got it for, too. */
export function isDoubtful(status: number, { answered }: Session, request: Message): boolean {
  return goneStatuses.includes(status) && answered?.has(subjectOf(request)) === true;
}

/** The server does not know the session, so it has not executed the request. */
export class SessionLost extends BridgeError {
  /** The id that was refused. */
  readonly id: string;
  /** The error for the client if a new session is refused, too. */
  readonly refusal: BridgeError;

  /** `cause`: the error to report if the refusal does not mean the session. */
  constructor(name: string, id: string, cause?: BridgeError) {
    super("server-not-found", `"${name}" does not know the session any more`, {
      hint: "restart the client",
      safeToRetry: true,
      status: cause?.status ?? 404,
      cause,
    });
    this.id = id;
    this.refusal = cause ?? this;
  }
}

/** Codes that servers built with the official SDKs use about sessions. */
const sessionCodes: readonly unknown[] = [-32000, -32001];

/**
 * Texts with which servers report an unknown session. The error of an executed call may mention a session, too ("could
 * not close the browser session"): such a call must not be sent again.
 */
const unknownSession = new RegExp(
  [
    String.raw`\b(?:no|unknown|invalid|expired|missing|stale)(?: or (?:unknown|invalid|expired|missing))?(?: valid| active| such| mcp| transport (?:found )?for)*[ -]session`,
    String.raw`\bsession(?:[ _-]?id)?(?: with [\w ]{1,20})?(?:[ :]+["'\x60]?[\w.-]{1,128}["'\x60]?)?(?: is| was| has| been| header)* (?:not found|not known|not valid|unknown|invalid|expired|timed out|missing|required|terminated|closed|gone|lost|no longer|does(?: not|n't) exist)`,
    String.raw`\b(?:could not|can(?:not|'t)|failed to) find (?:the |your )?session`,
    "not (?:been )?initiali[sz]ed",
    String.raw`\binitiali[sz]e(?: the session)? first\b`,
  ].join("|"),
  "i",
);

/** Words that are joined in a code, such as SESSION_NOT_FOUND and SessionNotFound, each on its own. */
const spaced = (text: string) => text.replace(/[_-]+|(?<=[a-z])(?=[A-Z])/g, " ");

/** Other statuses of servers that refuse a request because they do not know its session. */
const refusalStatuses = [400, 409, 412, 422, 440];

/**
 * Whether an error status means a lost session: 404, 410, or a status that servers send in their place. `text` is the body; `answer` is the JSON-RPC response in it, if it answers `request`.
 */
export function isSessionLost(
  status: number,
  text: string,
  session: Session,
  request?: Message,
  answer?: Message,
): boolean {
  const words = text.slice(0, 1000);
  const names = unknownSession.test(words) || unknownSession.test(spaced(words));
  if (goneStatuses.includes(status))
    return names || request === undefined || !isDoubtful(status, session, request);
  if (answer === undefined) return status === 401 || (refusalStatuses.includes(status) && names);
  // A server that answers the request itself knows the session, unless its answer says otherwise.
  const isCode = sessionCodes.includes(answer.value(["error", "code"]));
  return isCode && (status === 401 || (status === 400 && names));
}
