// The errors for what a server's entry names and the bridge's environment lacks, in terms of the client that started it.
import { BridgeError, type Hint } from "../wire/errors.ts";
import { clientNamed } from "./clients/clients.ts";
import type { ServerSettings } from "./settings.ts";

/** A variable or file (absolute path) that an entry refers to and that is missing. */
interface Missing {
  readonly what: string;
  readonly variable?: string | undefined;
  readonly file?: string | undefined;
}

/** The error for missing variables, all of them in one, or else for the first missing file. */
export function missingError(settings: ServerSettings, missing: readonly Missing[]): BridgeError {
  const server = settings.name;
  const named = missing.filter(({ variable }) => variable !== undefined);
  const [first, ...more] = named;
  if (first === undefined) {
    const { what, file } = missing[0]!;
    return new BridgeError(
      "configuration",
      `${what} of server "${server}": there is no file ${file}`,
      {
        hint: `create the file, or correct its path in ${settings.adHoc === undefined ? "the configuration" : "the client's entry"}`,
      },
    );
  }
  const list = named.map(({ what, variable }) => `${variable} (${what})`).join(", ");
  const message =
    more.length === 0
      ? `${first.what} of server "${server}": the variable ${first.variable} is not set`
      : `server "${server}" names variables that are not set: ${list}`;
  const variables = [...new Set(named.map(({ variable }) => variable!))];
  return new BridgeError("configuration", message, {
    hint: settings.adHoc === undefined ? hintFor(server, variables) : entryHint(variables),
  });
}

/** The error for a server whose headers stand in the entry of its client alone. */
export function withheldError(server: string, withheld: readonly string[]): BridgeError {
  const headers = withheld.join(" and ");
  return new BridgeError(
    "configuration",
    `${headers} of server "${server}" stands in the client's entry alone`,
    { hint: (command) => `run ${command("import")} to keep it here` },
  );
}

/** How a variable gets to the bridge of a server that the client's entry names by URL: no command writes that entry. */
function entryHint(variables: readonly string[]): Hint {
  const names = variables.map((name) => `"${name}"`).join(" and ");
  return (_, clientName = "") => {
    const client = clientNamed(clientName);
    if (client?.passes === "all")
      return `set ${variables.join(" and ")} where ${client.title} starts, then start it again`;
    return client?.id === "codex"
      ? `set ${variables.join(" and ")} where Codex starts, and add ${names} to "env_vars" of its entry`
      : `add ${names} to "env" of the client's entry`;
  };
}

/** How a variable gets from the client's own environment to the bridge. */
function hintFor(server: string, variables: readonly string[]): Hint {
  const names = variables.join(" and ");
  const them = variables.length === 1 ? "it" : "them";
  return (command, clientName = "") => {
    const client = clientNamed(clientName);
    if (client === undefined)
      return `set ${names} where the client starts; ${command("client-config --for CLIENT --write")} passes ${them} on`;
    const { id, title, passes, reference } = client;
    const isSet = `set ${names} where ${title} starts`;
    if (passes === "all") return `${isSet}, then start it again`;
    if (id === "codex")
      return `${isSet}, then run ${command("codex-config --write")} (it passes the ${variables.length === 1 ? "variable" : "variables"} on)`;
    if (reference === undefined)
      return `${title} passes no variables on: store the secret itself by ${command(`setup --server ${server}`)}`;
    const line = variables.map(
      (name) => `${JSON.stringify(name)}: ${JSON.stringify(reference(name))}`,
    );
    return (
      `${isSet}; it passes ${them} on if its entry holds "env": { ${line.join(", ")} }, which ` +
      `${command(`client-config --for ${id} --write`)} writes`
    );
  };
}
