// The configuration of a start whose file was checked by an earlier one: the whole check costs a third of a start.
import { program } from "../wire/program.ts";
import type { Config } from "./config.ts";
import type { ServerEntry, TopLevel } from "./config-schema.ts";
import { serverSettings } from "./config-server.ts";
import { readJudged } from "./files.ts";
import type { Log } from "./log.ts";
import { Memory } from "./memory.ts";
import { cacheFile, type Paths } from "./paths.ts";
import type { ServerSettings } from "./settings.ts";

/** What an earlier run found about the file. */
interface Checked {
  /** Digest of the text that was found sound, by this version of the program. */
  readonly digest: string;
  readonly holdsSecret: boolean;
}

export interface KnownServer {
  readonly settings: ServerSettings;
  readonly memory: Memory;
}

const memoryKey = "checked";
const maxConfigBytes = 4 * 1024 * 1024;

/**
 * One server's settings where the file's very text was checked before; undefined where it must be checked now.
 * Owner and modes are judged all the same: throws `configuration`.
 */
export function readChecked(paths: Paths, name: string, log: Log): KnownServer | undefined {
  const file = readJudged(paths.configFile, maxConfigBytes);
  if (file === undefined) return undefined;
  const whole = parsed(file.text);
  const servers = whole?.servers ?? {};
  const entry = Object.hasOwn(servers, name) ? servers[name] : undefined;
  const url = typeof entry?.url === "string" ? URL.parse(entry.url) : null;
  if (whole === undefined || entry === undefined || url === null) return undefined;
  const memory = new Memory(cacheFile(paths.home, name), url, log);
  const checked = memory.get(memoryKey) as Partial<Checked> | undefined;
  if (checked?.digest !== digestOf(file.text)) return undefined;
  if (checked.holdsSecret !== false) file.demandPrivate();
  return { settings: serverSettings(name, entry, whole, paths.home), memory };
}

/** Lets the next start skip the check of this very text. */
export function rememberChecked({ text }: Config, holdsSecret: boolean, memory: Memory): void {
  memory.set(memoryKey, { digest: digestOf(text), holdsSecret } satisfies Checked);
}

function digestOf(text: string): string {
  const { version, commit } = program;
  return new Bun.CryptoHasher("sha256").update(`${version} ${commit}\n${text}`).digest("hex");
}

/** The file as the check took it; its shape is only sound where the digest says so. */
function parsed(text: string): (TopLevel & { servers?: Record<string, ServerEntry> }) | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
