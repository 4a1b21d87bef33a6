import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";

/** The negotiated session; the transport sets the id, SessionUpstream the version. */
export interface Session {
  id: string | undefined;
  version: string | undefined;
  /** Requests that were refused in a fresh session as well: for them the refusal is the server's answer, not a lost session. */
  readonly answered?: Set<string>;
}

/** Size limit of `answered`; each further refused request costs a new session. */
const maxAnswered = 1000;

/** Statuses of an unknown session: 404 (MCP 2025-11-25 basic/transports, session management), and 410 for one that has ended. */
const goneStatuses = [404, 410];

/** Other statuses with which servers refuse a request because they do not know its session. */
const refusalStatuses = [400, 409, 412, 422, 440];

/** Statuses that may also be the server's answer to the request itself. */
const doubtfulStatuses = [...goneStatuses, ...refusalStatuses];

/** Identifies a request by method and name: the refusal depends on no other part. */
const subjectOf = (request: Message) => `${request.head.method} ${request.name ?? ""}`;

/** Notes that the server refused this request in a fresh session, too. A 401 is not noted: it means the credential. */
export function noteAnswer({ answered }: Session, request: Message, { status = 0 }: BridgeError) {
  if (doubtfulStatuses.includes(status) && answered !== undefined && answered.size < maxAnswered)
    answered.add(subjectOf(request));
}

/** Whether a status may mean the session, or be the server's answer to a request that a fresh session got it for, too. */
export function isDoubtful(status: number, { answered }: Session, request: Message): boolean {
  return doubtfulStatuses.includes(status) && answered?.has(subjectOf(request)) === true;
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
 * Texts with which servers report an unknown session. `noun`: the pattern of the name of a session. `more`: further ends
 * of a sentence about it.
 */
const sessionTexts = (noun: string, more: readonly string[] = []) => [
  String.raw`\b(?:no|unknown|invalid|expired|missing|stale)(?: or (?:unknown|invalid|expired|missing))?(?: valid| active| such| mcp| transport (?:found )?for)*[ -]${noun}`,
  String.raw`\b${noun}(?: with [\w ]{1,20})?(?:[ :]+["'\x60]?[\w.-]{1,128}["'\x60]?)?(?: is| was| has| header)* (?:${[...more, "not found|not known|not valid|unknown|invalid|expired|missing|required|terminated|closed|gone|lost|no longer|does(?: not|n't) exist"].join("|")})`,
  String.raw`\b(?:could not|can(?:not|'t)|failed to) find (?:the |your )?${noun}`,
];

const anyOf = (patterns: readonly string[]) => new RegExp(patterns.join("|"), "i");

/** Ends of a sentence about a session of which no known server sends a 400 to a call. */
const laterEnds = ["been (?:terminated|closed|lost)", "timed out"];

const sessionOrId = "session(?:[ _-]?id)?";

/**
 * Texts of a 400 to a call. The error of an executed call may mention a session, too ("could not close the browser
 * session"): such a call must not be sent again, so the list holds only texts of known servers.
 */
const callTexts = anyOf([...sessionTexts(sessionOrId), "not initialized"]);

/** Texts of a 400 to any other request, which may be sent again. */
const otherTexts = anyOf([
  ...sessionTexts(sessionOrId, laterEnds),
  "not (?:been )?initiali[sz]ed",
  String.raw`\binitiali[sz]e(?: the session)? first\b`,
]);

/** Texts of a status that also reports the failure of a tool ("checkout session has expired"): they name the session id. */
const idTexts = anyOf(sessionTexts("session[ _-]?id", laterEnds));

/** Codes, as the whole text or as a string in it: SESSION_NOT_FOUND, SessionExpired, invalid_session. */
const wholeCode =
  /(?:^|")(?:(?:unknown|invalid|expired|missing|no)[_-]?session(?:[_-]?id)?|session(?:[_-]?id)?[_-]?(?:not[_-]?found|unknown|invalid|expired|missing|required|terminated|closed|lost))(?:$|")/i;

/** Whether the body of a refusal names the session. */
function namesSession(status: number, text: string, request: Message | undefined): boolean {
  const words = text.slice(0, 1000).trim();
  if (wholeCode.test(words)) return true;
  if (status !== 400) return idTexts.test(words);
  return (request?.head.method === "tools/call" ? callTexts : otherTexts).test(words);
}

/** Whether a refusal of `request` means a lost session: it reads as one, and the server did not refuse the request in a fresh session, too. */
export function isSessionLost(
  status: number,
  text: string,
  session: Session,
  request: Message,
  answer?: Message,
): boolean {
  return !isDoubtful(status, session, request) && readsAsLost(status, text, request, answer);
}

/**
 * Whether an error status reads as a lost session: 404, 410, or a status that servers send in their place. `text` is the
 * body; `answer` is the JSON-RPC response in it, if it answers `request`.
 */
export function readsAsLost(
  status: number,
  text: string,
  request?: Message,
  answer?: Message,
): boolean {
  if (goneStatuses.includes(status)) return true;
  const names = refusalStatuses.includes(status) && namesSession(status, text, request);
  if (answer === undefined) return status === 401 || names;
  // A server that answers the request itself knows the session, unless its answer says otherwise.
  const isCode = sessionCodes.includes(answer.value(["error", "code"]));
  return isCode && (status === 401 || (status === 400 && names));
}
