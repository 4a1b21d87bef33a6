import type { ServerSettings } from "../../config/settings.ts";
import { fileVersionOf } from "../../platform/file-stamp.ts";
import { removeFile, writeAtomically } from "../../platform/files.ts";
import { isKeyringUsable, type Keyring } from "../../platform/keyring.ts";
import { withLock } from "../../platform/lock.ts";
import type { Log } from "../../platform/log.ts";
import { credentialsFile } from "../../platform/paths.ts";
import type { Redactor } from "../../platform/redact.ts";
import { asBridgeError, BridgeError } from "../../wire/errors.ts";
import { oauthOf } from "../core/context.ts";
import { jsonObject } from "../core/document.ts";
import { belongsTo, type PinnedIssuer, pinOf, type StoredGrant } from "../core/grant.ts";
import { isGrant, readGrantFile } from "./grant-file.ts";
import { grantOwnerOf } from "./grant-owner.ts";

export interface StoreDeps {
  readonly keyring: () => Keyring;
  readonly log: Log;
  readonly redactor: Redactor;
  /** Longest wait for the lock; default 60,000. */
  readonly lockWaitMs?: number;
}

/** Where grant and clients are stored. */
type Place = "keyring" | "file";

/** Longer than any token refresh. After it, a process that hangs while it holds the lock no longer blocks the others. */
const longestWaitMs = 60_000;

/** Stores the sign-in of one server in a file of mode 0600, or in the keyring with a file that points there. */
export class CredentialStore {
  readonly #server: ServerSettings;
  readonly #deps: StoreDeps;
  readonly #file: string;

  constructor(server: ServerSettings, deps: StoreDeps) {
    this.#server = server;
    this.#deps = deps;
    this.#file = credentialsFile(server.state);
  }

  /**
   * The stored sign-in of this entry (same name, origin, issuer and client id). If the stored sign-in belongs to another entry, only the
   * members that are valid for both. Throws `configuration` for an unsafe file or a locked keyring.
   */
  async read(): Promise<StoredGrant> {
    return this.#forEntry(await this.#readAll());
  }

