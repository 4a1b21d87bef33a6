import { createHash, createPublicKey, verify } from "node:crypto";

/** Checks a DPoP proof as a resource server does; undefined where it is invalid (RFC 9449 4.3, 7.1). */
export function checkProof(
  proof: string | null,
  request: { method: string; url: string; accessToken: string },
): { readonly jkt: string; readonly jti: string; readonly nonce: string | undefined } | undefined {
  const [head = "", body = "", signature = ""] = (proof ?? "").split(".");
  const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString() || "{}");
  const { typ, alg, jwk } = read(head);
  const { htm, htu, ath, iat, jti, nonce } = read(body);
  if (typ !== "dpop+jwt" || alg !== "ES256" || jwk?.d !== undefined) return undefined;
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const isSigned = verify(
    "sha256",
    Buffer.from(`${head}.${body}`),
    { key, dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  const digest = (text: string) => createHash("sha256").update(text).digest("base64url");
  const isFor =
    htm === request.method && htu === request.url && ath === digest(request.accessToken);
  if (!isSigned || !isFor || Math.abs(Date.now() / 1000 - iat) > 60) return undefined;
  const { crv, kty, x, y } = jwk;
  return { jkt: digest(JSON.stringify({ crv, kty, x, y })), jti, nonce };
}
