import type { Context } from "../../cli/command.ts";
import { adHocEntry, findServer, removeAdHoc } from "../../config/ad-hoc.ts";
import { configuredName } from "../../config/load.ts";
import { withheldError } from "../../config/missing.ts";
import { changeConfig } from "../../config/save.ts";
import { nameProblem } from "../../config/validators.ts";
import { CredentialStore } from "../../oauth/store/store.ts";
import { openKeyring } from "../../platform/keyring.ts";
import { BridgeError } from "../../wire/errors.ts";
import { stepsFor } from "./next-steps.ts";

/** Turns an ad hoc server, given by URL or name, into the configured server `name`. Its sign-in comes along, and its folder is deleted: a copy of the sign-in would end with the first renewal. Throws `usage` or `configuration`. */
export async function configureAdHoc(
  name: string,
  word: string,
  { paths: pathsOf, log, redactor, ...context }: Context,
): Promise<void> {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new BridgeError("usage", `--server: ${problem}`);
  const paths = pathsOf();
  const adHoc = await findServer(paths, word);
  const entry = adHocEntry(adHoc);
  if (entry === undefined)
    throw new BridgeError("usage", `--from: "${adHoc.name}" is configured already`);
  const withheld = adHoc.adHoc?.withheld ?? [];
  if (withheld.length > 0) throw withheldError(adHoc.name, withheld);
  const storeOf = (server: typeof adHoc) =>
    new CredentialStore(server, { keyring: openKeyring, log, redactor });
  const old = storeOf(adHoc);
  await old.locked(async () => {
    const stored = await old.read();
    const { servers } = await changeConfig(paths, (raw) => {
      if (configuredName(raw, name) !== undefined)
        throw new BridgeError("usage", `there is a server "${name}" already`);
      raw.servers = { ...raw.servers, [name]: entry };
    });
    if (stored.grant === undefined && stored.clients === undefined) return;
    const fresh = storeOf(servers.get(name)!);
    await fresh.locked(() => fresh.writeNew({ ...stored, server: name }));
  });
  removeAdHoc(adHoc);
  const { test, codex } = stepsFor(name, entry, { ...context, paths: pathsOf, log, redactor });
  await context.print(
    `Saved server "${name}" in ${paths.configFile}\n\nNext steps:\n  ${test}\n  ${codex}\n  restart Codex\n`,
  );
}
