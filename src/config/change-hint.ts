import type { CommandLine } from "../wire/errors.ts";
import type { ServerSettings } from "./settings.ts";

/**
 * How to change a server, as a part of a hint: the command, or for a server that a client's entry names by URL, which has no
 * entry in config.json, the two places. `inEntry`: the change of the client's entry.
 */
export function changeHint(
  { name, adHoc }: Pick<ServerSettings, "name" | "adHoc">,
  command: CommandLine,
  inEntry = "change the client's entry",
): string {
  return adHoc === undefined
    ? `run ${command(`setup --server ${name}`)}`
    : `${inEntry}, or configure the server by ${command(`setup NAME --from ${name}`)}`;
}

/** How to give a server a credential, as changeHint(). */
export function credentialHint(
  server: Pick<ServerSettings, "name" | "adHoc">,
  command: CommandLine,
): string {
  const inEntry = "add --token-env VAR or --header to the client's entry";
  return changeHint(server, command, inEntry);
}
