import type { ServerSettings } from "../../config/settings.ts";
import { cleanText } from "../../wire/text.ts";

/** Says where the credential comes from, never its value; `file`: the configuration file. */
export function sourcesOf(
  { credential, headers, headersCommand, adHoc }: ServerSettings,
  file: string,
): string {
  const withheld = adHoc?.withheld ?? [];
  if (withheld.length > 0) return `${withheld.join(", ")} in the client's entry`;
  const names = Object.keys(headers);
  const extra = names.length === 0 ? "" : `; headers ${names.join(", ")}`;
  const command = headersCommand === undefined ? "" : `; headers printed by ${headersCommand[0]}`;
  return cleanText(`${credentialSource(credential, file)}${extra}${command}`);
}

function credentialSource(credential: ServerSettings["credential"], file: string): string {
  switch (credential.type) {
    case "token":
      return `token in ${file}`;
    case "tokenEnv":
      return `token in the variable ${credential.variable}`;
    case "tokenFile":
      return `token in ${credential.path}`;
    case "tokenCommand":
      return `token printed by ${credential.argv[0]}`;
    case "oauth":
      return `OAuth (${credential.auth.grant})`;
    case "none":
      return "no credential";
    case "unset":
      return "no credential configured: OAuth, if the server asks for it";
  }
}
