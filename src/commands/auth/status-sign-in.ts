import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { credentialsFile } from "../../platform/paths.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";

/** The state of a server's OAuth sign-in, without a secret. Instants as ISO 8601. */
export interface SignIn {
  readonly state: "signed-in" | "signed-out" | "expired" | "moved" | "unknown";
  /** Where the sign-in is stored. */
  readonly store?: "file" | "keyring";
  readonly account?: string;
  /** The pinned authorization server, the only one that gets a client secret from config.json unless `auth.issuer` names another. */
  readonly issuer?: string;
  /** When the access token expires. */
  readonly expiresAt?: string;
  /** Whether a refresh token renews the access token without user interaction. */
  readonly renews?: boolean;
  /** When the access token was issued, by the sign-in or by the last refresh. */
  readonly renewedAt?: string;
  /** Why the state is unknown. */
  readonly problem?: string;
}

/** An instant, in ms since 1970, as ISO 8601. */
export const instant = (ms: number) => new Date(ms).toISOString();

/** Reads the stored sign-in of a server that uses OAuth, or uses OAuth if it asks for a sign-in. */
export async function signInOf(server: ServerSettings, context: Context): Promise<SignIn> {
  const { log, redactor } = context;
  const { CredentialStore } = await import("../../oauth/store/store.ts");
  const { openKeyring } = await import("../../platform/keyring.ts");
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  try {
    const { grant, pinned, movedAt } = await store.read();
    const location = store.place();
    const where = location === undefined ? {} : { store: location };
    const issuer = pinned === undefined ? {} : { issuer: cleanText(pinned.issuer, 200) };
    if (movedAt !== undefined) return { state: "moved", ...where, ...issuer };
    if (grant === undefined) return { state: "signed-out", ...issuer };
    const renews = grant.refreshToken !== undefined;
    const isExpired = grant.expiresAt !== undefined && grant.expiresAt <= Date.now() && !renews;
    return {
      state: isExpired ? "expired" : "signed-in",
      ...where,
      ...issuer,
      ...(grant.account !== undefined && { account: cleanText(grant.account, 200) }),
      ...(grant.expiresAt !== undefined && { expiresAt: instant(grant.expiresAt) }),
      renews,
      renewedAt: instant(grant.obtainedAt),
    };
  } catch (error) {
    return { state: "unknown", problem: cleanText(asBridgeError(error).message) };
  }
}

/** Whether the grant needs no user interaction. */
function isNonInteractive({ credential }: ServerSettings): boolean {
  if (credential.type !== "oauth") return false;
  return credential.auth.grant !== "authorization_code" && credential.auth.grant !== "device_code";
}

const issuerSuffix = ({ issuer }: SignIn) => (issuer === undefined ? "" : ` at ${issuer}`);

/** The sign-in in one line. */
export function signInLine(server: ServerSettings, signIn: SignIn, context: Context): string {
  const login = context.commandLine(`login --server ${server.name}`);
  switch (signIn.state) {
    case "unknown":
      return signIn.problem ?? "unknown";
    case "moved":
      return `moved to another machine; run ${login}`;
    case "signed-out":
      if (isNonInteractive(server))
        return `signs in without you when a token is needed${issuerSuffix(signIn)}`;
      return `not signed in${issuerSuffix(signIn)}; run ${login}`;
    case "expired":
      return `the sign-in expired ${signIn.expiresAt}; run ${login}`;
  }
  const account = signIn.account === undefined ? "" : ` as ${signIn.account}`;
  const expiry = signIn.expiresAt === undefined ? "" : `, expires ${signIn.expiresAt}`;
  const refresh = signIn.renews ? " (refreshed without you)" : "";
  const location = signIn.store === "keyring" ? "the keyring" : credentialsFile(server.state);
  return `signed in${account}${issuerSuffix(signIn)}, access token issued ${signIn.renewedAt}${expiry}${refresh}, kept in ${location}`;
}
