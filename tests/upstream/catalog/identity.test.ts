import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerEntry, TopLevel } from "../../../src/config/schema.ts";
import { serverSettings } from "../../../src/config/settings-builder.ts";
import { catalogIdentity } from "../../../src/upstream/catalog/identity.ts";
import { ownFolder } from "../../support/folder.ts";

const url = "https://kb.example.com/mcp";
type CatalogEntry = Omit<ServerEntry, "url">;
type Variables = Readonly<Record<string, string>>;

function identity(entry: CatalogEntry, env: Variables = {}, home = "/none") {
  const whole = { url, ...entry } as ServerEntry;
  return catalogIdentity(
    serverSettings("kb", whole, {} as TopLevel, { home, stateRoot: home }),
    env,
  );
}

const none = { auth: { type: "none" } } as const;
const workload = { type: "oauth", grant: "jwt_bearer", clientId: "c" } as const;
const idp = {
  issuer: "https://idp.example.com",
  tokenEndpoint: "https://idp.example.com/t",
  clientId: "c",
};
const enterprise = { type: "oauth", grant: "id_jag", clientId: "c" } as const;
const network = (who: string) => ({ clientCertFile: `${who}.pem`, clientKeyFile: `${who}.key` });
const command = { tokenCommand: ["vault", "read"], env: ["VAULT_USER"] };

test.each<[string, [CatalogEntry, Variables?], [CatalogEntry, Variables?]]>([
  ["a token", [{ token: "alice" }], [{ token: "bob" }]],
  ["a variable's token", [{ tokenEnv: "T" }, { T: "alice" }], [{ tokenEnv: "T" }, { T: "bob" }]],
  [
    "a header",
    [{ headers: { "X-Key": "${K}" } }, { K: "alice" }],
    [{ headers: { "X-Key": "${K}" } }, { K: "bob" }],
  ],
  ["a command", [{ tokenCommand: ["vault"] }], [{ tokenCommand: ["vault", "-x"] }]],
  [
    "a variable for its command",
    [command, { VAULT_USER: "alice" }],
    [command, { VAULT_USER: "bob" }],
  ],
  [
    "a client certificate",
    [{ ...none, network: network("alice") }],
    [{ ...none, network: network("bob") }],
  ],
  [
    "an issuer",
    [{ auth: { type: "oauth", issuer: "https://a.example" } }],
    [{ auth: { type: "oauth" } }],
  ],
  ["a client id", [{ auth: { type: "oauth", clientId: "a" } }], [{ auth: { type: "oauth" } }]],
  [
    "an assertion in a variable",
    [{ auth: { ...workload, assertionEnv: "A" } }, { A: "alice" }],
    [{ auth: { ...workload, assertionEnv: "A" } }, { A: "bob" }],
  ],
  [
    "an assertion's command",
    [{ auth: { ...workload, assertionCommand: ["a"] } }],
    [{ auth: { ...workload, assertionCommand: ["b"] } }],
  ],
  [
    "an ID token in a variable",
    [{ auth: { ...enterprise, idp: { ...idp, idTokenEnv: "I" } } }, { I: "alice" }],
    [{ auth: { ...enterprise, idp: { ...idp, idTokenEnv: "I" } } }, { I: "bob" }],
  ],
])("%s of another caller gives another identity", (_, one, other) => {
  expect(identity(...one)).not.toEqual(identity(...other));
  expect(identity(...one)).toEqual(identity(...one));
});

test.each<[string, CatalogEntry]>([
  ["a token file", { tokenFile: "secret" }],
  ["an assertion file", { auth: { ...workload, assertionFile: "secret" } }],
  ["an ID token file", { auth: { ...enterprise, idp: { ...idp, idTokenFile: "secret" } } }],
])("%s is part of the cache key", (_, entry) => {
  using folder = ownFolder();
  const write = (text: string) => writeFileSync(join(folder.path, "secret"), text, { mode: 0o600 });
  write("alice");
  const alice = identity(entry, {}, folder.path);
  write("bob");
  expect(identity(entry, {}, folder.path)).not.toEqual(alice);
  write("alice");
  expect(identity(entry, {}, folder.path)).toEqual(alice);
});

const grant = (issuer: string, id: string) => ({ issuer, client: { id }, accessToken: "canary" });

test.each<[string, object, string | undefined]>([
  ["a grant", { grant: grant("https://as.example", "c") }, '["https://as.example","c"]'],
  [
    "a grant of a named account, signed in again",
    { grant: { ...grant("https://as.example", "c"), account: "alice", signedInAt: 7 } },
    '["https://as.example","c","alice"]',
  ],
  [
    "a grant whose account the server does not name",
    { grant: { ...grant("https://as.example", "c"), signedInAt: 7 } },
    '["https://as.example","c",7]',
  ],
  [
    "one in the keyring",
    { keyring: true, owner: ["https://as.example", "c"] },
    '["https://as.example","c"]',
  ],
  ["none", {}, undefined],
  ["something else", { grant: "canary" }, undefined],
])(
  "of a stored sign-in its issuer, client id and person count, and no token: %s",
  (_, stored, expected) => {
    using folder = ownFolder();
    mkdirSync(join(folder.path, "credentials"));
    writeFileSync(join(folder.path, "credentials/kb.json"), JSON.stringify(stored), {
      mode: 0o600,
    });
    for (const entry of [{}, { auth: { type: "oauth" } }] as const) {
      const found = identity(entry, {}, folder.path);
      expect(found.owner).toBe(expected as string);
      expect(JSON.stringify(found)).not.toContain("canary");
    }
    expect(identity({ token: "t" }, {}, folder.path).owner).toBeUndefined();
  },
);
