// The options of `setup` that set other parts of a server's entry than its URL and its credential.
import { resolve } from "node:path";
import type { Argument, Values } from "../../cli/command.ts";
import type { ServerEntry } from "../../config/schema.ts";
import {
  headerNameProblem,
  looksSecret,
  mayBeSecret,
  proxyProblem,
} from "../../config/validators.ts";
import { BridgeError } from "../../wire/errors.ts";

const grants = [
  ...(["authorization_code", "device_code", "client_credentials"] as const),
  ...(["jwt_bearer", "id_jag"] as const),
] as const;

export const entryArguments = {
  transport: {
    type: "enum",
    options: ["auto", "http", "sse"],
    description: "Streamable HTTP, HTTP+SSE, or whichever the server speaks (auto)",
  },
  header: {
    type: "string",
    valueHint: "'Name: value'",
    repeat: true,
    description: "send a header that is no secret",
  },
  "ca-file": {
    type: "string",
    valueHint: "PATH",
    description: "trust the certificates in this file, too",
  },
  proxy: { type: "string", valueHint: "URL", description: "the HTTP proxy to this server" },
  "client-id": { type: "string", valueHint: "ID", description: "OAuth: the client id" },
  "client-secret-stdin": {
    type: "boolean",
    description: "OAuth: read the client secret from stdin",
  },
  scope: {
    type: "string",
    valueHint: "SCOPE",
    repeat: true,
    description: "OAuth: ask for this scope",
  },
  grant: { type: "enum", options: grants, description: "OAuth: how to get a token" },
  timeout: { type: "string", valueHint: "SEC", description: "timeout of a call" },
  "allow-http": {
    type: "boolean",
    description: "allow plain http to a private address: others there can read the credential",
  },
} as const satisfies Record<string, Argument>;

type EntryValues = Values<typeof entryArguments>;
type OAuthEntry = Extract<ServerEntry["auth"], { readonly type: "oauth" }>;

/** Parts of an entry that the options set; an absent one is not changed. */
export interface EntrySettings {
  readonly transport?: ServerEntry["transport"];
  readonly timeoutSec?: number;
  readonly allowHttp?: true;
  readonly network?: NonNullable<ServerEntry["network"]>;
  readonly oauth?: Omit<OAuthEntry, "type">;
}

const usage = (message: string, hint?: string) =>
  new BridgeError("usage", message, hint === undefined ? {} : { hint });

/** Reads the options. Throws `usage`. The client secret is read later. */
export function entrySettings(values: EntryValues): EntrySettings {
  const { transport, timeout, proxy, scope, grant } = values;
  const caFile = values["ca-file"];
  const clientId = values["client-id"];
  const network = {
    // A relative path is relative to the current directory. config.json stores it as an absolute path.
    ...(caFile !== undefined && { caFile: resolve(caFile) }),
    ...(proxy !== undefined && { proxy: proxyOf(proxy) }),
  };
  const oauth = {
    ...(clientId !== undefined && { clientId }),
    ...(scope.length > 0 && { scopes: [...scope] }),
    ...(grant !== undefined && { grant }),
  };
  return {
    ...(transport !== undefined && { transport }),
    ...(timeout !== undefined && { timeoutSec: secondsOf(timeout) }),
    ...(values["allow-http"] && { allowHttp: true as const }),
    ...(Object.keys(network).length > 0 && { network }),
    ...((Object.keys(oauth).length > 0 || values["client-secret-stdin"]) && { oauth }),
  };
}

function secondsOf(text: string): number {
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= 86_400) return seconds;
  throw usage("--timeout: expected seconds, 1 to 86400");
}

function proxyOf(text: string): string {
  const problem = proxyProblem(text);
  if (problem !== undefined) throw usage(`--proxy: ${problem}`);
  if (new URL(text).password === "") return text;
  throw usage(
    "--proxy: other users of this machine can read a password here",
    'put the URL into HTTPS_PROXY, or into "network.proxy" of config.json',
  );
}

/** The headers of `--header 'Name: value'`. Throws `usage`, also for a value that may be a secret. */
export function plainHeaders(pairs: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of pairs) {
    const colon = pair.indexOf(":");
    const name = pair.slice(0, Math.max(colon, 0)).trim();
    const value = pair.slice(colon + 1).trim();
    if (colon < 1 || value === "")
      throw usage("--header needs 'Name: value'", "for example: --header 'X-Team: blue'");
    const problem = headerNameProblem(name);
    if (problem !== undefined) throw usage(`--header: ${problem}`);
    if (mayBeSecret(name, value) || looksSecret(value))
      throw usage(
        "--header: the value may be a secret, and other users of this machine can read it here",
        `set a variable to it, then give --header-env '${name}=VARIABLE'`,
      );
    headers[name] = value;
  }
  return headers;
}

/** Writes the settings into an entry. */
export function applySettings(entry: ServerEntry, settings: EntrySettings): void {
  const { oauth, network, ...plain } = settings;
  Object.assign(entry, plain);
  if (network !== undefined) entry.network = { ...entry.network, ...network };
  if (oauth === undefined) return;
  entry.auth = { ...entry.auth, type: "oauth", ...oauth };
}
