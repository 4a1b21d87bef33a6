import type { KeyObject } from "node:crypto";
import type { ClientAuth, PrivateKey } from "oauth4webapi";
import { readSecretFile } from "../../platform/files.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";
import type { OAuthClient } from "../core/grant.ts";

type Parameters = { name: string; hash?: string; namedCurve?: string };

const parametersByAlgorithm: Readonly<Record<string, Parameters>> = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  ES384: { name: "ECDSA", namedCurve: "P-384" },
  ES512: { name: "ECDSA", namedCurve: "P-521" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  RS384: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" },
  RS512: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" },
  PS256: { name: "RSA-PSS", hash: "SHA-256" },
  PS384: { name: "RSA-PSS", hash: "SHA-384" },
  PS512: { name: "RSA-PSS", hash: "SHA-512" },
  EdDSA: { name: "Ed25519" },
  Ed25519: { name: "Ed25519" },
};

const algorithmByCurve: Readonly<Record<string, string>> = {
  prime256v1: "ES256",
  secp384r1: "ES384",
  secp521r1: "ES512",
};

/** The algorithm of a key, for configurations without `algorithm`. */
function algorithmOf(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType === "rsa") return "RS256";
  if (key.asymmetricKeyType === "ed25519") return "Ed25519";
  return algorithmByCurve[key.asymmetricKeyDetails?.namedCurve ?? ""];
}

async function privateKey({ auth, server }: OAuthContext): Promise<PrivateKey & { alg: string }> {
  const what = `the private key of server "${server.name}"`;
  const fail = (why: string) =>
    new BridgeError("configuration", `${what} ${why}`, {
      hint: settingHint('see "auth.privateKeyFile" and "auth.algorithm" in the configuration'),
    });
  if (auth.privateKeyFile === undefined) throw fail("is not configured");
  const pem = readSecretFile(auth.privateKeyFile, what);
  const { createPrivateKey } = await import("node:crypto");
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw fail("is not a PEM key without a passphrase");
  }
  const alg = auth.algorithm ?? algorithmOf(key);
  const parameters = parametersByAlgorithm[alg ?? ""];
  if (alg === undefined || parameters === undefined)
    throw fail("has an algorithm that is not supported");
  const der = key.export({ type: "pkcs8", format: "der" });
  try {
    const imported = await crypto.subtle.importKey("pkcs8", der, parameters, false, ["sign"]);
    return { key: imported, alg, ...(auth.keyId !== undefined && { kid: auth.keyId }) };
  } catch {
    throw fail(`does not fit the algorithm ${alg}`);
  }
}

/**
 * The client authentication of a request (RFC 6749 2.3, RFC 7523 2.2). `repeatsClientId`: with Basic, the body holds
 * the client id as well, where servers of the Python SDK look for it. Throws `configuration`.
 */
export async function clientAuth(
  context: OAuthContext,
  client: OAuthClient,
  repeatsClientId: boolean,
): Promise<ClientAuth> {
  const oauth = await import("oauth4webapi");
  if (client.method === "none") return oauth.None();
  if (client.method === "private_key_jwt") {
    const { alg, ...key } = await privateKey(context);
    return oauth.PrivateKeyJwt(key, {
      [oauth.modifyAssertion](header) {
        Object.assign(header, { alg });
      },
    });
  }
  if (client.secret === undefined) {
    throw new BridgeError("configuration", `server "${context.server.name}" has no client secret`, {
      hint: settingHint(
        `"auth.clientAuth" is ${client.method}: set auth.clientSecret, clientSecretEnv or clientSecretFile`,
      ),
    });
  }
  return client.method === "client_secret_post"
    ? oauth.ClientSecretPost(client.secret)
    : clientSecretBasic(client.secret, repeatsClientId);
}

/**
 * Basic with the form encoding of browsers, which leaves `-`, `.`, `_` and `*` as they are: some servers never decode.
 * oauth4webapi's own Basic encodes these four too, and never puts the client id into the body.
 */
function clientSecretBasic(secret: string, repeatsClientId: boolean): ClientAuth {
  const encode = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
  return (_, client, body, headers) => {
    const pair = `${encode(client.client_id)}:${encode(secret)}`;
    headers.set("authorization", `Basic ${btoa(pair)}`);
    if (repeatsClientId) body.set("client_id", client.client_id);
  };
}
