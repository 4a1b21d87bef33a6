import { BridgeError } from "../../wire/errors.ts";
import { jsonObject } from "../core/document.ts";

/** Parameters of the key derivation: part of the encrypted text, and authenticated with it. */
interface Header {
  readonly kdf: "scrypt";
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: string;
  readonly nonce: string;
}

const mark = "codex-mcp-http-bridge-sign-in-1";
/** Key derivation takes 128 MB and a fraction of a second; a text whose parameters demand more than 256 MB is refused. */
const cost = { N: 2 ** 17, r: 8, p: 1 } as const;
const maxMemoryBytes = 256 * 1024 * 1024;
const maxTextLength = 4 * 1024 * 1024;

const base64url = { alphabet: "base64url", omitPadding: true } as const;
const encode = (bytes: Uint8Array) => bytes.toBase64(base64url);
const decode = (text: string) => Uint8Array.fromBase64(text, { alphabet: "base64url" });

async function keyOf(passphrase: string, { N, r, p, salt }: Header) {
  const { scrypt } = await import("node:crypto");
  const options = { N, r, p, maxmem: 2 * maxMemoryBytes };
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    scrypt(passphrase.normalize("NFC"), decode(salt), 32, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
  return crypto.subtle.importKey("raw", new Uint8Array(bytes), "AES-GCM", false, [
    "encrypt",
    "decrypt",
  ]);
}

function cipher(header: Header, head: string) {
  return {
    name: "AES-GCM",
    iv: decode(header.nonce),
    additionalData: new TextEncoder().encode(head),
  };
}

/** Encrypts a text with a passphrase (scrypt, AES-256-GCM; the parameters are authenticated) into one line. */
export async function encryptExport(text: string, passphrase: string): Promise<string> {
  const random = (length: number) => encode(crypto.getRandomValues(new Uint8Array(length)));
  const header: Header = { kdf: "scrypt", ...cost, salt: random(16), nonce: random(12) };
  const head = `${mark}.${encode(new TextEncoder().encode(JSON.stringify(header)))}`;
  const key = await keyOf(passphrase, header);
  const body = await crypto.subtle.encrypt(
    cipher(header, head),
    key,
    new TextEncoder().encode(text),
  );
  return `${head}.${encode(new Uint8Array(body))}`;
}

function broken(why: string): BridgeError {
  return new BridgeError("configuration", `this is no exported sign-in: ${why}`, {
    hint: "import the whole text that credentials export printed, with the same passphrase",
  });
}

function headerIn(part: string): Header {
  const json = jsonObject(new TextDecoder().decode(decode(part)));
  const { kdf, N, r, p, salt, nonce } = (json ?? {}) as Partial<Header>;
  const isNumber = (value: unknown): value is number =>
    Number.isSafeInteger(value) && Number(value) > 0;
  if (kdf !== "scrypt" || !isNumber(N) || !isNumber(r) || !isNumber(p))
    throw broken("unknown parameters");
  // Limited, because anybody may have written the text: scrypt needs 128 * N * r bytes of memory, and p rounds.
  if (128 * N * r > maxMemoryBytes || p > 4 || (N & (N - 1)) !== 0)
    throw broken("its parameters are too high");
  if (typeof salt !== "string" || typeof nonce !== "string") throw broken("unknown parameters");
  if (decode(nonce).length !== 12) throw broken("unknown parameters");
  return { kdf, N, r, p, salt, nonce };
}

/** Decrypts a text. Throws `configuration` where the text is damaged or the passphrase is wrong. */
export async function decryptExport(encrypted: string, passphrase: string): Promise<string> {
  const text = encrypted.replace(/\s+/g, "");
  if (text.length > maxTextLength) throw broken("it is too long");
  const [name, part = "", body = "", ...rest] = text.split(".");
  if (name !== mark || rest.length > 0 || body === "") throw broken("unknown format");
  try {
    const header = headerIn(part);
    const key = await keyOf(passphrase, header);
    const plain = await crypto.subtle.decrypt(cipher(header, `${name}.${part}`), key, decode(body));
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    throw broken("it is damaged, or the passphrase is wrong");
  }
}
