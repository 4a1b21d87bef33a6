import { requireVariable } from "../../config/environment.ts";
import type { ServerSettings } from "../../config/settings.ts";
import {
  expand,
  headerNameProblem,
  headerValueProblem,
  variablesIn,
} from "../../config/validators.ts";
import { runCommand } from "../../platform/exec.ts";
import type { Environment } from "../../platform/paths.ts";
import type { Redactor } from "../../platform/redact.ts";
import { BridgeError } from "../../wire/errors.ts";

export interface HeaderDeps {
  readonly env: Environment;
  readonly redactor: Redactor;
}

/** Computes a value once for all callers; after forget() or a failure, the next get() computes it again. */
export class Once<T> {
  #promise: Promise<T> | undefined;

  get(make: () => Promise<T>): Promise<T> {
    if (this.#promise !== undefined) return this.#promise;
    const promise = make();
    this.#promise = promise;
    promise.catch(() => {
      if (this.#promise === promise) this.#promise = undefined;
    });
    return promise;
  }

  forget(): void {
    this.#promise = undefined;
  }
}

/** Runs a configured command whose output several callers share: cancelling one caller does not stop the command. */
export function runShared(
  server: ServerSettings,
  key: string,
  argv: readonly string[],
  { env, redactor }: HeaderDeps,
): Promise<string> {
  const what = `${key} of server "${server.name}"`;
  const signal = new AbortController().signal;
  return runCommand({ what, argv, home: server.home, env, redactor, signal });
}

/** The headers that the configuration of one server adds, from `headers` and `headersCommand`. */
export class ConfiguredHeaders {
  readonly #deps: HeaderDeps;
  readonly #printed = new Once<Record<string, string>>();
  #fixed: { server: ServerSettings; headers: Record<string, string> } | undefined;

  constructor(deps: HeaderDeps) {
    this.#deps = deps;
  }

  /** The result of `get` if it is available without running a command, else undefined. */
  known(server: ServerSettings): Record<string, string> | undefined {
    const isFixed = this.#fixed?.server === server && server.headersCommand === undefined;
    return isFixed ? this.#fixed?.headers : undefined;
  }

  /** The headers by name as configured. Throws `configuration`. */
  async get(server: ServerSettings): Promise<Record<string, string>> {
    if (this.#fixed?.server !== server) this.#fixed = { server, headers: this.#read(server) };
    const fixed = this.#fixed.headers;
    const argv = server.headersCommand;
    if (argv === undefined) return fixed;
    const printed = await this.#printed.get(async () => {
      const text = await runShared(server, "headersCommand", argv, this.#deps);
      return this.#parse(text, server);
    });
    const out = { ...fixed };
    for (const [name, value] of Object.entries(printed)) put(out, name, value);
    return out;
  }

  /** Discards the command's output; the next get() runs the command again. */
  forget(): void {
    this.#printed.forget();
  }

  #read(server: ServerSettings): Record<string, string> {
    const { env, redactor } = this.#deps;
    const out: Record<string, string> = {};
    for (const [name, value] of Object.entries(server.headers)) {
      const what = `header ${name} of server "${server.name}"`;
      const full = expand(value, env, (variable) => requireVariable(env, variable, what));
      if (variablesIn(value).length > 0 && headerValueProblem(full) !== undefined) {
        throw new BridgeError("configuration", `${what}: the variable holds no header value`, {
          hint: `check ${variablesIn(value).join(", ")}: visible ASCII characters only`,
          safeToRetry: true,
        });
      }
      redactor.addHeader(name, full);
      put(out, name, full);
    }
    // Some providers put a secret into the query of the URL.
    for (const value of server.url.searchParams.values()) redactor.add(value);
    for (const variable of variablesIn(server.urlTemplate ?? "")) redactor.add(env[variable]);
    return out;
  }

  #parse(text: string, server: ServerSettings): Record<string, string> {
    const fail = (why: string) =>
      new BridgeError("configuration", `headersCommand of server "${server.name}" ${why}`, {
        hint: 'it must print one JSON object, such as {"X-Api-Key": "..."}',
        safeToRetry: true,
      });
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw fail("printed no JSON");
    }
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw fail("printed no JSON object");
    }
    for (const [name, value] of Object.entries(json)) {
      if (typeof value === "string") this.#deps.redactor.addHeader(name, value);
      if (headerNameProblem(name) !== undefined) throw fail("printed a header that is not allowed");
      if (typeof value !== "string" || headerValueProblem(value) !== undefined) {
        throw fail("printed a header value that is not text");
      }
      const isDouble = name.toLowerCase() === "authorization" && hasOtherCredential(server);
      if (isDouble) throw fail("printed Authorization beside another credential");
    }
    return json as Record<string, string>;
  }
}

function hasOtherCredential({ credential }: ServerSettings): boolean {
  return credential.type !== "unset" && credential.type !== "none";
}

/** Sets a header; removes a header whose name differs only in case. */
function put(headers: Record<string, string>, name: string, value: string): void {
  const lower = name.toLowerCase();
  for (const other of Object.keys(headers))
    if (other.toLowerCase() === lower) delete headers[other];
  // The HTTP layer sets `user-agent` in lower case: another case would be a second header.
  headers[lower === "user-agent" ? lower : name] = value;
}
