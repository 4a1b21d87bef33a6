import * as v from "valibot";
import { codex, network, noAuth, oauth, schemaOf, serverEntry } from "./schema.ts";
import { serverName } from "./validators.ts";

// What a team file may hold. It comes from somebody else: it must not run a command, read a file, or widen what is trusted.

/** Value of the `format` key, which tells a team file from VS Code's files: both have `servers`. */
export const teamFormat = "codex-mcp-http-bridge/team";

/** Keys that a team file must not have: a command would run on the importing machine; the others are secrets or local paths. */
export const machineKeys: readonly string[] = [
  ...["tokenCommand", "headersCommand", "tokenFile", "access_token", "token", "audit"],
];
/** Keys of `auth` that a team file may have; secrets, commands, local paths and trusted hosts are excluded. */
export const teamAuthKeys: readonly string[] = [
  ...["type", "grant", "clientId", "clientSecretEnv", "clientAuth", "keyId", "algorithm"],
  ...["scopes", "clientMetadataUrl", "clientName", "issuer", "resource", "authorizeParams"],
  ...["pkce", "dpop", "callbackPort", "redirectUri", "assertionEnv"],
];
/** Keys of `network` that a team file may have; a CA certificate or a proxy would let its owner read the traffic. */
export const teamNetworkKeys: readonly string[] = ["ipFamily"];
/** Keys of `codex` that a team file may have; each user decides which tools need an approval. */
export const teamCodexKeys: readonly string[] = ["required"];

/** The hashes of approved tools: a list, since a tool may have any name. */
const approvedHashes = () =>
  v.array(
    v.strictObject({
      name: v.string("expected a tool's name"),
      hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in hex")),
    }),
    "expected a list",
  );

/** An object schema with only some of its keys. */
function only(schema: { readonly entries: v.ObjectEntries }, keys: readonly string[]) {
  return v.strictObject(
    Object.fromEntries(Object.entries(schema.entries).filter(([key]) => keys.includes(key))),
  );
}

/** The schema of a team file, from which the JSON Schema is generated. */
export function wholeTeamFile() {
  const { auth: _, network: __, codex: ___, ...others } = schemaOf(serverEntry).entries;
  const shared = Object.entries(others).filter(([key]) => !machineKeys.includes(key));
  const entry = v.strictObject({
    ...Object.fromEntries(shared),
    auth: v.exactOptional(v.variant("type", [only(oauth(), teamAuthKeys) as never, noAuth()])),
    network: v.exactOptional(only(network(), teamNetworkKeys)),
    codex: v.exactOptional(only(codex(), teamCodexKeys)),
    approved: v.exactOptional(approvedHashes()),
  });
  return v.strictObject({
    format: v.literal(teamFormat),
    version: v.literal(1),
    servers: v.record(v.pipe(v.string(), v.regex(serverName)), entry),
  });
}
