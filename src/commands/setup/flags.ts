import { resolve } from "node:path";
import type { Argument, Values } from "../../cli/command.ts";
import { serverArgument } from "../../cli/command.ts";
import type { Config } from "../../config/load.ts";
import { configuredName } from "../../config/load.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { serverUrlProblem } from "../../config/server-url.ts";
import {
  headerNameProblem,
  nameProblem,
  tokenProblem,
  variableProblem,
} from "../../config/validators.ts";
import { BridgeError } from "../../wire/errors.ts";
import { approvals, type Change, hasCredential, movesOrigin, type NewCredential } from "./edit.ts";
import { entryArguments, entrySettings, plainHeaders } from "./entry-flags.ts";

/** The arguments of `setup`. */
export const setupArguments = {
  server: serverArgument,
  url: {
    type: "string",
    valueHint: "URL",
    plain: "url",
    description: "URL of the MCP server; may stand as a plain word",
  },
  from: {
    type: "string",
    valueHint: "URL",
    description: "configure the server that a client started by this URL; its sign-in comes along",
  },
  "token-stdin": { type: "boolean", description: "read a token from stdin" },
  "token-env": {
    type: "string",
    valueHint: "VAR",
    description: "read the token from this variable at each start",
  },
  "token-file": {
    type: "string",
    valueHint: "PATH",
    description: "read the token from this file at each start",
  },
  "header-env": {
    type: "string",
    valueHint: "'Name=VAR'",
    repeat: true,
    description: "send a header with the value of this variable",
  },
  oauth: { type: "boolean", description: "sign in with OAuth" },
  "no-auth": { type: "boolean", description: "the server needs no credential" },
  description: { type: "string", valueHint: "TEXT", description: "a description for people" },
  approval: {
    type: "enum",
    options: approvals,
    description:
      "Codex's approval policy: codex exec needs approve for tools that are not marked read-only",
  },
  ...entryArguments,
  test: { type: "boolean", description: "test the server afterwards" },
  schema: {
    type: "enum",
    options: ["config", "team", "policy"],
    fallback: "config",
    description:
      "print the JSON Schema of config.json (default), a team file or a machine's policy",
  },
} as const satisfies Record<string, Argument>;
export type SetupValues = Values<typeof setupArguments>;

const credentialFlags =
  "--token-stdin, --token-env, --token-file, --header-env, --oauth or --no-auth";

const usage = (message: string, hint?: string) =>
  new BridgeError("usage", message, hint === undefined ? {} : { hint });

/** Throws `usage` if there is a problem with the value of an option. */
function requireValid(problem: string | undefined, option: string): void {
  if (problem !== undefined) throw usage(`${option}: ${problem}`);
}

/** `Name=VAR` pairs as headers whose value is `${VAR}`. */
function headersOf(pairs: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const name = pair.slice(0, Math.max(equals, 0)).trim();
    const variable = pair.slice(equals + 1).trim();
    const hint =
      "the form is --header-env 'X-Api-Key=VAR', with the name of a variable, not its value";
    if (equals < 1) throw usage("--header-env needs Name=VAR", hint);
    const problem = headerNameProblem(name) ?? variableProblem(variable);
    if (problem !== undefined) throw usage(`--header-env: ${problem}`, hint);
    headers[name] = `\${${variable}}`;
  }
  return headers;
}

/** The credential that the options set; undefined if they set none. `stdin`: tokenFromStdin() reads the token later. */
function credentialOf(values: SetupValues): NewCredential | "stdin" | undefined {
  const variable = values["token-env"];
  const path = values["token-file"];
  const credentialOptions = [
    values["token-stdin"],
    variable !== undefined,
    path !== undefined,
    values.oauth,
    values["no-auth"],
  ];
  if (credentialOptions.filter(Boolean).length > 1) {
    throw usage(`a server has one credential: one of ${credentialFlags}`);
  }
  if (values["token-stdin"]) return "stdin";
  if (variable !== undefined) {
    requireValid(variableProblem(variable), "--token-env");
    return { type: "tokenEnv", variable };
  }
  // A relative path is relative to the current directory. config.json stores it as an absolute path.
  if (path !== undefined) return { type: "tokenFile", path: resolve(path) };
  if (values.oauth) return { type: "oauth" };
  if (values["no-auth"]) return { type: "none" };
  return values["header-env"].length > 0 ? { type: "headers" } : undefined;
}

