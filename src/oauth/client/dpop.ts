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

/** The key that the tokens of one sign-in are bound to, and its proofs (RFC 9449). */
export class DpopKey {
  /** For requests that oauth4webapi sends: it adds the proof itself. */
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
    // oauth4webapi knows only the nonces of its own requests; nonces of the MCP server are added by `learn`.
    const handle = oauth.DPoP({}, { privateKey, publicKey } as CryptoKeyPair, {
      [oauth.modifyAssertion](_, payload) {
        const { htu } = payload;
        const nonce = nonces.get(new URL(String(htu)).origin);
        if (nonce !== undefined) Object.assign(payload, { nonce });
      },
    });
    return new DpopKey(handle, exported, nonces);
  }

  /** Stores the nonce of a response. Returns true for a new nonce: repeating the request with it may succeed. */
  learn(url: URL, nonce: string | null): boolean {
    if (nonce === null || !/^[\x21-\x7e]{1,1024}$/.test(nonce)) return false;
    if (this.#nonces.get(url.origin) === nonce) return false;
    this.#nonces.set(url.origin, nonce);
    return true;
  }

  /**
   * The `DPoP` header for a request to the MCP server. oauth4webapi makes proofs only for requests that it sends, so it
   * gets a fetch that keeps the header and sends nothing.
   */
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
