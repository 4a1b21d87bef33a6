import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { credentialsFile } from "../../platform/paths.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { cleanText } from "../../wire/text.ts";

/** The state of a server's OAuth sign-in, without a secret. Instants as ISO 8601. */
export interface SignIn {
  readonly state: "signed-in" | "signed-out" | "expired" | "moved" | "unknown";
  /** Where it is kept. */
  readonly store?: "file" | "keyring";
  readonly account?: string;
  /** The pinned authorization server: a secret of the configuration goes to no other. */
  readonly issuer?: string;
  /** When the access token ends. */
  readonly expiresAt?: string;
  /** Whether a refresh token renews it without a person. */
  readonly renews?: boolean;
  /** When the access token was got or last renewed. */
  readonly renewedAt?: string;
  /** Why the state is unknown. */
  readonly problem?: string;
}

/** An instant as people and programs read it: ISO 8601. */
export const instant = (ms: number) => new Date(ms).toISOString();

/** The sign-in of a server whose credential is OAuth, or may become it. */
export async function signInOf(server: ServerSettings, context: Context): Promise<SignIn> {
  const { log, redactor } = context;
  const { CredentialStore } = await import("../../oauth/store/store.ts");
  const { openKeyring } = await import("../../platform/keyring.ts");
  const store = new CredentialStore(server, { keyring: openKeyring, log, redactor });
  try {
    const { grant, pinned, movedAt } = await store.read();
    const place = store.place();
    const where = place === undefined ? {} : { store: place };
    const issuer = pinned === undefined ? {} : { issuer: cleanText(pinned.issuer, 200) };
    if (movedAt !== undefined) return { state: "moved", ...where, ...issuer };
    if (grant === undefined) return { state: "signed-out", ...issuer };
    const renews = grant.refreshToken !== undefined;
    const isOver = grant.expiresAt !== undefined && grant.expiresAt <= Date.now() && !renews;
    return {
      state: isOver ? "expired" : "signed-in",
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

function needsNobody({ credential }: ServerSettings): boolean {
  if (credential.type !== "oauth") return false;
  return credential.auth.grant !== "authorization_code" && credential.auth.grant !== "device_code";
}

const at = ({ issuer }: SignIn) => (issuer === undefined ? "" : ` at ${issuer}`);

/** The sign-in in one line. */
export function signInLine(server: ServerSettings, signIn: SignIn, context: Context): string {
  const login = context.commandLine(`login --server ${server.name}`);
  switch (signIn.state) {
    case "unknown":
      return signIn.problem ?? "unknown";
    case "moved":
      return `moved to another machine; run ${login}`;
    case "signed-out":
      if (needsNobody(server)) return `signs in by itself when a token is needed${at(signIn)}`;
      return `not signed in${at(signIn)}; run ${login}`;
    case "expired":
      return `the sign-in ended ${signIn.expiresAt}; run ${login}`;
  }
  const who = signIn.account === undefined ? "" : ` as ${signIn.account}`;
  const end = signIn.expiresAt === undefined ? "" : ` until ${signIn.expiresAt}`;
  const renewal = signIn.renews ? " (renewed without you)" : "";
  const file = credentialsFile(server.state);
  const kept = signIn.store === "keyring" ? "the keyring" : file;
  return `signed in${who}${at(signIn)}${end}${renewal}, last renewed ${signIn.renewedAt}, kept in ${kept}`;
}
