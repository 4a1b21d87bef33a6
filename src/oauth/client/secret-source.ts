import { requireVariable } from "../../config/environment.ts";
import { runCommand } from "../../platform/exec.ts";
import { readSecretFile } from "../../platform/files.ts";
import { BridgeError, settingHint } from "../../wire/errors.ts";
import type { OAuthContext } from "../core/context.ts";

/** The configured source of a JWT. */
interface TextSource {
  readonly file?: string | undefined;
  readonly variable?: string | undefined;
  readonly argv?: readonly string[] | undefined;
}

/** Reads a JWT from its source, each time anew because such tokens live for minutes. Throws `configuration`. */
export async function readSource(
  { server, env, redactor }: OAuthContext,
  what: string,
  { file, variable, argv }: TextSource,
  signal: AbortSignal,
): Promise<string> {
  const label = `${what} of server "${server.name}"`;
  let text: string | undefined;
  if (file !== undefined) text = readSecretFile(file, label);
  else if (variable !== undefined) text = requireVariable(env, variable, label);
  else if (argv !== undefined) {
    text = await runCommand({ what: label, argv, home: server.home, env, redactor, signal });
  }
  text = text?.trim();
  redactor.add(text);
  if (text !== undefined && /^[\x21-\x7e]+$/.test(text)) return text;
  throw new BridgeError(
    "configuration",
    `the ${label} is ${text === undefined ? "not configured" : "no token"}`,
    {
      hint: settingHint(
        'set one of "assertionFile", "assertionEnv", "assertionCommand" (id_jag: "idp.idToken...")',
      ),
    },
  );
}
