import type { JsonObject } from "../../config/clients/document.ts";
import { type ClientEntry, plainKey } from "../../config/clients/entries.ts";
import { clientAuths, type ReadFile } from "../../config/mcp-remote/words.ts";
import type { Environment } from "../../platform/paths.ts";
import { program } from "../../wire/program-facts.ts";
import { Draft } from "./draft.ts";
import {
  type BridgeName,
  findBridge,
  mentionedBridge,
  type OtherBridge,
  unreadableReason,
} from "./launcher.ts";
import { takeMcpRemote } from "./mcp-remote.ts";
import { takeMcpProxy, takeRemote, takeSupergateway } from "./other-bridges.ts";

interface CodexSettings extends JsonObject {
  readonly default_tools_approval_mode?: unknown;
  readonly required?: unknown;
  readonly tool_timeout_sec?: unknown;
}

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
  /^(PATH|HOME|USER|SHELL|TE?MP|NODE_OPTIONS|NODE_ENV|NO_PROXY|LANG|LC_.*|DEBUG|TERM|MCP_REMOTE_CONFIG_DIR|(LOCAL)?APPDATA|SYSTEMROOT|USERPROFILE|COMSPEC|NVM_.*|NPM_CONFIG_.*|LOG_LEVEL|BUN_JSC_.*)$/i;
/** Variables that Draft.environment() converts or explains in a note. */
const converted = /^(HTTPS?_PROXY|ALL_PROXY|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|NODE_TLS_.*)$/i;

interface Origin {
  /** The environment of this process; default: empty. */
  readonly env?: Environment;
  /** The user's values of missing variables. */
  readonly answers?: Readonly<Record<string, string>>;
  /** Whether the entry's file is Codex's. */
  readonly isCodex?: boolean;
}

/** Converts a client's entry to a draft for config.json. Executes no command and sends no request. */
export function convertEntry(
  entry: ClientEntry,
  readFile: ReadFile,
  { env = {}, answers = {}, isCodex = false }: Origin = {},
): Outcome {
  const bridge = findBridge(entry.words);
  const ownEnv = { ...entry.env, ...bridge?.env };
  const draft = new Draft({ ...answers, ...ownEnv }, env);
  const finish = () => {
    finishDraft(entry, draft, Object.keys(ownEnv));
    takeCodex(entry.value, draft, isCodex);
  };
  if (bridge !== undefined) {
    takeBridge(bridge, entry, draft, readFile);
    finish();
    return { kind: "server", draft, currentBridge: bridge.name };
  }
  if (entry.words.length > 0) {
    if (startsUs(entry.words)) return { kind: "ours" };
    const mentioned = mentionedBridge(entry.words);
    return mentioned === undefined ? { kind: "local" } : unreadable(mentioned);
  }
  if (entry.url !== undefined) draft.url(entry.url);
  for (const [name, value] of Object.entries(entry.headers)) draft.header(name, value);
  takeOAuth(entry, draft);
  finish();
  return { kind: "server", draft };
}

