// Which era a server is of, asked with server/discover (MCP 2026-07-28 server/discover, basic/versioning).
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

/** What the probe found. */
export type Discovery =
  /** The server speaks the modern era only; its answer may be an error. */
  | { readonly mode: "stateless"; readonly answer: Message }
  /** It speaks the legacy era too, or gave no sign of the modern one; where it was silent, that may be for now only. */
  | { readonly mode: "session"; readonly isDual?: boolean; readonly isSilent?: boolean };

/** A server that does not answer the probe within this time is tried as a legacy one. */
const probeTimeoutMs = 5000;
/** These tell nothing about the era: the probe is made again once the user is signed in. */
const signInKinds: readonly ErrorKind[] = [
  "sign-in-required",
  "unauthorized",
  "registration-refused",
  "configuration",
];

const sessionRevisions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/** Asks the server once (twice where it rejects the revision by name). Rejects where a credential is missing, or with the signal's reason. */
export async function discover(
  next: Upstream,
  ids: RequestIds,
  identity: Identity,
  signal: AbortSignal,
): Promise<Discovery> {
  for (let tries = 0; ; tries++) {
    const answer = await ask(next, ids, identity, signal);
    if (answer === undefined) return { mode: "session", isSilent: true };
    const code = errorCodeOf(answer);
    if (answer.head.isError !== true)
      return isStatelessOnly(answer)
        ? { mode: "stateless", answer }
        : { mode: "session", isDual: isStateless(answer) };
    if (code === statelessErrors.unsupportedVersion) {
      const supported = answer.value(["error", "data", "supported"]);
      const isOurs = Array.isArray(supported) && supported.includes(statelessRevision);
      if (isOurs && tries === 0) continue;
      return isOurs ? { mode: "stateless", answer } : { mode: "session" };
    }
    const isStatelessError =
      code === statelessErrors.headerMismatch || code === statelessErrors.missingCapability;
    return isStatelessError ? { mode: "stateless", answer } : { mode: "session" };
  }
}

/** The answer to one server/discover; undefined where there was none that says anything. */
async function ask(next: Upstream, ids: RequestIds, identity: Identity, signal: AbortSignal) {
  const params = `{"_meta":{${metaMembers(identity)}}}`;
  const request = requestOf(ids.next("discover"), "server/discover", params);
  let answer: Message | undefined;
  const take: Deliver = async (said) => {
    if (said.head.kind === "response") answer = said;
  };
  try {
    await next.send(request, take, AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof BridgeError && signInKinds.includes(error.kind)) throw error;
  }
  return answer;
}

/** Whether an answer to server/discover names the modern era only: a server that names a legacy revision too serves a legacy client best itself. */
export function isStatelessOnly(answer: Message): boolean {
  const versions = versionsOf(answer);
  return isStateless(answer) && !versions.some((version) => sessionRevisions.includes(version));
}

/** Whether an answer to server/discover names the modern era: a modern client is passed on to such a server. */
export function isStateless(answer: Message): boolean {
  return versionsOf(answer).includes(statelessRevision);
}

function versionsOf(answer: Message): string[] {
  const versions = answer.value(["result", "supportedVersions"]);
  return Array.isArray(versions) ? versions : [];
}

/** The answer to the client's initialize that a discovery amounts to. */
export function initializeAnswer(
  initialize: Message,
  { answer }: { answer: Message },
  name: string,
) {
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
