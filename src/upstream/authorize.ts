import type { Http, HttpRequest } from "../host/http.ts";
import type { Authorizer } from "../oauth/authorizer.ts";
import { BridgeError } from "../wire/errors.ts";
import { messageIn, readErrorText } from "./answers.ts";

/** Refusals that may be answered by a new token before the last one stands: an expired token, then a wider scope. */
const maxRenewals = 2;

interface Refused {
  readonly status: number;
  readonly wwwAuthenticate: string | null;
}

/** `http` with the credential of one server; a refused request is sent again where the authorizer says that may help. */
export function authorize(http: Http, authorizer: Authorizer): Http {
  return async (request) => {
    for (let renewals = 0; ; renewals++) {
      const { method, url, signal } = request;
      const sent = await authorizer.headers({ method, url }, signal);
      const response = await http({ ...request, headers: { ...request.headers, ...sent } });
      if (response.status !== 401 && response.status !== 403) {
        authorizer.accepted?.(sent);
        return response;
      }
      const body = await readErrorText(response);
      const wwwAuthenticate = response.headers.get("www-authenticate");
      const again = () =>
        new Response(body, { status: response.status, headers: response.headers });
      // The server's own JSON-RPC error to this request is an answer, not a call for another credential.
      const answered = messageIn(body)?.head.id ?? "null";
      if (wwwAuthenticate === null && answered !== "null") return again();
      const dpopNonce = response.headers.get("dpop-nonce");
      const refusal = { status: response.status, wwwAuthenticate, dpopNonce, body, sent };
      if (renewals === maxRenewals || mayBeSession(request, refusal, renewals)) return again();
      const renewed = await authorizer.refused(refusal, signal).catch((error) => {
        // Whether the token or the session is refused shows when a new session is asked for.
        if (isStanding(error) && mayBeSession(request, refusal, 1)) return false;
        throw error;
      });
      if (!renewed) return again();
    }
  };
}

/**
 * Whether a 401 may mean a session that the server forgot, rather than the token: no bearer token is asked
 * for, or the token was renewed already.
 */
function mayBeSession(
  { headers }: HttpRequest,
  { status, wwwAuthenticate }: Refused,
  renewals: number,
) {
  if (status !== 401 || headers["mcp-session-id"] === undefined) return false;
  return renewals > 0 || !/\bbearer\b|\bdpop\b/i.test(wwwAuthenticate ?? "");
}

const isStanding = (error: unknown) =>
  error instanceof BridgeError && error.kind === "unauthorized";
