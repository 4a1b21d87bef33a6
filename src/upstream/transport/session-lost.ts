import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";

/** What the two sides agreed on; the transport writes the id, the session the version. */
export interface Session {
  id: string | undefined;
  version: string | undefined;
  /** Requests whose 404 was the same in a fresh session: there it is the server's answer. */
  readonly answered?: Set<string>;
}

/** More are not noted: they then cost a session each. */
const maxAnswered = 1000;

/** Tells a request by its method and subject: its 404 depends on no other part. */
const subjectOf = (request: Message) => `${request.head.method} ${request.name ?? ""}`;

/** Notes that the server answered 404 to this request in a fresh session, too. */
export function noteAnswer({ answered }: Session, request: Message): void {
  if (answered !== undefined && answered.size < maxAnswered) answered.add(subjectOf(request));
}

/** The session is unknown to the server: nothing was done. */
export class SessionLost extends BridgeError {
  /** The id that was refused. */
  readonly id: string;
  /** The error for the client if a new session is refused, too. */
  readonly refusal: BridgeError;

  /** `cause`: what the refusal would mean without a session. */
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
 * What servers say of a session they do not know. A call that was executed may speak of a session, too ("could not
 * close the browser session"): that one must not be sent again.
 */
const unknownSession = new RegExp(
  [
    String.raw`\b(?:no|unknown|invalid|expired|missing|stale)(?: or (?:unknown|invalid|expired|missing))?(?: valid| active| such| mcp| transport (?:found )?for)*[ -]session`,
    String.raw`\bsession(?:[ _-]?id)?(?: with [\w ]{1,20})?(?:[ :]+["'\x60]?[\w.-]{1,128}["'\x60]?)?(?: is| was| has| header)* (?:not found|not known|not valid|unknown|invalid|expired|missing|required|terminated|closed|gone|lost|no longer|does(?: not|n't) exist)`,
    String.raw`\b(?:could not|can(?:not|'t)|failed to) find (?:the |your )?session`,
    "not initialized",
  ].join("|"),
  "i",
);

/**
 * Whether an error status says that the session is gone: 404 (MCP 2025-11-25 basic/transports, session management), and
 * what servers send in its place. `text` is the body, `answer` what it holds where that names the very `request`.
 */
export function isSessionLost(
  status: number,
  text: string,
  session: Session,
  request?: Message,
  answer?: Message,
): boolean {
  const names = unknownSession.test(text.slice(0, 1000));
  if (status === 404) {
    const isAnswered = request !== undefined && session.answered?.has(subjectOf(request)) === true;
    return names || !isAnswered;
  }
  if (answer === undefined) return status === 401 || ([400, 410].includes(status) && names);
  // A server that answers the request itself knows the session, unless its answer says otherwise.
  const isCode = sessionCodes.includes(answer.value(["error", "code"]));
  return isCode && (status === 401 || (status === 400 && names));
}
