import type { NetworkSettings } from "../config/settings.ts";
import { readSecretFile } from "../platform/files.ts";
import { fs } from "../platform/fs.ts";
import type { Log } from "../platform/log.ts";
import { isAbsolute, join } from "../platform/path.ts";
import type { Environment } from "../platform/paths.ts";
import type { ServerCache } from "../platform/server-cache.ts";
import { BridgeError } from "../wire/errors.ts";

/** Bun's `tls` option of a request. */
export interface TlsOptions {
  readonly rejectUnauthorized: true;
  /** PEM certificates; Bun trusts these in place of its own roots. */
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Variables that name a file of certificates to trust in addition to Bun's roots. */
const fileVariables = [
  "SSL_CERT_FILE",
  "NODE_EXTRA_CA_CERTS",
  "CODEX_CA_CERTIFICATE",
  "CODEX_PROXY_CERT",
];
/** The variables among `fileVariables` that Bun reads itself. */
const native = new Set(["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"]);
const directoryVariable = "SSL_CERT_DIR";
const systemKey = "systemStore";

/** The certificates that connections to one server trust, and the client certificate that they show. */
export class Certificates {
  readonly #network: NetworkSettings;
  readonly #env: Environment;
  readonly #cache: ServerCache;
  readonly #log: Log;
  #options: TlsOptions | undefined;

  constructor(network: NetworkSettings, env: Environment, cache: ServerCache, log: Log) {
    this.#network = network;
    this.#env = env;
    this.#cache = cache;
    this.#log = log;
  }

  /** The options that were read last; undefined before the first connection. */
  get known(): TlsOptions | undefined {
    return this.#options;
  }

  /** The TLS options of the next connection. Files are read once, for the first one. Throws `configuration`. */
  async options(): Promise<TlsOptions> {
    this.#options ??= await this.#read(this.#cache.get(systemKey) === true);
    return this.#options;
  }

  /**
   * Also trusts the system's certificate store; called after a certificate of an unknown issuer. Loading the store costs
   * time and memory, so it is not loaded at the start. Resolves to false if it was added before.
   */
  async addSystemStore(): Promise<boolean> {
    if (this.#cache.get(systemKey) === true) return false;
    this.#cache.set(systemKey, true);
    this.#options = await this.#read(true);
    this.#log.debug("trusting the system's certificates, too");
    return true;
  }

  /** The PEM texts of all trusted roots, each list with its source. */
  async sources(): Promise<{ readonly source: string; readonly texts: readonly string[] }[]> {
    const tls = await import("node:tls");
    const { caFile } = this.#network;
    const usesSystem = this.#cache.get(systemKey) === true;
    const found = [
      {
        source: '"network.caFile"',
        texts: caFile === undefined ? [] : [readPem(caFile, '"network.caFile"')],
      },
      ...fileVariables.map((source) => ({
        source,
        texts: this.#variable(source, (path) => [read(path)]),
      })),
      { source: directoryVariable, texts: this.#variable(directoryVariable, readFolder) },
      { source: "built in", texts: tls.rootCertificates },
      {
        source: "the system's store",
        texts: usesSystem ? tls.getCACertificates("system") : [],
      },
    ];
    return found.filter(({ texts }) => texts.length > 0);
  }

  async #read(withSystem: boolean): Promise<TlsOptions> {
    const { caFile, clientCertFile, clientKeyFile } = this.#network;
    const added = caFile === undefined ? [] : [readPem(caFile, '"network.caFile"')];
    const isNamed = (name: string) => (this.#env[name] ?? "") !== "";
    const relative = [...fileVariables, directoryVariable].find(
      (name) => isNamed(name) && !isAbsolute(this.#env[name]!),
    );
    if (relative !== undefined) throw relativePathError(relative);
    const own = fileVariables.filter((name) => isNamed(name) && !native.has(name));
    const replaces = withSystem || added.length > 0 || own.length > 0 || isNamed(directoryVariable);
    const cert = clientCertFile && readPem(clientCertFile, '"network.clientCertFile"');
    const key = clientKeyFile && readSecretFile(clientKeyFile, '"network.clientKeyFile"');
    if (cert && key) await requirePair(cert, key);
    return {
      rejectUnauthorized: true,
      ...(replaces && { ca: [...(await this.#roots(withSystem)), ...added] }),
      ...(cert && { cert }),
      ...(key && { key }),
    };
  }

  /** Every root to trust: `ca` replaces Bun's own list, so that list is part of it. */
  async #roots(withSystem: boolean): Promise<string[]> {
    const tls = await import("node:tls");
    const system = withSystem ? tls.getCACertificates("system") : [];
    const named = fileVariables.flatMap((name) => this.#variable(name, (path) => [read(path)]));
    const directory = this.#variable(directoryVariable, readFolder);
    return [...tls.rootCertificates, ...system, ...named, ...directory];
  }

  /** The certificates in the file or folder that a variable names. One that cannot be read is logged and left out, as curl does. */
  #variable(name: string, take: (path: string) => string[]): string[] {
    const path = this.#env[name];
    if (path === undefined || path === "") return [];
    try {
      return take(path).filter((text) => text.includes("-----BEGIN CERTIFICATE-----"));
    } catch (error) {
      this.#log.warn("cannot read certificates", { variable: name, code: codeOf(error) });
      return [];
    }
  }
}

/** Bun and OpenSSL would look in the current directory, where any repository can put a certificate of its own. */
function relativePathError(variable: string): BridgeError {
  return new BridgeError(
    "configuration",
    `${variable} holds a relative path, which would be read from the current directory`,
    { hint: `write an absolute path into ${variable}`, safeToRetry: true },
  );
}

/** Throws `configuration` where a client certificate and its key cannot be used: Bun's own error has no code. */
async function requirePair(cert: string, key: string): Promise<void> {
  const { X509Certificate, createPrivateKey } = await import("node:crypto");
  const refuse = (what: string, hint: string) =>
    new BridgeError("configuration", what, { hint, safeToRetry: true });
  let isPair: boolean;
  try {
    isPair = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    throw refuse(
      '"network.clientCertFile" and "network.clientKeyFile" hold no certificate with a private key that can be read',
      "write both as PEM, the key without a passphrase (openssl pkey -in KEY -out PLAIN)",
    );
  }
  if (isPair) return;
  throw refuse(
    '"network.clientKeyFile" is not the key of the certificate in "network.clientCertFile"',
    "name the key that the certificate was issued for",
  );
}

const read = (path: string) => fs().readFileSync(path, "utf8");
const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? "";

function readFolder(path: string): string[] {
  return [...new Set(fs().readdirSync(path))].flatMap((name) => {
    try {
      return [read(join(path, name))];
    } catch {
      // A folder inside the folder, or a broken link.
      return [];
    }
  });
}

function readPem(path: string, what: string): string {
  try {
    const text = read(path);
    if (text.includes("-----BEGIN ")) return text;
  } catch (error) {
    throw new BridgeError("configuration", `${what}: cannot read ${path} (${codeOf(error)})`);
  }
  throw new BridgeError("configuration", `${what}: ${path} holds no PEM text`);
}
