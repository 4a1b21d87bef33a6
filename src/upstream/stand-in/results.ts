// The results that the bridge gives in place of a server, as messages for the client.
import { errorMeta } from "../../platform/run-id.ts";
import type { ErrorKind } from "../../wire/errors.ts";
import { type Message, responseTo } from "../../wire/message.ts";
import { program, protocolRevisions } from "../../wire/program-facts.ts";
import { metaKeys, revisionOf, statelessRevision } from "../core/stateless-protocol.ts";

/** The server as the client sees it while the bridge stands in for it. */
export interface StandInFacts {
  /** Name of the server's entry. */
  readonly name: string;
  readonly instructions: string;
}

const capabilities = { tools: { listChanged: true } };

/** The members that a result of the stateless protocol needs besides its own (MCP 2026-07-28 basic). */
function statelessMembers(request: Message, isList: boolean): object {
  if (revisionOf(request) === undefined) return {};
  return { resultType: "complete", ...(isList && { ttlMs: 0, cacheScope: "private" }) };
}

/** Answers `initialize`, in the client's revision where the bridge knows it. */
export function initializeAnswer(request: Message, { name, instructions }: StandInFacts): Message {
  const asked = request.value(["params", "protocolVersion"]);
  const revisions = protocolRevisions.filter((revision) => revision !== statelessRevision);
  const result = {
    protocolVersion: revisions.find((revision) => revision === asked) ?? revisions.at(-1)!,
    capabilities,
    serverInfo: { name, version: program.version },
    instructions,
  };
  return responseTo(request.head.id!, JSON.stringify(result));
}

/** Answers `server/discover` (MCP 2026-07-28 server/discover). */
export function discoverAnswer(request: Message, { name, instructions }: StandInFacts): Message {
  const serverInfo = { name, version: program.version };
  const result = {
    ...statelessMembers(request, true),
    supportedVersions: [statelessRevision],
    capabilities,
    serverInfo,
    instructions,
    _meta: { [metaKeys.serverInfo]: serverInfo },
  };
  return responseTo(request.head.id!, JSON.stringify(result));
}

/** Answers `tools/list` with one tool. */
export function listAnswer(request: Message, tool: object): Message {
  const result = { ...statelessMembers(request, true), tools: [tool] };
  return responseTo(request.head.id!, JSON.stringify(result));
}

/** The result of `tools/call` with a text, as JSON text; `error`: the kind of the failure, for a result that is an error. */
export function textResult(request: Message, text: string, error?: ErrorKind): string {
  return JSON.stringify({
    ...statelessMembers(request, false),
    content: [{ type: "text", text }],
    ...(error !== undefined && { isError: true, _meta: errorMeta(error) }),
  });
}
