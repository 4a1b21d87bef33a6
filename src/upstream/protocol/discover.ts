// Finds out with server/discover which protocols a server speaks (MCP 2026-07-28 server/discover, basic/versioning).
import { BridgeError, type ErrorKind } from "../../wire/errors.ts";
import { type Message, requestOf, responseTo } from "../../wire/message.ts";
import type { RequestIds } from "../core/request-ids.ts";
import {
  errorCodeOf,
  metaKeys,
  statelessErrors,
  statelessRevision,
} from "../core/stateless-protocol.ts";
import type { Deliver, Upstream } from "../core/types.ts";
import { type Identity, metaMembers } from "./request-meta.ts";

/** Which protocols a server speaks; `answer` is its response to server/discover. */
export type Discovery =
  /** The answer names no revision of the session protocol, or is an error that only the stateless protocol has. */
  | { readonly speaks: "stateless"; readonly answer: Message }
  | { readonly speaks: "both"; readonly answer: Message }
  /** The server gave no sign of the stateless protocol, or no answer. */
  | { readonly speaks: "session" };

/** A server that does not answer within this time counts as a session server. */
export const probeTimeoutMs = 5000;
/** Errors that say nothing about the protocol: the server is asked again once the user has signed in. */
const signInKinds: readonly ErrorKind[] = [
  "sign-in-required",
  "unauthorized",
  "registration-refused",
  "configuration",
];

/** Revisions of the session protocol, oldest first. */
export const sessionRevisions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/** Sends server/discover, and once more if the server refuses the revision but lists it as supported. Rejects if a credential is missing, or with the signal's reason. */
export async function discover(
  next: Upstream,
  ids: RequestIds,
  identity: Identity,
  signal: AbortSignal,
): Promise<Discovery> {
  for (let tries = 0; ; tries++) {
    const answer = await ask(next, ids, identity, signal);
    if (answer === undefined) return { speaks: "session" };
    const code = errorCodeOf(answer);
    if (answer.head.isError !== true) {
      if (!isStateless(answer)) return { speaks: "session" };
      return { speaks: namesSessions(answer) ? "both" : "stateless", answer };
    }
    if (code === statelessErrors.unsupportedVersion) {
      const supported = answer.value(["error", "data", "supported"]);
      const isOurs = Array.isArray(supported) && supported.includes(statelessRevision);
      if (isOurs && tries === 0) continue;
      return isOurs ? { speaks: "stateless", answer } : { speaks: "session" };
    }
    const isStatelessError =
      code === statelessErrors.headerMismatch || code === statelessErrors.missingCapability;
    return isStatelessError ? { speaks: "stateless", answer } : { speaks: "session" };
  }
}

/** Sends one server/discover; undefined if no response came. */
async function ask(next: Upstream, ids: RequestIds, identity: Identity, signal: AbortSignal) {
  const params = `{"_meta":{${metaMembers(identity)}}}`;
  const request = requestOf(ids.next("discover"), "server/discover", params);
  let answer: Message | undefined;
  const take: Deliver = async (incoming) => {
    if (incoming.head.kind === "response") answer = incoming;
  };
  try {
    await next.send(request, take, AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof BridgeError && signInKinds.includes(error.kind)) throw error;
  }
  return answer;
}

function namesSessions(answer: Message): boolean {
  return versionsOf(answer).some((version) => sessionRevisions.includes(version));
}

/** Whether an answer to server/discover names the stateless revision. */
export function isStateless(answer: Message): boolean {
  return versionsOf(answer).includes(statelessRevision);
}

function versionsOf(answer: Message): string[] {
  const versions = answer.value(["result", "supportedVersions"]);
  return Array.isArray(versions) ? versions : [];
}

/** Builds the answer to the client's initialize from the server's `answer` to server/discover. */
export function initializeAnswer(initialize: Message, answer: Message, name: string): Message {
  const id = initialize.head.id!;
  if (answer.head.isError === true) return answer.with([{ path: ["id"], raw: id }]);
  const asked = initialize.value(["params", "protocolVersion"]);
  const version = sessionRevisions.find((known) => known === asked) ?? sessionRevisions.at(-1);
  const serverInfo =
    answer.text(["result", "_meta", metaKeys.serverInfo]) ??
    answer.text(["result", "serverInfo"]) ??
    JSON.stringify({ name, version: "unknown" });
  const capabilities = answer.text(["result", "capabilities"]) ?? "{}";
  const instructions = answer.text(["result", "instructions"]);
  const members = [
    `"protocolVersion":"${version}"`,
    `"capabilities":${capabilities}`,
    `"serverInfo":${serverInfo}`,
    ...(instructions === undefined ? [] : [`"instructions":${instructions}`]),
  ];
  return responseTo(id, `{${members.join(",")}}`);
}
