import type { webcrypto } from "node:crypto";

type Key = webcrypto.CryptoKey;
type Jwk = webcrypto.JsonWebKey;

const algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const encoder = new TextEncoder();
const encode = (bytes: Uint8Array) => bytes.toBase64({ alphabet: "base64url", omitPadding: true });
const encodeJson = (value: object) => encode(encoder.encode(JSON.stringify(value)));

interface ProofFor {
  readonly method: string;
  readonly url: URL;
  /** The token that the proof goes with, towards a resource. */
  readonly accessToken?: string;
}

/** A key that tokens are bound to, and the proofs made with it (RFC 9449); one per sign-in. */
export class DpopKey {
  readonly #key: Key;
  readonly #public: Jwk;
  readonly #now: () => number;
  /** The last nonce of each origin (RFC 9449 8 and 9). */
  readonly #nonces = new Map<string, string>();
  /** The private key, for the store. */
  readonly exported: Jwk;

  private constructor(key: Key, exported: Jwk, now: () => number) {
    this.#key = key;
    this.exported = exported;
    this.#now = now;
    const { kty, crv, x, y } = exported;
    this.#public = { kty, crv, x, y } as Jwk;
  }

  static async make(now: () => number): Promise<DpopKey> {
    const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const exported = await crypto.subtle.exportKey("jwk", pair.privateKey);
    return new DpopKey(pair.privateKey, exported, now);
  }

  static async load(exported: Jwk, now: () => number): Promise<DpopKey> {
    const key = await crypto.subtle.importKey("jwk", exported, algorithm, false, ["sign"]);
    return new DpopKey(key, exported, now);
  }

  /** Remembers the nonce that an answer brought; true where it is a new one, so that asking again may help. */
  learn(url: URL, nonce: string | null): boolean {
    if (nonce === null || !/^[\x21-\x7e]{1,1024}$/.test(nonce)) return false;
    if (this.#nonces.get(url.origin) === nonce) return false;
    this.#nonces.set(url.origin, nonce);
    return true;
  }

  /** The value of the `DPoP` header of one request. */
  async proof({ method, url, accessToken }: ProofFor): Promise<string> {
    const nonce = this.#nonces.get(url.origin);
    const payload = {
      jti: crypto.randomUUID(),
      htm: method,
      htu: url.origin + url.pathname,
      iat: Math.floor(this.#now() / 1000),
      ...(nonce !== undefined && { nonce }),
      ...(accessToken !== undefined && { ath: await digestOf(accessToken) }),
    };
    const header = { typ: "dpop+jwt", alg: "ES256", jwk: this.#public };
    const input = `${encodeJson(header)}.${encodeJson(payload)}`;
    const how = { name: "ECDSA", hash: "SHA-256" };
    const signature = await crypto.subtle.sign(how, this.#key, encoder.encode(input));
    return `${input}.${encode(new Uint8Array(signature))}`;
  }
}

/** base64url(SHA-256(text)): the form in which `ath` and PKCE name a text without showing it. */
export async function digestOf(text: string): Promise<string> {
  return encode(new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))));
}
