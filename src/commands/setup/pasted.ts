// The wizard's question for a URL accepts pasted text: a URL, or the command or configuration entry of another client.

import { type ClientEntry, findEntries } from "../../config/clients/entries.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { headerNameProblem, urlProblem } from "../../config/validators.ts";
import { splitWords } from "../../wire/text.ts";
import { convertEntry } from "../import/convert.ts";
import type { NewCredential } from "./edit.ts";
import type { EntrySettings } from "./entry-flags.ts";

/** A server read from pasted text. */
export interface Pasted {
  readonly url: string;
  /** Absent if the text holds no credential. */
  readonly credential?: NewCredential;
  readonly headers?: Readonly<Record<string, string>>;
  /** Other settings of the entry: transport, network, OAuth client. */
  readonly settings?: EntrySettings;
  /** Settings of the entry that the bridge does not take over, one sentence each. */
  readonly notes: readonly string[];
}

const scheme = /^https?:\/\//i;
const quotes = /^(["'`])(.*)\1$|^<(.*)>$/s;
const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)/i;

/** Reads a pasted text. If the text holds no server, `url` is the text itself, which pastedProblem() refuses. */
export function readPasted(text: string): Pasted {
  const bare = text
    .trim()
    // A command that was copied with its prompt.
    .replace(/^[$%>]\s+/, "")
    .replace(quotes, (_, __, inner, bracketed) => inner ?? bracketed)
    .trim();
  if (/^["{]/.test(bare)) return fromJson(bare) ?? { url: bare, notes: [] };
  const words = splitWords(bare);
  if (words.length > 1) return fromCommand(words) ?? { url: bare, notes: [] };
  const word = words[0] ?? "";
  if (scheme.test(word) || word === "" || word.includes("://")) return { url: word, notes: [] };
  return { url: `${loopback.test(word) ? "http" : "https"}://${word}`, notes: [] };
}

/** The reason why a pasted text holds no server; undefined if it holds one. */
export function pastedProblem(text: string): string | undefined {
  return urlProblem(readPasted(text).url);
}

/** Reads an entry or a whole file of a client, also without its outer braces, as copied from a web page. */
function fromJson(text: string): Pasted | undefined {
  const bare = text.replace(/,\s*$/, "");
  // Documentation shows trailing commas, which JSON does not have.
  const plain = bare.replace(/,(\s*[}\]])/g, "$1");
  for (const whole of [bare, `{${bare}}`, plain, `{${plain}}`]) {
    let value: unknown;
    try {
      value = JSON.parse(whole);
    } catch {
      continue;
    }
    for (const entries of [findEntries(value), findEntries({ mcpServers: { "": value } })]) {
      const found = entries.map(fromEntry).find((each) => each !== undefined);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function fromEntry(entry: ClientEntry): Pasted | undefined {
  const outcome = convertEntry(entry, () => undefined);
  if (outcome.kind !== "server" || outcome.draft.refused !== undefined) return undefined;
  const { entry: server, notes } = outcome.draft;
  const { token, tokenEnv, headers, auth } = server;
  const settings = settingsOf(server);
  const credential: NewCredential | undefined =
    token !== undefined
      ? { type: "token", token }
      : tokenEnv !== undefined
        ? { type: "tokenEnv", variable: tokenEnv }
        : headers !== undefined
          ? { type: "headers" }
          : auth?.type === "oauth"
            ? { type: "oauth" }
            : undefined;
  return {
    url: server.url,
    ...(credential !== undefined && { credential }),
    ...(headers !== undefined && { headers }),
    ...(Object.keys(settings).length > 0 && { settings }),
    notes,
  };
}

/** The settings of an entry besides its URL, its credential and its headers. */
function settingsOf({
  transport,
  timeoutSec,
  allowHttp,
  network,
  auth,
}: ServerEntry): EntrySettings {
  const { type, ...oauth } = auth ?? { type: undefined };
  return {
    ...(transport !== undefined && { transport }),
    ...(timeoutSec !== undefined && { timeoutSec }),
    ...(allowHttp === true && { allowHttp }),
    ...(network !== undefined && { network }),
    ...(type === "oauth" && Object.keys(oauth).length > 0 && { oauth }),
  };
}

/** Reads a command that adds a server to a client (`claude mcp add ...`), or a command that starts another bridge. */
function fromCommand(words: readonly string[]): Pasted | undefined {
  const json = words.find((word) => word.startsWith("{"));
  if (json !== undefined) return fromJson(json) ?? fromBridgeCommand(words);
  const at = words.indexOf("mcp");
  const verb = at < 0 ? undefined : words[at + 1];
  if (verb !== "add") return fromBridgeCommand(words);
  const end = words.indexOf("--");
  if (end >= 0) return fromBridgeCommand(words.slice(end + 1));
  const url = words.find((word) => scheme.test(word));
  return url === undefined ? undefined : fromUrl(url, words);
}

/** Reads the command that starts another bridge, such as mcp-remote. */
function fromBridgeCommand(words: readonly string[]): Pasted | undefined {
  const [command, ...args] = words;
  return findEntries({ mcpServers: { "": { command, args } } }).map(fromEntry)[0];
}

/** A server from a URL and the options of a command: headers, and the OAuth client. */
function fromUrl(url: string, words: readonly string[]): Pasted | undefined {
  const headers: Record<string, string> = {};
  words.forEach((word, at) => {
    if (word !== "--header" && word !== "-H") return;
    const [, header = "", value = ""] = /^([^:]+):\s*(.*)$/s.exec(words[at + 1] ?? "") ?? [];
    if (headerNameProblem(header) === undefined) headers[header] = value;
  });
  const at = words.findIndex((word) => word.split("=", 1)[0] === "--client-id");
  const clientId = at < 0 ? undefined : (words[at]!.split("=")[1] ?? words[at + 1]);
  const oauth = clientId === undefined ? {} : { clientId };
  return findEntries({ mcpServers: { "": { url, headers, oauth } } }).map(fromEntry)[0];
}
