import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import { jsonObject } from "../core/document.ts";
import type { SignInTarget } from "../discovery/discovery.ts";
import { libraryOptions } from "./oauth4webapi.ts";
import { readSource } from "./secret-source.ts";
import { refusalOf, refusalText } from "./token-endpoint.ts";

const idJagType = "urn:ietf:params:oauth:token-type:id-jag";

/**
 * Exchanges the user's ID token at the enterprise's identity provider for an assertion that the server's authorization
 * server accepts (RFC 8693, identity assertion authorization grant). Throws a BridgeError.
 */
export async function exchangeForIdJag(
  context: OAuthContext,
  { issuer, resource }: SignInTarget,
  scope: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const { auth, server, redactor } = context;
  const { idp } = auth;
  if (idp === undefined) throw new Error('the config schema requires "idp" for id_jag');
  const source = { file: idp.idTokenFile, variable: idp.idTokenEnv, argv: idp.idTokenCommand };
  const idToken = await readSource(context, "ID token", source, signal);
  const url = new URL(idp.tokenEndpoint);
  const oauth = await import("oauth4webapi");
  const response = await oauth.genericTokenEndpointRequest(
    { issuer: idp.issuer, token_endpoint: url.href },
    { client_id: idp.clientId },
    oauth.None(),
    "urn:ietf:params:oauth:grant-type:token-exchange",
    {
      requested_token_type: idJagType,
      subject_token: idToken,
      subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
      audience: issuer.issuer,
      ...(resource !== undefined && { resource }),
      ...(scope !== undefined && { scope }),
    },
    await libraryOptions(context, idp.issuer, signal),
  );
  const json = jsonObject(await response.text()) ?? {};
  const fail = (why: string) =>
    new BridgeError(
      "unauthorized",
      `Authentication failed: the identity provider "${url.host}" ${why}`,
      {
        hint: settingHint(
          `check "auth.idp" of server "${server.name}" and that its ID token has not expired`,
        ),
      },
    );
  if (response.status >= 500) {
    throw new BridgeError(
      "server-error",
      `the identity provider "${url.host}" answered ${response.status}`,
    );
  }
  if (!response.ok) throw fail(`refused: ${refusalText(refusalOf(json, context))}`);
  const { access_token, issued_token_type } = json;
  const isJag = typeof access_token === "string" && issued_token_type === idJagType;
  if (!isJag || !/^[\x21-\x7e]+$/.test(access_token)) throw fail("gave no identity assertion");
  redactor.add(access_token);
  return access_token;
}