function unreadable(bridge: BridgeName): Outcome {
  const draft = new Draft({});
  draft.refuse(unreadableReason(bridge));
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

/** The settings of `auth` by the clients' keys for them. */
const oauthKeys = {
  id: ["clientid"],
  secret: ["clientsecret"],
  secretVariable: ["clientsecretenv"],
  redirect: ["redirecturi", "redirecturl", "callbackurl"],
  port: ["callbackport"],
  scopes: ["scopes", "scope"],
  resource: ["resource"],
  method: ["tokenendpointauthmethod"],
} as const;
const discovered = ": the bridge discovers the authorization server";
/** OAuth keys without an effect on the requests. */
const harmlessOAuth = ["enabled", "publicclient", "tokencachedir"];

/** Takes the OAuth settings of an entry with a URL. */
function takeOAuth({ oauth }: ClientEntry, draft: Draft): void {
  const values = new Map(Object.entries(oauth).map(([key, value]) => [plainKey(key), value]));
  const of = (name: keyof typeof oauthKeys) =>
    oauthKeys[name].map((key) => values.get(key)).find((value) => value !== undefined);
  const text = (name: keyof typeof oauthKeys) => {
    const value = of(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const id = text("id");
  const variable = text("secretVariable");
  const secret = text("secret") ?? (variable === undefined ? undefined : `\${${variable}}`);
  if (id !== undefined) draft.client(id, secret);
  const redirectUri = text("redirect");
  const callbackPort = of("port");
  if (id !== undefined && redirectUri !== undefined) draft.oauth({ redirectUri });
  else if (id !== undefined && typeof callbackPort === "number") draft.oauth({ callbackPort });
  const scopes = of("scopes");
  const list =
    typeof scopes === "string"
      ? scopes.split(/[\s,]+/).filter((word) => word !== "")
      : Array.isArray(scopes)
        ? scopes.filter((word) => typeof word === "string")
        : [];
  if (list.length > 0) draft.oauth({ scopes: list });
  const resource = text("resource");
  if (resource !== undefined) draft.oauth({ resource });
  const clientAuth = clientAuths.find((method) => method === of("method"));
  if (clientAuth !== undefined) draft.oauth({ clientAuth });
  if (values.get("enabled") === false) draft.withoutSignIn();
  const known: readonly string[] = [...Object.values(oauthKeys).flat(), ...harmlessOAuth];
  for (const key of Object.keys(oauth))
    if (!known.includes(plainKey(key)))
      draft.note(`oauth.${key} will not carry over${/url$/i.test(key) ? discovered : ""}`);
}

/** The longest call that Codex waits for may last as long here; it gets the bridge's error before it gives up. */
const codexMarginSec = 2;
const approvals = ["auto", "prompt", "writes", "approve"] as const;

/** Takes the settings of Codex's entry that config.json has a key for. A file of another client must not decide about Codex. */
function takeCodex(value: CodexSettings, draft: Draft, isCodex: boolean): void {
  const { entry } = draft;
  const approval = approvals.find((each) => each === value.default_tools_approval_mode);
  if (!isCodex) {
    if (approval !== undefined)
      draft.note(
        "default_tools_approval_mode will not carry over: the file is not known as Codex's (add --from codex if it is)",
      );
    return;
  }
  const isRequired = value.required === true;
  if (approval !== undefined || isRequired) {
    entry.codex = { ...(approval && { approval }), ...(isRequired && { required: true }) };
  }
  if (approval !== undefined) draft.note(`its approval policy for Codex carries over: ${approval}`);
  const seconds = value.tool_timeout_sec;
  if (typeof seconds === "number" && seconds > 118 + codexMarginSec)
    entry.timeoutSec = Math.min(seconds - codexMarginSec, 86_400);
}

function reasonFor(key: string): string {
  if (key === "envFile") return ": set its variables where the client starts";
  return /helper$|command$/i.test(key)
    ? ": it is a command; set headersCommand in config.json"
    : "";
}

/** Converts the environment, and adds notes for the keys and, of `variables`, the names that are not imported. */
function finishDraft(entry: ClientEntry, draft: Draft, variables: readonly string[]): void {
  const { unsupportedKeys, toolFilters, isDisabled } = entry;
  draft.environment();
  for (const key of unsupportedKeys) draft.note(`${key} will not carry over${reasonFor(key)}`);
  for (const key of toolFilters)
    draft.note(`${key} applies to that client alone: set tools.allow or tools.deny in config.json`);
  if (isDisabled) draft.note("it is disabled in the client");
  const text = JSON.stringify(draft.entry);
  // A variable that only passes the client's on (`"TOKEN": "${TOKEN}"`) is not lost: the entry refers to it.
  const isNamed = (name: string) => new RegExp(`\\b${RegExp.escape(name)}\\b`).test(text);
  const unused = variables.filter(
    (name) =>
      !(draft.used.has(name) || harmless.test(name) || converted.test(name) || isNamed(name)),
  );
  if (unused.length > 0) draft.note(`the entry does not use ${unused.join(", ")}: left out`);
}
