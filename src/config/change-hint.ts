import type { CommandLine } from "../wire/errors.ts";
import type { ServerSettings } from "./settings.ts";

/**
 * How to change a server, as a part of a hint: the command, or for a server that a client's entry names by URL, which has no
 * entry in config.json, the two places.
 */
export function changeHint(
  { name, adHoc }: Pick<ServerSettings, "name" | "adHoc">,
  command: CommandLine,
): string {
  return adHoc === undefined
    ? `run ${command(`setup --server ${name}`)}`
    : `change the client's entry, or configure the server by ${command(`setup NAME --from ${name}`)}`;
}
