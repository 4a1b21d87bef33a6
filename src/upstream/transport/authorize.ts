import type { Http, HttpRequest } from "../../http/client.ts";
import type { Authorizer } from "../../oauth/authorizer/types.ts";
import { BridgeError } from "../../wire/errors.ts";
import { isAnswerTo, Message, readMessage } from "../../wire/message.ts";
import { messageIn, readErrorText } from "./response-body.ts";

/** Refusals of one request that are answered with a new token: one for an expired token, one for a wider scope. */
const maxCredentialRefreshes = 2;

interface Refused {
  readonly status: number;
  readonly wwwAuthenticate: string | null;
}

/** A 401 that may mean "session expired"; `refusal` is the error to report if a new session is refused too. */
export class DoubtfulRefusal extends Response {
  readonly refusal: BridgeError;

  constructor(body: string, { status, headers }: Response, refusal: BridgeError) {
    super(body, { status, headers });
    this.refusal = refusal;
  }
}

/** `http` with the credential of one server; a refused request is sent again where the authorizer says that may help. `changed` is called before a request that carries another credential than the refused one. */
export function authorize(http: Http, authorizer: Authorizer, changed?: () => void): Http {
  const withCredential = merging();
  const send = (request: HttpRequest, sent: Fields): Promise<Response> =>
    http({ ...request, headers: withCredential(request.headers, sent) });
  const again = async (request: HttpRequest, first: Response, carried: Fields) => {
    let response = first;
    let sent = carried;
    for (let renewals = 0; isRefusal(response); renewals++) {
      const { method, url, signal } = request;
      const body = await readErrorText(response);
      const wwwAuthenticate = response.headers.get("www-authenticate");
      const unchanged = () =>
        new Response(body, { status: response.status, headers: response.headers });
      // The server's own JSON-RPC error to this request is an answer, not a call for another credential.
      if (wwwAuthenticate === null && isAnswered(request, body)) return unchanged();
      const dpopNonce = response.headers.get("dpop-nonce");
      const refusal = { status: response.status, wwwAuthenticate, dpopNonce, body, sent };
      if (renewals === maxCredentialRefreshes || mayBeSession(request, refusal, renewals))
        return unchanged();
      const renewed = await authorizer.refused(refusal, signal).catch((error) => {
        // A new session tells whether the server refused the token or the session.
        if (isUnauthorized(error) && mayBeSession(request, refusal, 1))
          return new DoubtfulRefusal(body, response, error);
        throw error;
      });
      if (renewed instanceof Response) return renewed;
      if (!renewed) return unchanged();
      const refused = sent;
      sent = await authorizer.headers({ method, url }, signal);
      if (!isSameCaller(refused, sent)) changed?.();
      response = await send(request, sent);
    }
    authorizer.accepted?.(sent);
    return response;
  };
  const sendWith = (request: HttpRequest, sent: Fields) =>
    send(request, sent).then((response) => {
      if (isRefusal(response)) return again(request, response, sent);
      authorizer.accepted?.(sent);
      return response;
    });
  return (request) => {
    // If the credential is available, no promise is made: saves 1 of 51 microseconds of a call (measured in process).
    const sent = authorizer.known?.();
    if (sent !== undefined) return sendWith(request, sent);
    return authorizer
      .headers(request, request.signal)
      .then((headers) => sendWith(request, headers));
  };
}

const isRefusal = ({ status }: Response) => status === 401 || status === 403;

type Fields = Readonly<Record<string, string>>;

/** Whether two requests carry the same credential; DPoP proofs are ignored, because each request has a new one. */
function isSameCaller(one: Fields, other: Fields): boolean {
  const asText = (fields: Fields) =>
    JSON.stringify(Object.entries(fields).filter(([name]) => name.toLowerCase() !== "dpop"));
  return asText(one) === asText(other);
}

/** Merges header fields; reuses the last result if both objects are the same as for the last request (streamable-http.ts, `#made`). */
function merging() {
  const joined = new WeakMap<Fields, { readonly sent: Fields; readonly both: Fields }>();
  return (headers: Fields, sent: Fields): Fields => {
    const known = joined.get(headers);
    if (known?.sent === sent) return known.both;
    const both = { ...headers, ...sent };
    joined.set(headers, { sent, both });
    return both;
  };
}

/**
 * Whether a 401 may mean an unknown session and not a bad token: the challenge asks for no bearer token, or the token
 * was renewed for this request.
 */
function mayBeSession(
  { headers }: HttpRequest,
  { status, wwwAuthenticate }: Refused,
  renewals: number,
) {
  if (status !== 401 || headers["mcp-session-id"] === undefined) return false;
  return renewals > 0 || !/\bbearer\b|\bdpop\b/i.test(wwwAuthenticate ?? "");
}

/** Whether the body of a refusal is the JSON-RPC response to the request. */
function isAnswered({ body }: HttpRequest, text: string): boolean {
  const response = messageIn(text);
  const request =
    response !== undefined && body instanceof Uint8Array ? readMessage(body) : undefined;
  return request instanceof Message && isAnswerTo(request.requestIds(), response!);
}

const isUnauthorized = (error: unknown): error is BridgeError =>
  error instanceof BridgeError && error.kind === "unauthorized";

/** Whether a request failed because the server did not accept its credential. */
export function isCredentialError(error: unknown): boolean {
  if (!(error instanceof BridgeError)) return false;
  return ["unauthorized", "forbidden", "sign-in-required"].includes(error.kind);
}
