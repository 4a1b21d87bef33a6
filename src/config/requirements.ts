import { fs } from "../platform/fs.ts";
import { credentialsFile, type Environment } from "../platform/paths.ts";
import { BridgeError } from "../wire/errors.ts";
import type { ServerSettings } from "./settings.ts";
import { requiredVariablesIn, variablesIn } from "./validators.ts";

/** A variable or file (absolute path) that a server's entry refers to. */
interface Requirement {
  readonly what: string;
  readonly variable?: string | undefined;
  /** Whether the reference to the variable has a default. */
  readonly isOptional?: boolean;
  readonly file?: string | undefined;
}

/** The variables and files that a server's entry refers to. */
export function requirementsOf({
  credential,
  headers,
  network,
  urlTemplate = "",
}: ServerSettings): Requirement[] {
  const { type } = credential;
  const auth = type === "oauth" ? credential.auth : undefined;
  const { idp } = auth ?? {};
  return [
    { what: "tokenEnv", variable: type === "tokenEnv" ? credential.variable : undefined },
    { what: "tokenFile", file: type === "tokenFile" ? credential.path : undefined },
    { what: "client secret", variable: auth?.clientSecretEnv, file: auth?.clientSecretFile },
    { what: "private key", file: auth?.privateKeyFile },
    { what: "assertion", variable: auth?.assertionEnv, file: auth?.assertionFile },
    { what: "ID token", variable: idp?.idTokenEnv, file: idp?.idTokenFile },
    ...referencesIn("url", urlTemplate),
    ...referencesIn("auth.initialAccessToken", auth?.initialAccessToken ?? ""),
    ...Object.entries(headers).flatMap(([name, value]) => referencesIn(`header ${name}`, value)),
    ...(["caFile", "clientCertFile", "clientKeyFile"] as const).map((key) => ({
      what: `network.${key}`,
      file: network[key],
    })),
  ];
}

function referencesIn(what: string, text: string): Requirement[] {
  const required = requiredVariablesIn(text);
  return variablesIn(text).map((variable) => ({
    what,
    variable,
    isOptional: !required.includes(variable),
  }));
}

/** Whether a sign-in by the user is stored. The stored sign-in includes the client secret, so the entry's variable or file for the secret is not needed. */
function isSignedIn({ credential, state }: ServerSettings): boolean {
  if (credential.type !== "oauth") return false;
  const isInteractive = ["authorization_code", "device_code"].includes(credential.auth.grant);
  return isInteractive && fs().existsSync(credentialsFile(state));
}

/** Throws `configuration` if the server is disabled. */
export function requireEnabled({ name, isDisabled }: ServerSettings): void {
  if (!isDisabled) return;
  throw new BridgeError("configuration", `server "${name}" is disabled`, {
    hint: (command) => `run ${command(`enable ${name}`)}`,
  });
}

/** Throws `refused` if the machine's policy forbids the server. */
export function requireAllowed({ name, machine }: ServerSettings): void {
  if (machine?.refusal === undefined) return;
  throw new BridgeError("refused", `server "${name}" may not be reached: ${machine.refusal}`, {
    hint: `ask the administrator of this machine, who wrote ${machine.file}`,
  });
}

/** The variables and files that the server's entry names and that are missing. Reads no file. */
export function missingRequirements(
  settings: ServerSettings,
  env: Environment,
): readonly Requirement[] {
  const unset = { type: "unset" } as const;
  const required = isSignedIn(settings) ? { ...settings, credential: unset } : settings;
  return requirementsOf(required).filter(
    ({ variable, file, isOptional }) =>
      (variable !== undefined && isOptional !== true && !env[variable]) ||
      (file !== undefined && isMissing(file)),
  );
}

/**
 * Rejects with `configuration` if the server is disabled, or a variable or file that its entry names is missing; with `refused`
 * if the machine's policy forbids the server.
 */
export async function requireNamedVariables(
  settings: ServerSettings,
  env: Environment,
): Promise<void> {
  requireEnabled(settings);
  requireAllowed(settings);
  const withheld = settings.adHoc?.withheld ?? [];
  const missing = missingRequirements(settings, env);
  if (withheld.length === 0 && missing.length === 0) return;
  const { missingError, withheldError } = await import("./missing.ts");
  throw withheld.length > 0
    ? withheldError(settings.name, withheld)
    : missingError(settings, missing);
}

/** Whether a file is missing. Any other problem is reported when the file is read. */
function isMissing(file: string): boolean {
  try {
    return fs().statSync(file, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false;
  }
}
