import type { ClientEntry } from "../../config/clients/entries.ts";
import type { ReadFile } from "../../config/mcp-remote/words.ts";
import { program } from "../../wire/program-facts.ts";
import { Draft } from "./draft.ts";
import { type BridgeName, findBridge, mentionedBridge, type OtherBridge } from "./launcher.ts";
import { takeMcpRemote } from "./mcp-remote.ts";
import { takeMcpProxy, takeRemote, takeSupergateway } from "./other-bridges.ts";

/** The result of converting an entry. */
export type Outcome =
  /** A remote server: the entry has a URL, or starts another bridge, whose name is `currentBridge`. */
  | { readonly kind: "server"; readonly draft: Draft; readonly currentBridge?: string }
  /** The entry starts this bridge already. */
  | { readonly kind: "ours" }
  /** The entry starts a local server. */
  | { readonly kind: "local" };

/** Variables that the server entry does not need: only the launcher or the operating system reads them. */
const harmless =
  /^(PATH|HOME|NODE_OPTIONS|NODE_ENV|NO_PROXY|no_proxy|LANG|LC_.*|DEBUG|TERM|MCP_REMOTE_CONFIG_DIR)$/;
/** Variables that Draft.environment() converts or explains in a note. */
const converted = /^(HTTPS?_PROXY|ALL_PROXY|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|NODE_TLS_.*)$/i;

/** Converts a client's entry to a draft for config.json. Executes no command and sends no request. */
export function convertEntry(entry: ClientEntry, readFile: ReadFile): Outcome {
  const bridge = findBridge(entry.words);
  if (bridge !== undefined) {
    const draft = new Draft({ ...entry.env, ...bridge.env });
    takeBridge(bridge, entry, draft, readFile);
    finishDraft(entry, draft);
    return { kind: "server", draft, currentBridge: bridge.name };
  }
  if (entry.words.length > 0) {
    if (startsUs(entry.words)) return { kind: "ours" };
    const mentioned = mentionedBridge(entry.words);
    return mentioned === undefined ? { kind: "local" } : unreadable(mentioned);
  }
  const draft = new Draft(entry.env);
  if (entry.url !== undefined) draft.url(entry.url);
  for (const [name, value] of Object.entries(entry.headers)) draft.header(name, value);
  takeClient(entry, draft);
  finishDraft(entry, draft);
  return { kind: "server", draft };
}

function unreadable(bridge: BridgeName): Outcome {
  const draft = new Draft({});
  draft.refuse(
    `its command line starts ${bridge} in a way that import cannot read: add the server by setup --url`,
  );
  return { kind: "server", draft, currentBridge: bridge };
}

function startsUs(words: readonly string[]): boolean {
  return words.some(
    (word) =>
      word
        .split(/[/\\]/)
        .at(-1)!
        .replace(/\.exe$/i, "") === program.name,
  );
}

function takeBridge(
  { name, args, env, notes, refused }: OtherBridge,
  entry: ClientEntry,
  draft: Draft,
  readFile: ReadFile,
): void {
  if (refused !== undefined) draft.refuse(refused);
  if (name === "mcp-remote") takeMcpRemote(args, draft, readFile);
  else if (name === "supergateway") takeSupergateway(args, draft);
  else if (name === "mcp-proxy") takeMcpProxy(args, { ...entry.env, ...env }, draft);
  else takeRemote(args, draft);
  for (const note of notes) draft.note(note);
}

/** Takes the OAuth client of an entry with a URL; each MCP client has its own key names for it. */
function takeClient({ oauth }: ClientEntry, draft: Draft): void {
  const text = (keys: readonly string[]) =>
    keys.map((key) => oauth[key]).find((value) => typeof value === "string" && value !== "") as
      | string
      | undefined;
  const id = text(["clientId", "client_id", "CLIENT_ID", "ClientId"]);
  const secret = text(["clientSecret", "client_secret", "CLIENT_SECRET", "ClientSecret"]);
  if (id !== undefined) draft.client(id, secret);
  const redirect = text(["redirectUri", "redirect_uri", "callback_url", "RedirectUrl"]);
  const port = oauth.callbackPort ?? oauth.callback_port;
  if (id !== undefined && redirect !== undefined) draft.oauth({ redirectUri: redirect });
  else if (id !== undefined && typeof port === "number") draft.oauth({ callbackPort: port });
  const scopes = [oauth.scopes, oauth.scope].find((value) => value !== undefined);
  const list =
    typeof scopes === "string"
      ? scopes.split(/[\s,]+/).filter((word) => word !== "")
      : Array.isArray(scopes)
        ? scopes.filter((word) => typeof word === "string")
        : [];
  if (list.length > 0) draft.oauth({ scopes: list });
}

/** Converts the environment, and adds notes for the keys and variables that are not imported. */
function finishDraft({ unsupportedKeys, isDisabled, env }: ClientEntry, draft: Draft): void {
  draft.environment();
  for (const key of unsupportedKeys) {
    draft.note(
      key === "envFile"
        ? "envFile will not carry over: set its variables where the client starts"
        : `${key} will not carry over: it is a command; set headersCommand in config.json`,
    );
  }
  if (isDisabled) draft.note("it is disabled in the client");
  const unused = draft.unused().filter((name) => !harmless.test(name) && !converted.test(name));
  if (unused.length > 0 && Object.keys(env).length > 0) {
    draft.note(`the entry does not use ${unused.join(", ")}: left out`);
  }
}
