import type { ServerSettings } from "../../config/settings.ts";
import { readChecked } from "../../platform/files.ts";
import { credentialsFile } from "../../platform/paths.ts";
import type { Grant } from "../core/grant.ts";

/** Whether a sign-in may be the credential of a server's entry: `auth` says so, or the entry names no credential. */
export function mayUseOAuth({ credential: { type } }: ServerSettings): boolean {
  return type === "oauth" || type === "unset";
}

/** The issuer and client id of a grant, and its account, or the moment of its sign-in if the server names no account. */
export type GrantOwner = readonly [issuer: string, clientId: string, person?: string | number];

export function grantOwnerOf({ issuer, client, account, signedInAt }: Grant): GrantOwner {
  const person = account ?? signedInAt;
  return person === undefined ? [issuer, client.id] : [issuer, client.id, person];
}

const maxBytes = 1024 * 1024;

/** The owner of a server's stored sign-in, as text; undefined where none can be read. This module is small, because a start from the catalog loads nothing else of the store. */
export function storedGrantOwner({ state }: ServerSettings): string | undefined {
  try {
    const text = readChecked(credentialsFile(state), maxBytes)?.text;
    if (text === undefined) return undefined;
    // With a keyring, the file holds the owner in place of the grant.
    const { grant, owner } = JSON.parse(text) as { grant?: Grant; owner?: GrantOwner };
    const found = grant === undefined ? owner : grantOwnerOf(grant);
    return found && JSON.stringify(found);
  } catch {
    // The code that needs the sign-in reports the error.
    return undefined;
  }
}
