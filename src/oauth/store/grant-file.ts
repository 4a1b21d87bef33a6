import type { ServerSettings } from "../../config/settings.ts";
import { readChecked } from "../../platform/files.ts";
import { credentialsFile } from "../../platform/paths.ts";
import { BridgeError } from "../../wire/errors.ts";
import { jsonObject } from "../core/document.ts";
import { type Grant, isInstant, type StoredGrant } from "../core/grant.ts";
import type { GrantOwner } from "./grant-owner.ts";

/** The content of a server's file. With a keyring it holds no secret, only `keyring` and the owner of the grant. */
type StoredGrantFile = StoredGrant & {
  readonly keyring?: true;
  readonly owner?: GrantOwner;
};

const maxBytes = 1024 * 1024;

/** Whether a value has the required members of a grant. */
export function isGrant(value: unknown): value is Grant {
  const grant = value as Partial<Grant> | null | undefined;
  return (
    typeof grant?.issuer === "string" &&
    typeof grant.accessToken === "string" &&
    typeof grant.tokenEndpoint === "string" &&
    isInstant(grant.obtainedAt) &&
    (grant.expiresAt === undefined || isInstant(grant.expiresAt)) &&
    typeof grant.client?.id === "string"
  );
}

/** Reads the file of a server; undefined where there is none. Throws `configuration` for an unsafe file, or for content of another format. */
export function readGrantFile(path: string, server: string): StoredGrantFile | undefined {
  const file = readChecked(path, maxBytes);
  if (file === undefined) return undefined;
  file.requirePrivate();
  const json = jsonObject(file.text);
  const isOurs =
    json?.version === 1 &&
    typeof json.server === "string" &&
    typeof json.origin === "string" &&
    (json.grant === undefined || isGrant(json.grant));
  if (isOurs) return json as unknown as StoredGrantFile;
  throw new BridgeError("configuration", `${path} is not a sign-in of this version`, {
    hint: (command) =>
      `run ${command(`logout --server ${server}`)}, then ${command(`login --server ${server}`)}`,
  });
}

/** The type of the access token in the server's file; undefined where the file holds none. Throws `configuration`. */
export function storedTokenType({ name, state }: ServerSettings): Grant["tokenType"] | undefined {
  return readGrantFile(credentialsFile(state), name)?.grant?.tokenType;
}
