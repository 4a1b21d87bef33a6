// Builds the `_meta` of a stateless request for a client that introduced itself once, in initialize.
import type { Message } from "../../wire/message.ts";
import type { Edit } from "../../wire/spans.ts";
import { metaKeys, statelessRevision } from "../core/stateless-protocol.ts";

/** The client's name and capabilities from its initialize, as JSON text. */
export interface Identity {
  readonly clientInfo: string;
  readonly capabilities: string;
}

/** Reads name and capabilities from an initialize request. */
export function identityOf(initialize: Message): Identity {
  const unnamed = '{"name":"unknown","version":"0"}';
  return {
    clientInfo: initialize.text(["params", "clientInfo"]) ?? unnamed,
    capabilities: initialize.text(["params", "capabilities"]) ?? "{}",
  };
}

/** Members of `_meta` for one request, as JSON text without the braces. */
export function metaMembers({ clientInfo, capabilities }: Identity, logLevel?: string): string {
  const members = [
    `"${metaKeys.version}":"${statelessRevision}"`,
    `"${metaKeys.clientInfo}":${clientInfo}`,
    `"${metaKeys.capabilities}":${capabilities}`,
  ];
  if (logLevel !== undefined) members.push(`"${metaKeys.logLevel}":${logLevel}`);
  return members.join(",");
}

/** Whether `params` can hold `_meta`: it is an object, null or absent. */
export function mayCarryMeta(message: Message): boolean {
  const params = message.view(["params"]);
  if (params === undefined) return true;
  const first = message.bytes[params.start];
  return first === 0x7b || first === 0x6e;
}

/** Adds `members` to the `_meta` of `message`; its other members stay. */
export function withMeta(message: Message, members: string): Message {
  const edits: Edit[] = [];
  const params = message.text(["params"]);
  if (params === undefined || params === "null") edits.push({ path: ["params"], raw: "{}" });
  const meta = message.text(["params", "_meta"])?.trim();
  const rest = meta?.startsWith("{") === true ? meta.slice(1, -1).trim() : "";
  const raw = `{${members}${rest === "" ? "" : `,${rest}`}}`;
  return message.with([...edits, { path: ["params", "_meta"], raw }]);
}
