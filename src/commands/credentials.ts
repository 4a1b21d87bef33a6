import { type Context, defineCommand, serverArgument } from "../cli/command.ts";
import {
  askPassphrase,
  confirmOnTerminal,
  passphraseFrom,
  tellOnTerminal,
} from "../cli/passphrase-prompt.ts";
import { loadConfig, parseConfig, pickServer, readConfig } from "../config/load.ts";
import { changeConfig } from "../config/save.ts";
import type { OAuth } from "../oauth/authorizer/open.ts";
import {
  belongsTo,
  type Grant,
  type PinnedIssuer,
  pinOf,
  type StoredGrant,
} from "../oauth/core/grant.ts";
import { shownUrl } from "../platform/redact.ts";
import { BridgeError } from "../wire/errors.ts";
import { program } from "../wire/program-facts.ts";
import { type ExportedSignIn, type ImportedSignIn, readExport } from "./auth/exported-sign-in.ts";
import { openServerOAuth, requireOAuth } from "./auth/open-oauth.ts";

/** Minimum length of a passphrase, in characters: a holder of the exported text can try passphrases without limit. */
const leastPassphrase = 12;
const maxTextBytes = 8 * 1024 * 1024;
/** Timeout of fetching the issuer's metadata. */
const checkMs = 30_000;

