// Servers that a client's entry names by URL (`run URL`): each has a folder of its own for its state, adhoc/HOST-HASH/,
// and a file in it, by which other commands find the server again.

import { readChecked, writeAtomically } from "../platform/files.ts";
import { fs } from "../platform/fs.ts";
import { join } from "../platform/path.ts";
import type { Paths } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";
import { loadConfig, pickServer, readConfig } from "./load.ts";
import type { ServerEntry } from "./schema.ts";
import { expandedUrl, serverUrlProblem } from "./server-url.ts";
import type { ServerSettings } from "./settings.ts";
import { serverSettings } from "./settings-builder.ts";
import { literalOf, namesSecret } from "./validators.ts";

/** The content of server.json. */
interface AdHocFile {
  readonly version: 1;
  readonly name: string;
  /** The entry without the secrets of the client's entry. */
  readonly entry: ServerEntry;
  /** The headers, and `auth.clientSecret`, whose values only the client's entry holds. */
  readonly withheld: readonly string[];
}

const maxBytes = 256 * 1024;
const hashLength = 12;

/** Letters of a hash over URL, resource, header names and client id: two of them never share a sign-in or a cache. */
function hashOf({ url, headers, auth }: ServerEntry): string {
  const { resource = null, clientId = null } = auth?.type === "oauth" ? auth : {};
  const names = Object.keys(headers ?? {}).map((name) => name.toLowerCase());
  const identity = JSON.stringify([
    expandedUrl(url, {}).href,
    resource,
    names.toSorted(),
    clientId,
  ]);
  return Bun.CryptoHasher.hash("sha256", identity, "hex").slice(0, hashLength);
}

const rootOf = ({ home }: Pick<Paths, "home" | "env">) => join(home, "adhoc");

/** The settings of a server that config.json does not hold. Its name is HOST-HASH with dashes for dots. Throws ConfigProblem. */
export function adHocSettings(
  entry: ServerEntry,
  paths: Pick<Paths, "home" | "env">,
): ServerSettings {
  const host = expandedUrl(entry.url, {})
    .hostname.replace(/^\[|\]$/g, "")
    .slice(0, 50);
  const hash = hashOf(entry);
  const name = `${host.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "")}-${hash}`;
  const stateRoot = join(rootOf(paths), `${host.replaceAll(":", "-")}-${hash}`);
  const settings = serverSettings(name, entry, {}, { ...paths, stateRoot });
  return { ...settings, adHoc: { withheld: [] } };
}

/** Writes server.json, by which findServer() finds the server, where the file is missing or differs. Throws `configuration`. */
export function rememberAdHoc({ name, state }: ServerSettings, entry: ServerEntry): void {
  const text = `${JSON.stringify({ version: 1, name, ...withoutSecrets(entry) } satisfies AdHocFile, null, 2)}\n`;
  const file = join(state.root, "server.json");
  if (readChecked(file, maxBytes)?.text !== text) writeAtomically(file, text);
}

/** Parts of a header's value that are no secret: nothing, or the scheme before a variable. */
const harmless = /^(?:\w+\s)?$/;

function withoutSecrets({
  headers = {},
  auth,
  ...rest
}: ServerEntry): Pick<AdHocFile, "entry" | "withheld"> {
  const isSecret = ([name, value]: [string, string]) =>
    namesSecret(name) && !harmless.test(literalOf(value));
  const all = Object.entries(headers);
  const withheld = all.filter(isSecret).map(([name]) => name);
  const kept = all.filter((header) => !isSecret(header));
  // Without its Authorization header, the entry would seem to need a sign-in.
  const isStatic = withheld.some((name) => name.toLowerCase() === "authorization");
  const hasSecret = auth?.type === "oauth" && auth.clientSecret !== undefined;
  const { clientSecret: _, ...settings } = auth?.type === "oauth" ? auth : {};
  return {
    entry: {
      ...rest,
      ...(kept.length > 0 && { headers: Object.fromEntries(kept) }),
      ...(auth?.type === "oauth" && { auth: { type: "oauth", ...settings } }),
      ...(isStatic && { auth: { type: "none" } }),
    },
    withheld: [...withheld, ...(hasSecret ? ["auth.clientSecret"] : [])],
  };
}