/** The change that the options describe, and the required options that are missing. */
export interface FlagForm {
  readonly change: Omit<Change, "credential">;
  readonly credential: NewCredential | "stdin" | undefined;
  /** Required options that were not given; empty if the wizard has nothing to ask. */
  readonly missing: readonly string[];
}

const typeOf = (credential: NewCredential | "stdin") =>
  credential === "stdin" ? credential : credential.type;

/** Reads the options; the existing configuration decides which of them are required. Throws `usage`. */
export function readFlags(values: SetupValues, config: Config | undefined): FlagForm {
  const { server, url, description, approval } = values;
  const keys = headersOf(values["header-env"]);
  const headers = { ...plainHeaders(values.header), ...keys };
  const settings = entrySettings(values);
  const hasSettings = Object.keys(settings).length > 0;
  if (values["token-stdin"] && values["client-secret-stdin"])
    throw usage("stdin holds one secret: --token-stdin or --client-secret-stdin");
  if (server !== undefined) requireValid(nameProblem(server), "--server");
  const name =
    server === undefined || config === undefined ? undefined : configuredName(config.raw, server);
  const entry = name === undefined ? undefined : config?.raw.servers?.[name];
  const allowHttp = values["allow-http"] || entry?.allowHttp === true;
  if (url !== undefined) requireValid(serverUrlProblem(url, allowHttp), "--url");
  // The OAuth options choose OAuth, unless the server has it or gets another credential.
  const chosen = credentialOf(values);
  if (settings.oauth !== undefined && chosen !== undefined && typeOf(chosen) !== "oauth")
    throw usage("the OAuth options do not fit another credential", "leave one of them out");
  const choosesOAuth = settings.oauth !== undefined && entry?.auth?.type !== "oauth";
  const givenCredential = chosen ?? (choosesOAuth ? ({ type: "oauth" } as const) : undefined);
  const credential = onlyAddsHeaders(givenCredential, keys, entry, url)
    ? undefined
    : givenCredential;
  const missing: string[] = [];
  if (server === undefined) missing.push("--server NAME");
  if (url === undefined && entry === undefined) missing.push("--url URL");
  if (credential === undefined && (entry === undefined || movesOrigin(entry, url))) {
    missing.push(`one of ${credentialFlags}`);
  }
  const hasHeaders = Object.keys(headers).length > 0;
  const hasChange =
    hasSettings ||
    hasHeaders ||
    [url, givenCredential, description, approval].some((value) => value !== undefined);
  if (entry !== undefined && !hasChange)
    missing.push("an option that changes it (--url, --description, ...)");
  return {
    change: {
      name: server ?? "",
      ...(url !== undefined && { url }),
      ...(description !== undefined && { description }),
      ...(approval !== undefined && { approval }),
      ...(hasHeaders && { headers }),
      ...(hasSettings && { settings }),
    },
    credential,
    missing,
  };
}

/** Whether the new headers are sent in addition to the server's present credential, and do not replace it. */
function onlyAddsHeaders(
  credential: FlagForm["credential"],
  headers: Record<string, string>,
  entry: ServerEntry | undefined,
  url: string | undefined,
): boolean {
  if (credential === undefined || credential === "stdin") return false;
  if (credential.type !== "headers") return false;
  if (entry === undefined || movesOrigin(entry, url) || !hasCredential(entry)) return false;
  return Object.keys(headers).every((name) => name.toLowerCase() !== "authorization");
}

/** Reads a secret from stdin for this option. Throws `usage`. */
export async function secretFromStdin(option: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > 64 * 1024) throw usage(`${option}: stdin holds more than 64 KiB`);
  }
  const token = new TextDecoder().decode(Buffer.concat(chunks)).trim();
  requireValid(tokenProblem(token), option);
  return token;
}