export const command = defineCommand({
  args: {
    action: { type: "positional", required: true, description: "export or import" },
    server: serverArgument,
    "passphrase-fd": {
      type: "string",
      valueHint: "N",
      description: "read the passphrase from this file descriptor, not from the terminal",
    },
    yes: {
      type: "boolean",
      description: "import without asking, also if the sign-in is new on this machine",
    },
  },
  async run({ action, server, "passphrase-fd": text, yes }, context) {
    const fd = descriptorOf(text);
    if (action === "export") return exportSignIn(server, fd, context);
    if (action === "import")
      return importSignIn({ name: server, fd, isAgreed: yes === true }, context);
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

function requireLong(passphrase: string): string {
  if ([...passphrase].length >= leastPassphrase) return passphrase;
  throw new BridgeError("usage", `the passphrase has fewer than ${leastPassphrase} characters`, {
    hint: "on a terminal, an empty passphrase makes the program generate one",
  });
}

/** A random passphrase of 100 bits, without letters and digits that look alike. */
function generatePassphrase(): string {
  const alphabet = "abcdefghjkmnpqrstuvwxyz023456789";
  const characters = [...crypto.getRandomValues(new Uint8Array(20))].map(
    (byte) => alphabet[byte % 32],
  );
  return characters.join("").replace(/.{5}(?=.)/g, "$&-");
}

async function newPassphrase(fd: number | undefined, context: Context): Promise<string> {
  if (fd !== undefined) return requireLong(requirePassphrase(passphraseFrom(fd)));
  context.note(
    `The passphrase needs at least ${leastPassphrase} characters. Leave it empty to let the program generate one.`,
  );
  const passphrase = await askPassphrase("Passphrase for the exported sign-in: ");
  if (passphrase === "") {
    const generated = generatePassphrase();
    tellOnTerminal(`The passphrase is ${generated} (it is not shown again)\n`);
    return generated;
  }
  requireLong(passphrase);
  if ((await askPassphrase("Once more: ")) === passphrase) return passphrase;
  throw new BridgeError("usage", "the two passphrases differ");
}

async function exportSignIn(name: string | undefined, fd: number | undefined, context: Context) {
  const config = await loadConfig(context.paths());
  const server = pickServer(config, name);
  const { oauth } = await openServerOAuth(server, context);
  const { usable } = await import("../oauth/authorizer/refresh.ts");
  const { encryptExport } = await import("../oauth/store/encrypted-export.ts");
  const requireUsable = (stored: StoredGrant) => {
    if (usable(stored) !== undefined) return;
    const why =
      stored.movedAt === undefined ? "nobody is signed in" : "the sign-in was exported already";
    throw new BridgeError("sign-in-required", `${why} to server "${server.name}"`, {
      hint: (command) => `run ${command(`login --server ${server.name}`)}`,
    });
  };
  requireUsable(await oauth.store.read());
  const passphrase = await newPassphrase(fd, context);
  await oauth.store.locked(async () => {
    const stored = await oauth.store.read();
    requireUsable(stored);
    const auth = config.raw.servers?.[server.name]?.auth;
    const exported: ExportedSignIn = {
      server: server.name,
      url: server.url.href,
      ...(auth !== undefined && { auth }),
      stored: { ...(stored.grant && { grant: stored.grant }) },
    };
    // Only one machine may use a rotating refresh token: from now on the one that imports the text.
    if (!(await context.print(`${await encryptExport(JSON.stringify(exported), passphrase)}\n`)))
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

interface ImportRequest {
  /** The `--server` option; undefined: the server's name in the exported text. */
  readonly name: string | undefined;
  readonly fd: number | undefined;
  /** Whether `--yes` was given. */
  readonly isAgreed: boolean;
}

async function importSignIn({ name, fd, isAgreed }: ImportRequest, context: Context) {
  const imported = await readImport(fd);
  const { grant } = imported;
  const { server, isConfigured } = await entryFor(name ?? imported.server, imported, context);
  const { oauth } = await openServerOAuth(server, context);
  const { issuer, client } = grant;
  const stored: StoredGrant = {
    version: 1,
    server: server.name,
    origin: server.url.origin,
    grant,
    ...(client.source === "registered" && { clients: { [issuer]: client } }),
  };
  if (!belongsTo(stored, server)) {
    throw new BridgeError(
      "configuration",
      `the sign-in is for another issuer or client id than server "${server.name}" names`,
      {
        hint: 'copy the "auth" of its entry from the machine that exported the sign-in',
      },
    );
  }
  const { pinned } = await oauth.store.read();
  if (!isKnown(grant, isConfigured ? pinned : undefined))
    await agree(server.name, imported, pinned, isAgreed, context);
  await requireOwnEndpoints(oauth, grant);
  if (!isConfigured) await addEntry(server.name, imported, context);
  await oauth.store.locked(() => oauth.store.writeNew(stored));
  await context.print(`The sign-in to "${server.name}" is in place\n`);
  return 0;
}

async function readImport(fd: number | undefined): Promise<ImportedSignIn> {
  let encrypted = await readStdin();
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
  return readExport(await decryptExport(encrypted, requirePassphrase(passphrase)));
}

async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of Bun.stdin.stream()) {
    length += chunk.length;
    if (length > maxTextBytes)
      throw new BridgeError("configuration", "this is no exported sign-in: it is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Whether issuer, client and account are the pinned ones: the sign-in was used on this machine before, so nobody is asked. */
function isKnown(grant: Grant, pinned: PinnedIssuer | undefined): boolean {
  return pinned !== undefined && Bun.deepEquals(pinOf(grant), pinned);
}

/**
 * Shows server, issuer, client and account, and asks the user to confirm the import. Throws `refused` if another issuer is
 * pinned, `cancelled` if the user says no, `usage` without a terminal.
 */
async function agree(
  name: string,
  { url, grant, leftOut }: ImportedSignIn,
  pinned: PinnedIssuer | undefined,
  isAgreed: boolean,
  context: Context,
): Promise<void> {
  const shown = (text: string) => context.redactor.shown(text, 200);
  const facts = [
    ["server", `${name} ${shownUrl(url)}`],
    ["issuer", grant.issuer],
    ["client", grant.client.id],
    ["account", grant.account ?? "not told"],
    ...(leftOut.length > 0 ? [["left out", `auth: ${leftOut.join(", ")}`]] : []),
  ];
  context.note(`This sign-in is new here:`);
  for (const [label = "", text = ""] of facts) context.note(`  ${label.padEnd(8)}  ${shown(text)}`);
  if (pinned !== undefined && pinned.issuer !== grant.issuer)
    throw new BridgeError(
      "refused",
      `server "${name}" uses the authorization server ${shown(pinned.issuer)} here, not ${shown(grant.issuer)}`,
      { hint: (command) => `if that is right, run ${command(`login --server ${name}`)}` },
    );
  if (isAgreed) return;
  const answer = await confirmOnTerminal("Import it?");
  if (answer === true) return;
  if (answer === false) throw new BridgeError("cancelled", "nothing was imported");
  throw new BridgeError("usage", "there is no terminal on which to confirm the import", {
    hint: "check what is shown above, and repeat the command with --yes",
  });
}

/** Throws `refused` if the issuer's metadata lacks an endpoint of the grant: tokens and secrets would be sent to that endpoint. */
async function requireOwnEndpoints({ context }: OAuth, grant: Grant): Promise<void> {
  const { fetchIssuer, legacyIssuer } = await import("../oauth/discovery/issuer.ts");
  const signal = AbortSignal.timeout(checkMs);
  const issuer =
    (await fetchIssuer(grant.issuer, context, true, signal)) ?? legacyIssuer(grant.issuer);
  const { tokenEndpoint, revocationEndpoint } = grant;
  const mayRevoke = [undefined, issuer.revocationEndpoint].includes(revocationEndpoint);
  if (tokenEndpoint === issuer.tokenEndpoint && mayRevoke) return;
  throw new BridgeError(
    "refused",
    "the exported sign-in names an endpoint that is not the issuer's own",
    { hint: "sign in here in place of importing" },
  );
}

/** The configured server, else a server made from the exported text and not saved yet. Throws `configuration` if the configured URL differs. */
async function entryFor(name: string, { url, auth }: ImportedSignIn, context: Context) {
  const paths = context.paths();
  const config = await readConfig(paths);
  const existing = [...(config?.servers.values() ?? [])].find(
    (each) => each.name.toLowerCase() === name.toLowerCase(),
  );
  if (existing === undefined) {
    const raw = { ...config?.raw, version: 1, servers: { [name]: { url: url.href, auth } } };
    const made = await parseConfig(JSON.stringify(raw), paths, { isSaved: false });
    return { server: pickServer(made, name), isConfigured: false };
  }
  if (existing.url.href === url.href) {
    requireOAuth(existing);
    return { server: existing, isConfigured: true };
  }
  throw new BridgeError(
    "configuration",
    `server "${existing.name}" has another URL here than the exported sign-in`,
    {
      hint: "import it under another name with --server NAME, or correct the URL",
    },
  );
}

async function addEntry(name: string, { url, auth }: ImportedSignIn, context: Context) {
  await changeConfig(context.paths(), (raw) => {
    const entry = { url: url.href, auth };
    raw.servers = { ...raw.servers, [name]: entry as NonNullable<typeof raw.servers>[string] };
  });
}
