import { type Context, defineCommand, serverArgument } from "../cli/command.ts";
import { askPassphrase, passphraseFrom } from "../cli/passphrase-prompt.ts";
import { type Config, loadConfig, pickServer, readConfig } from "../config/load.ts";
import { changeConfig } from "../config/save.ts";
import type { ServerSettings } from "../config/settings.ts";
import type { StoredGrant } from "../oauth/core/grant.ts";
import { BridgeError } from "../wire/errors.ts";
import { program } from "../wire/program.ts";
import { openServerOAuth, requireOAuth } from "./auth/open-oauth.ts";

/** What an exported text holds. */
interface Parcel {
  readonly server: string;
  readonly url: string;
  /** The `auth` of the server's entry, as written. */
  readonly auth?: object;
  readonly stored: Pick<StoredGrant, "grant" | "clients">;
}

export const command = defineCommand({
  args: {
    action: { type: "positional", required: true, description: "export or import" },
    server: serverArgument,
    "passphrase-fd": {
      type: "string",
      valueHint: "N",
      description: "read the passphrase from this file descriptor, not from the terminal",
    },
  },
  async run({ action, server, "passphrase-fd": text }, context) {
    const fd = descriptorOf(text);
    if (action === "export") return exportSignIn(server, fd, context);
    if (action === "import") return importSignIn(server, fd, context);
    throw new BridgeError("usage", "credentials takes export or import", {
      hint: `see ${program.name} credentials --help`,
    });
  },
});

function descriptorOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new BridgeError("usage", "--passphrase-fd is the number of an open file descriptor");
}

function requirePassphrase(passphrase: string): string {
  if (passphrase !== "") return passphrase;
  throw new BridgeError("usage", "the passphrase is empty");
}

async function newPassphrase(fd: number | undefined): Promise<string> {
  if (fd !== undefined) return requirePassphrase(passphraseFrom(fd));
  const passphrase = requirePassphrase(
    await askPassphrase("Passphrase for the exported sign-in: "),
  );
  if ((await askPassphrase("Once more: ")) === passphrase) return passphrase;
  throw new BridgeError("usage", "the two passphrases differ");
}

async function exportSignIn(name: string | undefined, fd: number | undefined, context: Context) {
  const config = await loadConfig(context.paths());
  const server = pickServer(config, name);
  const { oauth } = await openServerOAuth(server, context);
  const { usable } = await import("../oauth/authorizer/refresh.ts");
  const { encryptExport } = await import("../oauth/store/encrypted-export.ts");
  const requirement = (stored: StoredGrant) => {
    if (usable(stored) !== undefined) return;
    const why =
      stored.movedAt === undefined ? "nobody is signed in" : "the sign-in was exported already";
    throw new BridgeError("sign-in-required", `${why} to server "${server.name}"`, {
      hint: (command) => `run ${command(`login --server ${server.name}`)}`,
    });
  };
  requirement(await oauth.store.read());
  const passphrase = await newPassphrase(fd);
  await oauth.store.locked(async () => {
    const stored = await oauth.store.read();
    requirement(stored);
    const auth = config.raw.servers?.[server.name]?.auth;
    const parcel: Parcel = {
      server: server.name,
      url: server.url.href,
      ...(auth !== undefined && { auth }),
      stored: {
        ...(stored.grant && { grant: stored.grant }),
        ...(stored.clients && { clients: stored.clients }),
      },
    };
    // A rotating refresh token has one owner: from here on it is whoever holds the text.
    if (!(await context.print(`${await encryptExport(JSON.stringify(parcel), passphrase)}\n`)))
      throw new BridgeError("configuration", "nobody reads the exported sign-in: it stays here", {
        hint: "write it to a file, or into the import of the other machine",
      });
    const { grant: _, ...rest } = stored;
    await oauth.store.write({ ...rest, movedAt: Date.now() });
  });
  context.note(
    `The sign-in to "${server.name}" has moved into this text; credentials import puts it in place.`,
  );
  return 0;
}

async function importSignIn(name: string | undefined, fd: number | undefined, context: Context) {
  let encrypted = await Bun.stdin.text();
  let passphrase: string;
  if (fd === 0) {
    const [first = "", ...rest] = encrypted.split("\n");
    passphrase = first.replace(/\r$/, "");
    encrypted = rest.join("\n");
  } else
    passphrase =
      fd === undefined
        ? await askPassphrase("Passphrase of the exported sign-in: ")
        : passphraseFrom(fd);
  const { decryptExport } = await import("../oauth/store/encrypted-export.ts");
  const parcel = parcelIn(await decryptExport(encrypted, requirePassphrase(passphrase)));
  const server = await entryFor(name ?? parcel.server, parcel, context);
  const { oauth } = await openServerOAuth(server, context);
  const { belongsTo } = await import("../oauth/core/grant.ts");
  const { isGrant } = await import("../oauth/store/store.ts");
  if (!isGrant(parcel.stored.grant)) throw damaged();
  const stored: StoredGrant = {
    ...parcel.stored,
    version: 1,
    server: server.name,
    origin: server.url.origin,
  };
  if (!belongsTo(stored, server)) {
    throw new BridgeError(
      "configuration",
      `the sign-in is for another issuer or client id than server "${server.name}" names`,
      {
        hint: 'make its "auth" the same as on the machine the sign-in comes from',
      },
    );
  }
  await oauth.store.locked(() => oauth.store.writeNew(stored));
  await context.print(`The sign-in to "${server.name}" is in place\n`);
  return 0;
}

function damaged(): BridgeError {
  return new BridgeError("configuration", "the exported sign-in is incomplete", {
    hint: "export it again with the same version of the program",
  });
}

function parcelIn(text: string): Parcel {
  const value = JSON.parse(text) as Partial<Parcel> | null;
  const isWhole =
    typeof value?.server === "string" &&
    typeof value.url === "string" &&
    URL.canParse(value.url) &&
    typeof value.stored === "object";
  if (!isWhole) throw damaged();
  return value as Parcel;
}

/** The server's entry here, made from the parcel where there is none; one with another URL is never changed. */
async function entryFor(name: string, parcel: Parcel, context: Context): Promise<ServerSettings> {
  const paths = context.paths();
  const find = (config: Config | undefined) => {
    const found = [...(config?.servers.values() ?? [])];
    return found.find((each) => each.name.toLowerCase() === name.toLowerCase());
  };
  const there = find(await readConfig(paths));
  if (there === undefined) {
    const changed = await changeConfig(paths, (raw) => {
      const entry = { url: parcel.url, ...(parcel.auth !== undefined && { auth: parcel.auth }) };
      raw.servers = { ...raw.servers, [name]: entry as NonNullable<typeof raw.servers>[string] };
    });
    return pickServer(changed, name);
  }
  if (there.url.href === new URL(parcel.url).href) {
    requireOAuth(there);
    return there;
  }
  throw new BridgeError(
    "configuration",
    `server "${there.name}" has another URL here than the exported sign-in`,
    {
      hint: "import it under another name with --server NAME, or correct the URL",
    },
  );
}