  /** Reads, changes and writes under the lock; resolves to the result. A grant of another entry is kept in the file. */
  async update(change: (stored: StoredGrant) => StoredGrant): Promise<StoredGrant> {
    return this.locked(async () => {
      const all = await this.#readAll();
      const next = change(this.#forEntry(all));
      const isForeign = all !== undefined && !belongsTo(all, this.#server);
      await this.write(isForeign ? { ...next, ...membersOfEntry(all) } : next);
      return next;
    });
  }

  /** Runs `work` under the lock of this server's sign-in. Throws `timeout` after a minute. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    const { name, state } = this.#server;
    const waitMs = this.#deps.lockWaitMs ?? longestWaitMs;
    const timeoutError = new BridgeError(
      "timeout",
      `another process has held the sign-in of server "${name}" for ${waitMs / 1000} s`,
      {
        hint: "end the process of this bridge that hangs, then try again",
        safeToRetry: true,
      },
    );
    const clock = new AbortController();
    const timer = setTimeout(() => clock.abort(timeoutError), waitMs);
    const begin = () => {
      clearTimeout(timer);
      return work();
    };
    try {
      return await withLock(state.root, `${state.key}.credentials`, begin, clock.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Replaces the stored sign-in where it is stored now; call it under the lock. Throws `configuration`. */
  async write(stored: StoredGrant): Promise<void> {
    await this.#put(stored, await this.#placeFor(false));
  }

  /** Stores a new sign-in in the place that the configuration names; call it under the lock. Throws `configuration`. */
  async writeNew(stored: StoredGrant): Promise<void> {
    const before = this.place();
    const place = await this.#placeFor(true);
    await this.#put(stored, place);
    if (before === "keyring" && place === "file") await this.#forgetInKeyring();
  }

  /**
   * Copies the whole stored sign-in, in the place where it stands, to the store of this server's new name; call it under both
   * locks. Throws `configuration` if it cannot be read or written: no part of it stands under the new name then.
   */
  async copyTo(renamed: CredentialStore): Promise<void> {
    const stored = await this.#readAll();
    if (stored === undefined) return;
    const isOwn = stored.server === this.#server.name;
    await renamed.#put(isOwn ? { ...stored, server: renamed.#server.name } : stored, this.place()!);
  }

  /** Deletes the sign-in from file and keyring, even where it cannot be read; call it under the lock. */
  async forget(): Promise<void> {
    if (this.#mayUseKeyring()) await this.#forgetInKeyring();
    removeFile(this.#file);
  }

  /** Deletes the sign-in but keeps the pinned issuer, so that the next sign-in sends no secret to another issuer; call it under the lock. */
  async forgetAllButPin(): Promise<void> {
    const pinned = this.#pinInFile();
    await this.forget();
    if (pinned === undefined) return;
    writeAtomically(this.#file, JSON.stringify({ ...this.#empty(), pinned }, null, 2));
  }

  /** Where the sign-in is stored, for `status`. */
  place(): Place | undefined {
    const file = readGrantFile(this.#file, this.#server.name);
    return file === undefined ? undefined : file.keyring ? "keyring" : "file";
  }

  /** A text that changes whenever the file is written; costs one stat. */
  fileVersion(): string {
    return fileVersionOf(this.#file);
  }

  /** The pinned issuer, which stands in the file even if the keyring is locked; undefined if the file cannot be read. */
  #pinInFile(): PinnedIssuer | undefined {
    try {
      const file = readGrantFile(this.#file, this.#server.name);
      return file && this.#forEntry(withPin(file)).pinned;
    } catch {
      return undefined;
    }
  }

  #mayUseKeyring(): boolean {
    try {
      return this.place() === "keyring";
    } catch {
      // The file cannot be read, but the configuration may name the keyring.
      return oauthOf(this.#server).store !== "file";
    }
  }

  #empty(): StoredGrant {
    return { version: 1, server: this.#server.name, origin: this.#server.url.origin };
  }

  async #readAll(): Promise<StoredGrant | undefined> {
    const file = readGrantFile(this.#file, this.#server.name);
    if (file === undefined) return undefined;
    const { keyring, owner: _, ...rest } = file;
    const stored = withPin(keyring ? { ...rest, ...(await this.#readKeyring()) } : rest);
    for (const secret of secretsOf(stored)) this.#deps.redactor.add(secret);
    return stored;
  }

  #forEntry(stored: StoredGrant | undefined): StoredGrant {
    if (stored === undefined) return this.#empty();
    if (belongsTo(stored, this.#server)) return stored;
    this.#deps.log.debug("stored sign-in belongs to another entry", { server: this.#server.name });
    const { grant: _, movedAt: __, handed: ___, pinned, ...rest } = stored;
    const empty = this.#empty();
    const isSameServer = stored.server === empty.server && stored.origin === empty.origin;
    return { ...rest, ...empty, ...(isSameServer && pinned !== undefined && { pinned }) };
  }

  async #readKeyring(): Promise<Pick<StoredGrant, "grant" | "clients">> {
    const text = await this.#deps.keyring().get(this.#keyringName());
    // null need not mean "signed out": a locked keyring answers null as well, and a new sign-in would overwrite the old one.
    if (text === null) {
      throw new BridgeError(
        "configuration",
        `the keyring is locked, or has lost the sign-in of server "${this.#server.name}"`,
        {
          hint: (command) =>
            `unlock the keyring; or run ${command(`logout --server ${this.#server.name}`)}`,
        },
      );
    }
    const json = jsonObject(text);
    if (json === undefined || (json.grant !== undefined && !isGrant(json.grant))) return {};
    return json as Pick<StoredGrant, "grant" | "clients">;
  }

  /** Where to store: a sign-in in the keyring stays there; the configuration decides for a new sign-in; "auto" prefers a usable keyring. */
  async #placeFor(isNew: boolean): Promise<Place> {
    const current = isNew ? undefined : this.place();
    if (current === "keyring") return current;
    const configured = oauthOf(this.#server).store;
    if (configured !== "auto") return configured;
    return current ?? ((await isKeyringUsable(this.#deps.keyring())) ? "keyring" : "file");
  }

  async #put(given: StoredGrant, place: Place): Promise<void> {
    const stored = withPin(given);
    for (const secret of secretsOf(stored)) this.#deps.redactor.add(secret);
    if (place === "file") {
      writeAtomically(this.#file, JSON.stringify(stored, null, 2));
      return;
    }
    const { grant, clients, ...rest } = stored;
    const keyring = this.#deps.keyring();
    const isFirst = this.place() !== "keyring";
    if (isFirst && (await keyring.lasts()) === undefined) {
      this.#deps.log.warn("nothing here tells whether the keyring outlives this desktop session", {
        server: this.#server.name,
      });
    }
    await keyring.set(this.#keyringName(), JSON.stringify({ grant, clients }));
    const owner = grant && { owner: grantOwnerOf(grant) };
    try {
      writeAtomically(this.#file, JSON.stringify({ ...rest, keyring: true, ...owner }, null, 2));
    } catch (error) {
      // Without the file that points to it, nothing would ever delete the secret.
      if (isFirst) await this.#forgetInKeyring();
      throw error;
    }
  }

  async #forgetInKeyring(): Promise<void> {
    const warn = (error: string) =>
      this.#deps.log.warn("the keyring may still hold the sign-in", {
        server: this.#server.name,
        error,
      });
    try {
      // A locked keyring answers as one that does not hold the secret.
      if (!(await this.#deps.keyring().delete(this.#keyringName())))
        warn("it is locked, or has lost the sign-in");
    } catch (error) {
      // A keyring that is gone for good must not block the sign-out.
      warn(asBridgeError(error).message);
    }
  }

  #keyringName(): string {
    const { root, key } = this.#server.state;
    return `${root}/${key}`;
  }
}

/** Sets the pin from the grant; without a grant, the old pin is kept. */
function withPin(stored: StoredGrant): StoredGrant {
  return stored.grant === undefined ? stored : { ...stored, pinned: pinOf(stored.grant) };
}

function secretsOf({ grant, clients }: StoredGrant): (string | undefined)[] {
  const secrets = Object.values(clients ?? {}).map(({ secret }) => secret);
  return [
    ...secrets,
    grant?.accessToken,
    grant?.refreshToken,
    grant?.client.secret,
    grant?.dpopKey?.d,
  ];
}

/** The members of a store that belong to one entry. */
function membersOfEntry({
  server,
  origin,
  grant,
  pinned,
  movedAt,
  handed,
}: StoredGrant): Partial<StoredGrant> {
  return {
    server,
    origin,
    ...(pinned !== undefined && { pinned }),
    ...(grant !== undefined && { grant }),
    ...(movedAt !== undefined && { movedAt }),
    ...(handed !== undefined && { handed }),
  };
}
