import { BridgeError, settingHint } from "../wire/errors.ts";
import { programOnPath, runCommand } from "./exec.ts";
import { Redactor } from "./redact.ts";

/** The desktop's keyring. Every call has a timeout of 2 s: a broken secret service would block for 25 s. */
export interface Keyring {
  /** null if there is no such secret, or if the keyring is locked: libsecret does not distinguish the two. */
  get(name: string): Promise<string | null>;
  /** Writes the secret and reads it back. */
  set(name: string, secret: string): Promise<void>;
  delete(name: string): Promise<boolean>;
  /** Whether secrets outlive the desktop session; undefined if no installed program can query the secret service. */
  lasts(): Promise<boolean | undefined>;
}

const service = "codex-mcp-http-bridge";
const limitMs = 2000;

/** Wraps the failure of a keyring call as `configuration`. The platform's message holds no secret. */
function keyringError(error: unknown): BridgeError {
  const why = error instanceof Error ? error.message : String(error);
  return new BridgeError("configuration", `the keyring cannot be used (${why})`, {
    hint: settingHint('unlock it, or set "auth.store" to "file"'),
    cause: error,
  });
}

/** Rejects with `configuration` if a keyring call fails or takes longer than `limitMs`. */
async function withTimeout<T>(call: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([call, late]);
  } catch (error) {
    throw keyringError(error);
  } finally {
    clearTimeout(timer);
    // A rejection after the timeout must not become an unhandled rejection.
    call.catch(() => {});
  }
}

const secretService = "org.freedesktop.secrets";
const servicePath = "/org/freedesktop/secrets";
const serviceName = "org.freedesktop.Secret.Service";

/** Commands that query the default collection of the secret service (Secret Service API, ReadAlias), in the order to try them. */
const aliasCommands: readonly (readonly [name: string, ...words: string[]])[] = [
  [
    "busctl",
    "--user",
    "call",
    secretService,
    servicePath,
    serviceName,
    "ReadAlias",
    "s",
    "default",
  ],
  [
    "gdbus",
    "call",
    "--session",
    ...["--dest", secretService, "--object-path", servicePath],
    ...["--method", `${serviceName}.ReadAlias`, "default"],
  ],
  [
    "dbus-send",
    "--session",
    "--print-reply",
    ...[`--dest=${secretService}`, servicePath, `${serviceName}.ReadAlias`, "string:default"],
  ],
];

/** Whether secrets outlive the desktop session: false for the collection `session`, which is deleted when the session ends. */
async function lasts(): Promise<boolean | undefined> {
  if (process.platform !== "linux") return true;
  for (const [name, ...words] of aliasCommands) {
    const program = programOnPath(name, process.env.PATH);
    if (program === undefined) continue;
    const answer = await runCommand({
      what: name,
      argv: [program, ...words],
      home: "/",
      env: process.env,
      redactor: new Redactor(),
      signal: new AbortController().signal,
      timeoutMs: limitMs,
    }).catch(() => undefined);
    return answer === undefined ? undefined : !/collection\/session["']/.test(answer);
  }
  return undefined;
}

/** The keyring of this user's desktop (libsecret, Keychain, Credential Manager). */
export function openKeyring(): Keyring {
  const get = (name: string) => withTimeout(Bun.secrets.get({ service, name }));
  return {
    get,
    lasts,
    async set(name, value) {
      if ((await lasts()) === false) throw keyringError("its default collection does not last");
      await withTimeout(Bun.secrets.set({ service, name, value }));
      if ((await get(name)) !== value) throw keyringError("it did not store the secret");
    },
    delete: (name) => withTimeout(Bun.secrets.delete({ service, name })),
  };
}

/** Whether the keyring works and is persistent: tries set, get and delete with a harmless text. */
export async function isKeyringUsable(keyring: Keyring): Promise<boolean> {
  const name = `probe-${crypto.randomUUID()}`;
  try {
    if ((await keyring.lasts()) !== true) return false;
    await keyring.set(name, "probe");
    return await keyring.delete(name);
  } catch {
    return false;
  }
}