/** The servers that clients started by URL, in the order of their folders' names. A folder without a readable server.json is left out. */
export function adHocServers(paths: Pick<Paths, "home" | "env">): ServerSettings[] {
  return foldersIn(rootOf(paths)).flatMap((folder) => {
    try {
      return readAdHoc(join(rootOf(paths), folder), paths) ?? [];
    } catch {
      return [];
    }
  });
}

function foldersIn(root: string): string[] {
  try {
    return fs().readdirSync(root).toSorted();
  } catch {
    return [];
  }
}

/** The entry of an ad hoc server; undefined if the server is configured. */
export function adHocEntry({ adHoc, state }: ServerSettings): ServerEntry | undefined {
  const text = adHoc && readChecked(join(state.root, "server.json"), maxBytes)?.text;
  return text === undefined ? undefined : (JSON.parse(text) as AdHocFile).entry;
}

function readAdHoc(
  stateRoot: string,
  paths: Pick<Paths, "home" | "env">,
): ServerSettings | undefined {
  const file = readChecked(join(stateRoot, "server.json"), maxBytes);
  if (file === undefined) return undefined;
  // A URL may hold a secret.
  file.requirePrivate();
  const { version, name, entry, withheld } = JSON.parse(file.text) as AdHocFile;
  if (version !== 1 || serverUrlProblem(entry.url, entry.allowHttp === true) !== undefined)
    return undefined;
  return { ...serverSettings(name, entry, {}, { ...paths, stateRoot }), adHoc: { withheld } };
}

/** The ad hoc server with this name, ignoring case. */
export function adHocNamed(
  paths: Pick<Paths, "home" | "env">,
  word: string,
): ServerSettings | undefined {
  return adHocServers(paths).find(({ name }) => name.toLowerCase() === word.toLowerCase());
}

/** Whether a word stands for a server's URL where a name is asked for. */
function isUrlWord(word: string): boolean {
  return /^https?:\/\//i.test(word);
}

/**
 * The server that a word names: a configured name, ignoring case, the name of an ad hoc server, or its URL; without a word
 * the only configured server. A URL that no client has started yet gets the server.json of `run URL` without options, so that
 * other processes find the server, too. Throws `configuration` or `usage`.
 */
export async function findServer(paths: Paths, word?: string): Promise<ServerSettings> {
  if (word !== undefined && isUrlWord(word)) return serverAt(paths, word);
  const config = await readConfig(paths);
  if (word === undefined || config?.servers.has(word))
    return pickServer(await loadConfig(paths), word);
  return adHocNamed(paths, word) ?? pickServer(config ?? (await loadConfig(paths)), word);
}

function serverAt(paths: Paths, text: string): ServerSettings {
  const problem = serverUrlProblem(text, true);
  if (problem !== undefined) throw new BridgeError("configuration", `the URL: ${problem}`);
  const { href } = expandedUrl(text, paths.env);
  const [first, ...others] = adHocServers(paths).filter(({ url }) => url.href === href);
  if (first === undefined) {
    const refusal = serverUrlProblem(text, false);
    if (refusal !== undefined) throw new BridgeError("configuration", `the URL: ${refusal}`);
    const entry = { url: text };
    const settings = adHocSettings(entry, paths);
    rememberAdHoc(settings, entry);
    return settings;
  }
  if (others.length === 0) return first;
  const names = [first, ...others].map(({ name }) => name).join(", ");
  throw new BridgeError("usage", "several clients start this URL with different options", {
    hint: `give one of their names: ${names}`,
  });
}

/** Deletes the folder of an ad hoc server. */
export function removeAdHoc({ state }: ServerSettings): void {
  fs().rmSync(state.root, { recursive: true, force: true });
}
