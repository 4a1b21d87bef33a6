// Resolves `input_required` results for a client of the session protocol (MCP 2026-07-28 basic/patterns/mrtr).

import { sleep } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { Edit } from "../../wire/spans.ts";
import type { Ask, CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";

interface InputRequestOptions extends Pick<ServerScope, "name" | "ids"> {
  readonly next: Upstream;
  readonly ask: Ask;
  readonly call: CallContext | undefined;
  /** The client's capabilities from its initialize, as JSON text. */
  readonly capabilities: string;
}

/** Most `input_required` results in a row for one call. */
const maxInputRequests = 64;
/** Wait before the request is sent again if the server returned a state but no input requests. */
const pauseMs = 500;

/** Requests that may be passed to the client, with the capability that each needs. */
const capabilityFor: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};

/** Sends a request. If the result is `input_required`, passes the input requests to the client and sends the request again with the answers. */
export async function sendWithInputRequests(
  request: Message,
  options: InputRequestOptions,
  deliver: Deliver,
  signal: AbortSignal,
): Promise<void> {
  const id = request.head.id!;
  let sent = request;
  for (let round = 0; round < maxInputRequests; round++) {
    let inputRequired: Message | undefined;
    await options.next.send(
      sent,
      async (incoming) => {
        if (incoming.head.kind !== "response") await deliver(incoming);
        else if (incoming.value(["result", "resultType"]) === "input_required")
          inputRequired = incoming;
        else await deliver(round === 0 ? incoming : incoming.with([{ path: ["id"], raw: id }]));
      },
      signal,
      options.call,
    );
    if (inputRequired === undefined) return;
    sent = await nextRequest(request, inputRequired, options, signal);
  }
  throw new BridgeError(
    "bad-answer",
    `"${options.name}" asked ${maxInputRequests} times for more input`,
    {
      hint: "ask the server's operator",
    },
  );
}

/** Builds the next request: the client's answers to the input requests of `inputRequired`, and its state byte for byte. */
async function nextRequest(
  request: Message,
  inputRequired: Message,
  options: InputRequestOptions,
  signal: AbortSignal,
): Promise<Message> {
  const edits: Edit[] = [{ path: ["id"], raw: options.ids.next("round") }];
  const asked = inputRequired.value(["result", "inputRequests"]);
  const state = inputRequired.text(["result", "requestState"]);
  if (typeof asked === "object" && asked !== null && Object.keys(asked).length > 0) {
    // If one input request fails, the others are cancelled at the client.
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const resume = options.call?.pause();
    const answers = await Promise.all(
      Object.keys(asked).map(async (key) => {
        const answer = await askClient(inputRequired, key, options, until);
        return `${JSON.stringify(key)}:${answer}`;
      }),
    ).finally(() => {
      over.abort();
      resume?.();
    });
    edits.push({ path: ["params", "inputResponses"], raw: `{${answers.join(",")}}` });
  } else if (state === undefined)
    throw new BridgeError(
      "bad-answer",
      `"${options.name}" returned input_required without input requests or state`,
      {
        hint: "ask the server's operator",
      },
    );
  else await sleep(pauseMs, signal);
  if (state !== undefined) edits.push({ path: ["params", "requestState"], raw: state });
  return request.with(edits);
}

/** The client's answer to one input request, as JSON text of a result. */
async function askClient(
  inputRequired: Message,
  key: string,
  { ask, name, capabilities }: InputRequestOptions,
  signal: AbortSignal,
): Promise<string> {
  const at = ["result", "inputRequests", key];
  const method = String(inputRequired.value([...at, "method"]));
  const capability = capabilityFor[method];
  if (capability === undefined) throw unanswerable(name, method);
  const isAble = JSON.parse(capabilities)?.[capability] !== undefined;
  const answer = isAble
    ? await ask({ method, params: paramsOf(inputRequired, at, method) }, signal)
    : undefined;
  if (answer !== undefined && answer.head.isError !== true) return answer.text(["result"]) ?? "{}";
  // The client lacks the capability or answered with an error: for an elicitation, that is `cancel`.
  if (method === "elicitation/create") return '{"action":"cancel"}';
  throw unanswerable(name, method);
}

/** The input request's parameters. MCP 2025-11-25 requires an `elicitationId` in URL mode, which the stateless protocol no longer has. */
function paramsOf(inputRequired: Message, at: readonly string[], method: string): string {
  const params = inputRequired.text([...at, "params"]) ?? "{}";
  if (method !== "elicitation/create") return params;
  const { mode, elicitationId } = JSON.parse(params) ?? {};
  if (mode !== "url" || elicitationId !== undefined) return params;
  return `{"elicitationId":"bridge-${crypto.randomUUID()}",${params.trim().slice(1)}`;
}

function unanswerable(name: string, method: string): BridgeError {
  return new BridgeError(
    "refused",
    `"${name}" wants an answer to "${method}", which the client does not give`,
    {
      hint: "use a client that supports it",
    },
  );
}
