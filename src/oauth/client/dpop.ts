import type { webcrypto } from "node:crypto";
import type { DPoPHandle } from "oauth4webapi";

type Jwk = webcrypto.JsonWebKey;

const algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;

/** A request that a proof is made for. */
interface ProvenRequest {
  readonly method: string;
  readonly url: URL;
  readonly accessToken: string;
}

/** A key that tokens are bound to, and the proofs made with it (RFC 9449); one for each sign-in. */
export class DpopKey {
  /** For the requests that the library itself makes: it puts a proof into them. */
  readonly handle: DPoPHandle;
  /** The private key, for the store. */
  readonly exported: Jwk;
  /** The last nonce of each origin (RFC 9449 8 and 9). */
  readonly #nonces: Map<string, string>;

  private constructor(handle: DPoPHandle, exported: Jwk, nonces: Map<string, string>) {
    this.handle = handle;
    this.exported = exported;
    this.#nonces = nonces;
  }

  static async make(): Promise<DpopKey> {
    const { privateKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    return DpopKey.load(await crypto.subtle.exportKey("jwk", privateKey));
  }

  static async load(exported: Jwk): Promise<DpopKey> {
    const oauth = await import("oauth4webapi");
    const { kty, crv, x, y } = exported;
    const [privateKey, publicKey] = await Promise.all([
      crypto.subtle.importKey("jwk", exported, algorithm, false, ["sign"]),
      crypto.subtle.importKey("jwk", { kty, crv, x, y } as Jwk, algorithm, true, ["verify"]),
    ]);
    const nonces = new Map<string, string>();
    // The library keeps nonces of its own requests alone; those of the MCP server come through `learn`.
    const handle = oauth.DPoP({}, { privateKey, publicKey } as CryptoKeyPair, {
      [oauth.modifyAssertion](_, payload) {
        const { htu } = payload;
        const nonce = nonces.get(new URL(String(htu)).origin);
        if (nonce !== undefined) Object.assign(payload, { nonce });
      },
    });
    return new DpopKey(handle, exported, nonces);
  }

  /** Remembers the nonce that an answer brought; true where it is a new one, so that asking again may help. */
  learn(url: URL, nonce: string | null): boolean {
    if (nonce === null || !/^[\x21-\x7e]{1,1024}$/.test(nonce)) return false;
    if (this.#nonces.get(url.origin) === nonce) return false;
    this.#nonces.set(url.origin, nonce);
    return true;
  }

  /** The value of the `DPoP` header of a request to the MCP server: the library makes it for a request that is not sent. */
  async proof({ method, url, accessToken }: ProvenRequest): Promise<string> {
    const oauth = await import("oauth4webapi");
    let proof = "";
    await oauth.protectedResourceRequest(accessToken, method, url, undefined, undefined, {
      DPoP: this.handle,
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: async (_, { headers: { dpop = "" } }) => {
        proof = dpop;
        return new Response();
      },
    });
    return proof;
  }
}
