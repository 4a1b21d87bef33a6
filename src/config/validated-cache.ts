// Skips the validation of a configuration that an earlier start has validated: validation takes a third of a start.

import { checkFilesFast } from "../platform/fast-file-check.ts";
import { readChecked } from "../platform/files.ts";
import type { Log } from "../platform/log.ts";
import { isPosix } from "../platform/path.ts";
import { cacheFile, type Paths, stateOf } from "../platform/paths.ts";
import { ServerCache } from "../platform/server-cache.ts";
import { program } from "../wire/program-facts.ts";
import type { Config } from "./load.ts";
import { hasNoPolicyFolder } from "./machine-policy.ts";
import type { ServerEntry, TopLevel } from "./schema.ts";
import { expandedUrl } from "./server-url.ts";
import type { ServerSettings } from "./settings.ts";
import { serverSettings } from "./settings-builder.ts";
import { nameProblem } from "./validators.ts";

/** The stored result of an earlier validation. */
interface ValidatedConfig {
  /** Digest of the valid text and of the program's version. */
  readonly digest: string;
  readonly holdsSecret: boolean;
}

export interface KnownServer {
  readonly settings: ServerSettings;
  readonly cache: ServerCache;
}

const cacheKeyName = "checked";
const maxConfigBytes = 4 * 1024 * 1024;

interface Found extends KnownServer {
  readonly holdsSecret: boolean;
}

/** Finds a server and its cache in the text of a configuration; undefined if no earlier start has validated this text. */
function find(
  paths: Paths,
  name: string,
  log: Log,
  text: string,
  remembered?: string,
): Found | undefined {
  const whole = parseUnchecked(text);
  const servers = whole?.servers ?? {};
  const entry = Object.hasOwn(servers, name) ? servers[name] : undefined;
  const isUrl = typeof entry?.url === "string" && URL.canParse(entry.url);
  if (whole === undefined || entry === undefined || !isUrl) return undefined;
  const url = expandedUrl(entry.url, paths.env);
  const cache = new ServerCache(cacheFile(stateOf(paths.stateRoot, name)), url, log, remembered);
  const checked = cache.get(cacheKeyName) as Partial<ValidatedConfig> | undefined;
  if (checked?.digest !== digestOf(text)) return undefined;
  const settings = serverSettings(name, entry, whole, paths);
  return { settings, cache, holdsSecret: checked.holdsSecret !== false };
}

/**
 * Reads one server's settings if an earlier start has validated an equal text; undefined if the text must be validated.
 * Always checks owner and mode of the file. Throws `configuration`.
 */
export function readValidated(paths: Paths, name: string, log: Log): KnownServer | undefined {
  if (nameProblem(name) !== undefined) return undefined;
  const file = readChecked(paths.configFile, maxConfigBytes);
  const found = file && find(paths, name, log, file.text);
  if (found?.holdsSecret) file?.requirePrivate();
  return found;
}

/** Like `readValidated`, for several servers; without names, for all. Each server is found once. */
export function readAllValidated(
  paths: Paths,
  names: readonly string[],
  log: Log,
): readonly KnownServer[] | undefined {
  const file = readChecked(paths.configFile, maxConfigBytes);
  if (file === undefined) return undefined;
  const all = Object.keys(parseUnchecked(file.text)?.servers ?? {});
  const chosen = new Set(names.length > 0 ? names : all);
  if ([...chosen].some((name) => nameProblem(name) !== undefined)) return undefined;
  const found = [...chosen].map((name) => find(paths, name, log, file.text));
  if (found.some((each) => each?.holdsSecret)) file.requirePrivate();
  // loadConfig() chooses among servers of which some are disabled.
  const areEnabled = found.every((each) => each?.settings.isDisabled === false);
  return found.length > 0 && areEnabled ? found.filter((each) => each !== undefined) : undefined;
}

/** Like `readValidated`, but without node:fs; also undefined if `readValidated` might refuse a file. */
export async function readValidatedFast(
  paths: Paths,
  name: string,
  log: Log,
): Promise<KnownServer | undefined> {
  if (!isPosix || nameProblem(name) !== undefined) return undefined;
  const unruled = hasNoPolicyFolder();
  const serverCacheFile = cacheFile(stateOf(paths.stateRoot, name));
  const { texts, sound } = checkFilesFast(paths.configFile, serverCacheFile, maxConfigBytes);
  // The text of a pipe never arrives, so wait for `sound` too.
  const regular = sound.then((isSound) => (isSound ? texts : []));
  const [text, remembered] = await Promise.race([texts, regular]);
  if (!(await unruled)) return undefined;
  // Parse while the permissions are still being checked; `found` is returned only after the check.
  const found = orUndefined(() =>
    text && remembered ? find(paths, name, log, text, remembered) : undefined,
  );
  const requirePrivate = await sound;
  if (requirePrivate === undefined) return undefined;
  if (found?.holdsSecret) requirePrivate();
  return found;
}

/** The result of `look`, or undefined if it throws: a file with unchecked permissions may contain anything. */
function orUndefined(look: () => Found | undefined): Found | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

/** Stores that this text is valid, so that the next start skips the validation. */
export function rememberValidated(
  { text }: Config,
  holdsSecret: boolean,
  cache: ServerCache,
): void {
  cache.set(cacheKeyName, { digest: digestOf(text), holdsSecret } satisfies ValidatedConfig);
}

function digestOf(text: string): string {
  const { version, commit } = program;
  return Bun.CryptoHasher.hash("sha256", `${version} ${commit}\n${text}`, "hex");
}

/** Parses the file without validation: the type is right only if the digest matches. */
function parseUnchecked(
  text: string,
): (TopLevel & { servers?: Record<string, ServerEntry> }) | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
