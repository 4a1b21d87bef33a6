// What a person pastes where the wizard asks for a URL: the URL itself, or the command or entry of another client.

import { type ClientEntry, findEntries } from "../../config/clients/entries.ts";
import { headerNameProblem, urlProblem } from "../../config/validators.ts";
import { splitWords } from "../../wire/text.ts";
import { convertEntry } from "../import/convert.ts";
import type { NewCredential } from "./edit.ts";

/** A server out of a pasted text. */
export interface Pasted {
  readonly url: string;
  /** Where the text holds one. */
  readonly credential?: NewCredential;
  readonly headers?: Readonly<Record<string, string>>;
  /** What does not carry over: one sentence each. */
  readonly notes: readonly string[];
}

const scheme = /^https?:\/\//i;
const quotes = /^(["'`])(.*)\1$|^<(.*)>$/s;
const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)/i;

/** Reads a pasted text. A text that holds no server comes back as the URL, which pastedProblem() refuses. */
export function readPasted(text: string): Pasted {
  const bare = text
    .trim()
    .replace(quotes, (_, __, inner, bracketed) => inner ?? bracketed)
    .trim();
  if (/^["{]/.test(bare)) return fromJson(bare) ?? { url: bare, notes: [] };
  const words = splitWords(bare);
  if (words.length > 1) return fromCommand(words) ?? { url: bare, notes: [] };
  const word = words[0] ?? "";
  if (scheme.test(word) || word === "" || word.includes("://")) return { url: word, notes: [] };
  return { url: `${loopback.test(word) ? "http" : "https"}://${word}`, notes: [] };
}

/** What is wrong with a pasted text; undefined where it holds a server. */
export function pastedProblem(text: string): string | undefined {
  return urlProblem(readPasted(text).url);
}

/** An entry or a whole file of a client; also without the outer braces, as it is copied out of a page. */
function fromJson(text: string): Pasted | undefined {
  const bare = text.replace(/,\s*$/, "");
  for (const whole of [bare, `{${bare}}`]) {
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
  const { token, tokenEnv, headers } = server;
  const credential: NewCredential | undefined =
    token !== undefined
      ? { type: "token", token }
      : tokenEnv !== undefined
        ? { type: "tokenEnv", variable: tokenEnv }
        : headers !== undefined
          ? { type: "headers" }
          : undefined;
  return {
    url: server.url,
    ...(credential !== undefined && { credential }),
    ...(headers !== undefined && { headers }),
    notes,
  };
}

/** `claude mcp add ...`, `codex mcp add ...` and the like, or the command that starts another bridge. */
function fromCommand(words: readonly string[]): Pasted | undefined {
  const at = words.indexOf("mcp");
  const verb = at < 0 ? undefined : words[at + 1];
  if (verb === "add-json") return fromJson(words.find((word) => word.includes("{")) ?? "");
  if (verb !== "add") return fromStart(words);
  const end = words.indexOf("--");
  if (end >= 0) return fromStart(words.slice(end + 1));
  const url = words.find((word) => scheme.test(word));
  return url === undefined ? undefined : fromUrl(url, words);
}

function fromStart(words: readonly string[]): Pasted | undefined {
  const [command, ...args] = words;
  return findEntries({ mcpServers: { "": { command, args } } }).map(fromEntry)[0];
}

/** The URL of a command with the headers of its `--header` options. */
function fromUrl(url: string, words: readonly string[]): Pasted | undefined {
  const headers: Record<string, string> = {};
  words.forEach((word, at) => {
    if (word !== "--header" && word !== "-H") return;
    const [, header = "", value = ""] = /^([^:]+):\s*(.*)$/s.exec(words[at + 1] ?? "") ?? [];
    if (headerNameProblem(header) === undefined) headers[header] = value;
  });
  return findEntries({ mcpServers: { "": { url, headers } } }).map(fromEntry)[0];
}
