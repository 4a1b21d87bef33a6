import type { Context } from "../../cli/command.ts";
import { configuredName, readConfig } from "../../config/load.ts";
import { changeConfig } from "../../config/save.ts";
import type { ServerEntry } from "../../config/schema.ts";
import { BridgeError } from "../../wire/errors.ts";
import { forgetStored } from "../auth/forget.ts";
import { applySettings, type EntrySettings } from "./entry-flags.ts";

/** A new credential from the wizard or from options. */
export type NewCredential =
  | { readonly type: "token"; readonly token: string }
  | { readonly type: "tokenEnv"; readonly variable: string }
  | { readonly type: "tokenFile"; readonly path: string }
  /** A key in a header; `headers` of the change holds it. */
  | { readonly type: "headers" }
  | { readonly type: "oauth" }
  | { readonly type: "none" };

/** The changes to one server; an absent value is not changed. */
export interface Change {
  readonly name: string;
  readonly url?: string;
  readonly credential?: NewCredential;
  /** Headers to add or replace. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly description?: string;
  /** `default` removes the setting, so that Codex decides. */
  readonly approval?: Approval;
  readonly settings?: EntrySettings;
}

export const approvals = ["default", "auto", "prompt", "writes", "approve"] as const;
export type Approval = (typeof approvals)[number];

/** Whether the change moves the server to another origin: its credential must not be sent there. */
export function movesOrigin(entry: ServerEntry | undefined, url: string | undefined): boolean {
  if (entry === undefined || url === undefined) return false;
  return new URL(entry.url).origin !== new URL(url).origin;
}

const bearerKeys = ["token", "access_token", "tokenEnv", "tokenFile", "tokenCommand"] as const;

/** Whether the entry sets a credential or `auth`. */
export function hasCredential(entry: ServerEntry): boolean {
  return entry.auth !== undefined || bearerKeys.some((key) => entry[key] !== undefined);
}

/** A copy of the headers without those in `names`, compared without case. */
function headersWithout(headers: Record<string, string> | undefined, names: readonly string[]) {
  const removed = new Set(names.map((name) => name.toLowerCase()));
  const kept = Object.entries(headers ?? {}).filter(([name]) => !removed.has(name.toLowerCase()));
  return Object.fromEntries(kept);
}

function setHeaders(entry: ServerEntry, headers: Record<string, string>): void {
  if (Object.keys(headers).length === 0) delete entry.headers;
  else entry.headers = headers;
}

function setCredential(entry: ServerEntry, credential: NewCredential): void {
  const auth = entry.auth;
  for (const key of bearerKeys) delete entry[key];
  delete entry.auth;
  if (credential.type !== "headers") {
    setHeaders(entry, headersWithout(entry.headers, ["authorization"]));
  }
  switch (credential.type) {
    case "token":
      entry.token = credential.token;
      break;
    case "tokenEnv":
      entry.tokenEnv = credential.variable;
      break;
    case "tokenFile":
      entry.tokenFile = credential.path;
      break;
    case "oauth":
      // Client id, scopes and other OAuth settings stay: the origin is the same.
      entry.auth = auth?.type === "oauth" ? auth : { type: "oauth" };
      break;
    default:
      // A key in a header is a static credential: a 401 must not turn into a sign-in.
      entry.auth = { type: "none" };
  }
}

/** The entry after the change. Throws `usage` for a new entry without a URL. */
function changedEntry(before: ServerEntry | undefined, change: Change): ServerEntry {
  const url = change.url ?? before?.url;
  if (url === undefined) throw new BridgeError("usage", "a new server needs --url URL");
  const entry: ServerEntry = { ...before, url };
  if (movesOrigin(before, change.url)) {
    for (const key of [...bearerKeys, "auth", "headers", "headersCommand"] as const) {
      delete entry[key];
    }
  }
  if (entry.access_token !== undefined) {
    // `access_token` is the Python package's key; a changed entry gets the bridge's own key.
    entry.token = entry.access_token.trim();
    delete entry.access_token;
  }
  if (change.credential !== undefined) setCredential(entry, change.credential);
  if (change.headers !== undefined) {
    const kept = headersWithout(entry.headers, Object.keys(change.headers));
    setHeaders(entry, { ...kept, ...change.headers });
  }
  if (change.description === "") delete entry.description;
  else if (change.description !== undefined) entry.description = change.description;
  if (change.approval !== undefined) setApproval(entry, change.approval);
  if (change.settings !== undefined) applySettings(entry, change.settings);
  return entry;
}

function setApproval(entry: ServerEntry, approval: Approval): void {
  const { approval: _, ...codex } = entry.codex ?? {};
  if (approval !== "default") entry.codex = { ...codex, approval };
  else if (Object.keys(codex).length > 0) entry.codex = codex;
  else delete entry.codex;
}

/** Saves the change; resolves to the server's name as config.json writes it. Throws `configuration` or `usage`. */
export async function saveChange(change: Change, context: Context): Promise<string> {
  const { redactor } = context;
  if (change.credential?.type === "token") redactor.add(change.credential.token);
  redactor.add(change.settings?.oauth?.clientSecret);
  for (const [name, value] of Object.entries(change.headers ?? {})) redactor.addHeader(name, value);
  const paths = context.paths();
  const old = await readConfig(paths);
  let name = change.name;
  let dropsSignIn = false;
  await changeConfig(paths, (raw) => {
    name = configuredName(raw, change.name) ?? change.name;
    const before = raw.servers?.[name];
    const after = changedEntry(before, change);
    dropsSignIn = movesOrigin(before, change.url) || leavesOAuth(before, after);
    raw.servers = { ...raw.servers, [name]: after };
  });
  const server = old?.servers.get(name);
  // After the save: if this fails, the old sign-in stays on disk, but is bound to its origin and never sent elsewhere.
  if (dropsSignIn && server !== undefined) await forgetStored(server, context);
  return name;
}

/** Whether the change replaces OAuth with another credential. */
function leavesOAuth(before: ServerEntry | undefined, after: ServerEntry): boolean {
  const signsIn = (entry: ServerEntry) => entry.auth?.type === "oauth" || !hasCredential(entry);
  return before !== undefined && signsIn(before) && !signsIn(after);
}
