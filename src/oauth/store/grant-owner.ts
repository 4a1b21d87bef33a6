import type { ServerSettings } from "../../config/settings.ts";
import { readJudged } from "../../platform/files.ts";
import { credentialsFile } from "../../platform/paths.ts";
import type { Grant } from "../core/grant.ts";

/** What a grant belongs to besides its entry: the issuer and the client id there. */
export type GrantOwner = readonly [issuer: string, clientId: string];

export function grantOwnerOf({ issuer, client }: Grant): GrantOwner {
  return [issuer, client.id];
}

const maxBytes = 1024 * 1024;

/** Whose the stored sign-in of a server is, as text; undefined where there is none that can be read. Its own module: a start that the catalog answers needs nothing else of the store. */
export function storedGrantOwner({ state }: ServerSettings): string | undefined {
  try {
    const text = readJudged(credentialsFile(state), maxBytes)?.text;
    if (text === undefined) return undefined;
    // In the keyring's place the file says whose it is.
    const { grant, owner } = JSON.parse(text) as { grant?: Grant; owner?: GrantOwner };
    const found = grant === undefined ? owner : grantOwnerOf(grant);
    return found && JSON.stringify(found);
  } catch {
    // Who needs the sign-in tells what is wrong with it.
    return undefined;
  }
}
