import { type Context, defineCommand } from "../cli/command.ts";
import { loadConfig, pickServer, type RawConfig } from "../config/load.ts";
import { changeConfig } from "../config/save.ts";
import type { ServerSettings } from "../config/settings.ts";
import { nameProblem } from "../config/validators.ts";
import { CredentialStore } from "../oauth/store/store.ts";
import { readChecked, removeFile, writeAtomically } from "../platform/files.ts";
import { openKeyring } from "../platform/keyring.ts";
import { approvedFile, cacheFile, stateOf } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";

const maxBytes = 64 * 1024 * 1024;

export const command = defineCommand({
  args: {
    old: { type: "positional", required: true, description: "the server's name" },
    new: { type: "positional", required: true, description: "its new name" },
  },
  async run({ old, new: name }, context) {
    const config = await loadConfig(context.paths());
    const server = pickServer(config, old);
    requireFree(name, [...config.servers.keys()]);
    await move(server, name, context);
    const stepsOf = (command: string) =>
      [`${command} --server ${name} --write`, `${command} --server ${server.name} --remove`]
        .map((step) => `  ${context.commandLine(step)}\n`)
        .join("");
    await context.print(
      `Renamed server "${server.name}" to "${name}"\n\nEntries of clients still name the old one.\n` +
        `Next steps for Codex:\n${stepsOf("codex-config")}` +
        `For another client:\n${stepsOf("client-config --for CLIENT")}`,
    );
    return 0;
  },
});

function requireFree(name: string, names: readonly string[]): void {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new BridgeError("usage", `the new name: ${problem}`);
  const twin = names.find((each) => each.toLowerCase() === name.toLowerCase());
  if (twin === undefined) return;
  throw new BridgeError(
    "configuration",
    twin === name
      ? `there is a server "${twin}" already`
      : `there is a server "${twin}" already, and names must differ in more than upper and lower case`,
    {
      hint: "choose another name",
    },
  );
}

/**
 * Moves the sign-in, cache, approvals and entry. The sign-in's lock keeps a token from being renewed meanwhile. First
 * everything is copied, then the entry changes its name in one write, then the old copies go: a process that is killed in
 * between leaves a server that has everything, under one of the names.
 */
async function move(server: ServerSettings, name: string, context: Context): Promise<void> {
  const { log, redactor } = context;
  const renamed = { ...server, name, state: stateOf(server.state.root, name) };
  const deps = { keyring: openKeyring, log, redactor };
  const [from, to] = [new CredentialStore(server, deps), new CredentialStore(renamed, deps)];
  const forget = async (store: CredentialStore, { state }: ServerSettings) => {
    await store.forget();
    for (const fileOf of [cacheFile, approvedFile]) removeFile(fileOf(state));
  };
  await from.locked(async () => {
    await to.locked(async () => {
      // What an earlier server of that name has left.
      await to.forget();
      await from.copyTo(to);
      try {
        for (const fileOf of [cacheFile, approvedFile])
          copy(fileOf(server.state), fileOf(renamed.state));
        await changeConfig(context.paths(), (raw) => renameEntry(raw, server.name, name));
      } catch (error) {
        await forget(to, renamed).catch(() => undefined);
        throw error;
      }
    });
    await forget(from, server);
  });
}

function copy(from: string, to: string): void {
  const file = readChecked(from, maxBytes);
  if (file === undefined) removeFile(to);
  else writeAtomically(to, file.text);
}

/** Renames an entry at its place. Throws if another process removed it, or took the new name. */
function renameEntry(raw: RawConfig, old: string, name: string): void {
  const servers = Object.entries(raw.servers ?? {});
  requireFree(
    name,
    servers.map(([each]) => each).filter((each) => each !== old),
  );
  if (!servers.some(([each]) => each === old))
    throw new BridgeError("configuration", `server "${old}" was removed meanwhile`);
  raw.servers = Object.fromEntries(
    servers.map(([each, entry]) => [each === old ? name : each, entry]),
  );
}
