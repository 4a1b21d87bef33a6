import { changeHint, credentialHint } from "../../config/change-hint.ts";
import { requireVariable } from "../../config/environment.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { tokenProblem } from "../../config/validators.ts";
import { abortable } from "../../platform/async.ts";
import { readSecretFile } from "../../platform/files.ts";
import type { Environment } from "../../platform/paths.ts";
import type { Redactor } from "../../platform/redact.ts";
import { BridgeError, type Hint } from "../../wire/errors.ts";
import { ConfiguredHeaders, Once, runShared } from "./configured-headers.ts";
import { refusalError } from "./refusal-error.ts";
import type { Authorizer, Refusal } from "./types.ts";

export interface StaticDeps {
  readonly env: Environment;
  readonly redactor: Redactor;
  /** Reads the server's entry from the file again; undefined where it was removed. Called after a 401 only. */
  readonly reload: () => ServerSettings | undefined | Promise<ServerSettings | undefined>;
}

/** How to correct a refused credential. */
function hintFor(server: ServerSettings): Hint {
  const { credential, headers, headersCommand } = server;
  switch (credential.type) {
    case "token":
      return (command) =>
        `the token may have expired: ${changeHint(server, command)} to put in a new one`;
    case "tokenEnv":
      return `check the token in the variable ${credential.variable}`;
    case "tokenFile":
      return `check the token in ${credential.path}`;
    case "tokenCommand":
      return `check what the command ${credential.argv[0]} prints`;
    default:
      if (Object.keys(headers).length === 0 && headersCommand === undefined) {
        return (command) => `the server wants a credential: ${credentialHint(server, command)}`;
      }
      return (command) =>
        server.adHoc === undefined
          ? `check the headers of the server in the configuration, or ${changeHint(server, command)}`
          : "check the headers in the client's entry";
  }
}

/** Authorizes with a static credential: token, file, variable, command or headers. */
export class StaticAuthorizer implements Authorizer {
  #server: ServerSettings;
  readonly #deps: StaticDeps;
  readonly #headers: ConfiguredHeaders;
  readonly #token = new Once<string>();
  /** The last result of #current (why it is kept: `known` in types.ts). */
  #made: Record<string, string> | undefined;
  /** Shared by calls that were refused at once, so that a command runs once for all. */
  readonly #refreshing = new Once<void>();

  constructor(server: ServerSettings, deps: StaticDeps) {
    this.#server = server;
    this.#deps = deps;
    this.#headers = new ConfiguredHeaders(deps);
  }

  async headers(_: unknown, signal: AbortSignal): Promise<Record<string, string>> {
    return this.#made ?? abortable(this.#current(), signal);
  }

  known(): Record<string, string> | undefined {
    return this.#made;
  }

  async refused(refusal: Refusal, signal: AbortSignal): Promise<boolean> {
    const isDead = refusal.status !== 401 || this.#server.credential.type === "oauth";
    if (isDead) throw this.#error(refusal);
    // Another call may have reloaded the credential meanwhile.
    if (differs(await abortable(this.#current(), signal), refusal.sent)) return true;
    await abortable(this.#refreshOnce(), signal);
    if (differs(await abortable(this.#current(), signal), refusal.sent)) return true;
    throw this.#error(refusal);
  }

  #error(refusal: Refusal): BridgeError {
    const hint =
      refusal.status === 403
        ? "the credential is known but may not do this: ask the server's operator for the permission"
        : hintFor(this.#server);
    return refusalError(refusal, this.#server.name, hint, this.#deps.redactor);
  }

  async #refreshOnce(): Promise<void> {
    await this.#refreshing.get(async () => {
      const fresh = await this.#deps.reload();
      // A credential that is configured for another origin must not be sent to this origin.
      if (fresh !== undefined && fresh.url.origin === this.#server.url.origin) this.#server = fresh;
      this.#token.forget();
      this.#headers.forget();
      this.#made = undefined;
      await this.#current().finally(() => this.#refreshing.forget());
    });
  }

  async #current(): Promise<Record<string, string>> {
    const server = this.#server;
    const headers = await this.#headers.get(server);
    const { type } = server.credential;
    if (type === "unset" || type === "none" || type === "oauth") {
      this.#made = headers;
      return headers;
    }
    const token = await this.#token.get(() => this.#readToken(server));
    const all = { ...headers, Authorization: `Bearer ${token}` };
    // If the entry was reloaded meanwhile, only this caller gets the old headers.
    if (server === this.#server) this.#made = all;
    return all;
  }

  async #readToken(server: ServerSettings): Promise<string> {
    const { credential } = server;
    const what = `${credential.type} of server "${server.name}"`;
    const text = (await this.#tokenText(server, what)).trim();
    this.#deps.redactor.add(text);
    const problem = tokenProblem(text);
    if (problem === undefined) return text;
    throw new BridgeError("configuration", `${what}: ${problem}`, {
      hint: hintFor(server),
      safeToRetry: true,
    });
  }

  async #tokenText(server: ServerSettings, what: string): Promise<string> {
    const { credential } = server;
    switch (credential.type) {
      case "token":
        return credential.token;
      case "tokenEnv":
        return requireVariable(this.#deps.env, credential.variable, what);
      case "tokenFile":
        return readSecretFile(credential.path, what);
      case "tokenCommand":
        return runShared(server, "tokenCommand", credential.argv, this.#deps);
      default:
        throw new Error(`no token in a credential of type ${credential.type}`);
    }
  }
}

function differs(fresh: Record<string, string>, sent: Readonly<Record<string, string>>): boolean {
  const names = new Set([...Object.keys(fresh), ...Object.keys(sent)]);
  return [...names].some((name) => fresh[name] !== sent[name]);
}
