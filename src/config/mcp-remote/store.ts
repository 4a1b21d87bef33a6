// The sign-ins that mcp-remote keeps in its own folder, which the bridge reads and never writes.

import { readChecked } from "../../platform/files.ts";
import { fs } from "../../platform/fs.ts";
import { join } from "../../platform/path.ts";
import { type Environment, userHome } from "../../platform/paths.ts";
import type { ServerSettings } from "../settings.ts";

const maxBytes = 1024 * 1024;
/** An access token that expires this soon is not used. */
const marginMs = 60_000;

/** The members of a `_tokens.json` that the bridge reads; each may have any type. */
interface TokensFile {
  readonly access_token?: unknown;
  readonly refresh_token?: unknown;
  readonly scope?: unknown;
  readonly issuer?: unknown;
  readonly token_type?: unknown;
  /** Lifetime in seconds, from the time when the file was written. */
  readonly expires_in?: unknown;
  /** In milliseconds since 1970. */
  readonly expires_at?: unknown;
}

/**
 * The folders of mcp-remote's files, newest layout first, and the keys that name a server's files there: `mcp-remote-v1` of
 * the folder, one for each older version (`mcp-remote-0.1.38`), the folder itself. The oldest versions made the key of the
 * URL alone.
 */
function placesOf(storeKey: string, url: string, env: Environment): string[] {
  const root = env.MCP_REMOTE_CONFIG_DIR || join(userHome(env), ".mcp-auth");
  const urlKey = new Bun.CryptoHasher("md5").update(url).digest("hex");
  const versions = versionFolders(root).map((name) => join(root, name));
  const older = [...versions, root].flatMap((folder) =>
    [...new Set([storeKey, urlKey])].map((key) => join(folder, key)),
  );
  return [join(root, "mcp-remote-v1", storeKey), ...older];
}

/** The folders of versions before the current layout, newest version first. */
function versionFolders(root: string): string[] {
  try {
    const names = fs().readdirSync(root);
    const ordered = names.filter((name) => /^mcp-remote-\d+(?:\.\d+)+/.test(name));
    return ordered.toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }));
  } catch {
    return [];
  }
}

/**
 * The access token of the sign-in that mcp-remote stored for a server, while it is good. Its refresh token is not read:
 * renewing it would end mcp-remote's own sign-in.
 */
export function foreignTokenOf(
  storeKey: string,
  url: string,
  env: Environment,
  now: number,
): ServerSettings["foreignToken"] {
  for (const place of placesOf(storeKey, url, env)) {
    const path = `${place}_tokens.json`;
    const tokens = readTokens(path);
    if (tokens === undefined) continue;
    const { access_token: accessToken, token_type: type = "bearer" } = tokens;
    const isBearer = typeof type === "string" && type.toLowerCase() === "bearer";
    if (typeof accessToken !== "string" || !isSecret(accessToken) || !isBearer) continue;
    const expiresAt = expiryOf(tokens, path);
    if (expiresAt - marginMs > now) return { accessToken, expiresAt };
  }
  return undefined;
}

/** A whole sign-in of mcp-remote, for `import`; "" where its files do not say. */
export interface ForeignSignIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** In milliseconds since 1970; Infinity if the file does not say. */
  readonly expiresAt: number;
  readonly scope: string;
  readonly issuer: string;
  /** The registered client; its id is "" where none was registered. */
  readonly client: { readonly id: string; readonly secret: string; readonly redirectUri: string };
}

/** The newest sign-in that mcp-remote stored for a server and that can be renewed. */
export function foreignSignInOf(
  storeKey: string,
  url: string,
  env: Environment,
): ForeignSignIn | undefined {
  for (const place of placesOf(storeKey, url, env)) {
    const path = `${place}_tokens.json`;
    const tokens = readTokens(path);
    const accessToken = textOf(tokens?.access_token);
    const refreshToken = textOf(tokens?.refresh_token);
    if (tokens === undefined || !isSecret(accessToken) || !isSecret(refreshToken)) continue;
    const client = readObject(`${place}_client_info.json`);
    const { client_id: id, client_secret: secret, redirect_uris: uris, issuer } = client ?? {};
    return {
      accessToken,
      refreshToken,
      expiresAt: expiryOf(tokens, path),
      scope: textOf(tokens.scope),
      issuer: textOf(tokens.issuer) || textOf(issuer),
      client: {
        id: textOf(id),
        secret: textOf(secret),
        redirectUri: Array.isArray(uris) ? textOf(uris[0]) : "",
      },
    };
  }
  return undefined;
}

const textOf = (value: unknown) => (typeof value === "string" ? value : "");
const isSecret = (text: string) => /^[\x21-\x7e]+$/.test(text);

const readTokens = (path: string): TokensFile | undefined => readObject(path);

function readObject(path: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = readChecked(path, maxBytes, "secret")?.text;
    const value: unknown = text && JSON.parse(text);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** When the token expires; Infinity if the file does not say. */
function expiryOf({ expires_at: at, expires_in: lifeSec }: TokensFile, path: string): number {
  if (typeof at === "number") return at;
  if (typeof lifeSec !== "number") return Number.POSITIVE_INFINITY;
  return fs().statSync(path).mtimeMs + lifeSec * 1000;
}
