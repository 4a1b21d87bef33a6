import { BridgeError } from "../wire/errors.ts";

/** The desktop's keyring. Every call ends within 2 s: a broken service answers after 25 s only. */
export interface Keyring {
  /** null: no such secret, or the keyring is locked (libsecret tells the two not apart). */
  get(name: string): Promise<string | null>;
  /** Writes and reads back. */
  set(name: string, secret: string): Promise<void>;
  delete(name: string): Promise<boolean>;
}

const service = "codex-mcp-http-bridge";
const limitMs = 2000;

/** What a keyring call failed with, as `configuration`: the platform's text names no secret. */
function unusable(error: unknown): BridgeError {
  const why = error instanceof Error ? error.message : String(error);
  return new BridgeError("configuration", `the keyring cannot be used (${why})`, {
    hint: 'unlock it, or set "auth.store" to "file"',
    cause: error,
  });
}

async function limited<T>(call: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([call, late]);
  } catch (error) {
    throw unusable(error);
  } finally {
    clearTimeout(timer);
    // Its late failure is nobody's any more.
    call.catch(() => {});
  }
}

/**
 * Refuses where secrets would go into the collection `session`, which is gone at the next sign-in to the
 * desktop; asked of the secret service itself (Secret Service API, ReadAlias), where a tool for that is there.
 */
async function demandLasting(): Promise<void> {
  if (process.platform !== "linux") return;
  const busctl = Bun.which("busctl");
  const gdbus = Bun.which("gdbus");
  const path = "/org/freedesktop/secrets";
  const method = "org.freedesktop.Secret.Service";
  const argv = busctl
    ? [
        busctl,
        "--user",
        "call",
        "org.freedesktop.secrets",
        path,
        method,
        "ReadAlias",
        "s",
        "default",
      ]
    : gdbus && [
        gdbus,
        "call",
        "--session",
        "--dest",
        "org.freedesktop.secrets",
        "--object-path",
        path,
        "--method",
        `${method}.ReadAlias`,
        "default",
      ];
  if (!argv) return;
  const child = Bun.spawn(argv, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
    timeout: limitMs,
  });
  const answer = await new Response(child.stdout).text();
  if (/collection\/session["']/.test(answer))
    throw unusable("its default collection does not last");
}

/** The keyring of this user's desktop (libsecret, Keychain, Credential Manager). */
export function openKeyring(): Keyring {
  const get = (name: string) => limited(Bun.secrets.get({ service, name }));
  return {
    get,
    async set(name, value) {
      await demandLasting();
      await limited(Bun.secrets.set({ service, name, value }));
      if ((await get(name)) !== value) throw unusable("it did not keep what was written");
    },
    delete: (name) => limited(Bun.secrets.delete({ service, name })),
  };
}

/** Whether the keyring works here: set, get and delete of a text that is no secret. */
export async function isKeyringUsable(keyring: Keyring): Promise<boolean> {
  const name = `probe-${crypto.randomUUID()}`;
  try {
    await keyring.set(name, "probe");
    return await keyring.delete(name);
  } catch {
    return false;
  }
}
