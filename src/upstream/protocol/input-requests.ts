// Multi-round results for a client of the legacy era (MCP 2026-07-28 basic/patterns/mrtr).

import { sleep } from "../../platform/async.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { Message } from "../../wire/message.ts";
import type { Edit } from "../../wire/spans.ts";
import type { Ask, CallContext, Deliver, ServerScope, Upstream } from "../core/types.ts";

interface InputRequestOptions extends Pick<ServerScope, "name" | "ids"> {
  readonly next: Upstream;
  readonly ask: Ask;
  readonly call: CallContext | undefined;
  /** The client's capabilities as it told them, as JSON text. */
  readonly capabilities: string;
}

/** A server that still wants more after so many rounds will never be content. */
const maxInputRequests = 64;
/** Wait before a round in which the server asked for nothing but to be asked again. */
const pauseMs = 500;

/** What the client may be asked, by the capability it needs. */
const questions: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots",
};

/** Sends a request; what the server wants to know first is asked of the client, and the request sent again with the answers. */
export async function sendWithInputRequests(
  request: Message,
  options: InputRequestOptions,
  deliver: Deliver,
  signal: AbortSignal,
): Promise<void> {
  const id = request.head.id!;
  let sent = request;
  for (let round = 0; round < maxInputRequests; round++) {
    let wanted: Message | undefined;
    await options.next.send(
      sent,
      async (said) => {
        if (said.head.kind !== "response") await deliver(said);
        else if (said.value(["result", "resultType"]) === "input_required") wanted = said;
        else await deliver(round === 0 ? said : said.with([{ path: ["id"], raw: id }]));
      },
      signal,
      options.call,
    );
    if (wanted === undefined) return;
    sent = await nextRequest(request, wanted, options, signal);
  }
  throw new BridgeError(
    "bad-answer",
    `"${options.name}" asked ${maxInputRequests} times for more input`,
    {
      hint: "its operator can tell more",
    },
  );
}

/** The request with the answers to what `wanted` asks for, and its state byte for byte. */
async function nextRequest(
  request: Message,
  wanted: Message,
  options: InputRequestOptions,
  signal: AbortSignal,
): Promise<Message> {
  const edits: Edit[] = [{ path: ["id"], raw: options.ids.next("round") }];
  const asked = wanted.value(["result", "inputRequests"]);
  const state = wanted.text(["result", "requestState"]);
  if (typeof asked === "object" && asked !== null && Object.keys(asked).length > 0) {
    // Where one question cannot be answered, the client is not left with the others.
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const resume = options.call?.pause();
    const answers = await Promise.all(
      Object.keys(asked).map(async (key) => {
        const answer = await askClient(wanted, key, options, until);
        return `${JSON.stringify(key)}:${answer}`;
      }),
    ).finally(() => {
      over.abort();
      resume?.();
    });
    edits.push({ path: ["params", "inputResponses"], raw: `{${answers.join(",")}}` });
  } else if (state === undefined)
    throw new BridgeError("bad-answer", `"${options.name}" wants input without saying which`, {
      hint: "its operator can tell more",
    });
  else await sleep(pauseMs, signal);
  if (state !== undefined) edits.push({ path: ["params", "requestState"], raw: state });
  return request.with(edits);
}

/** The client's answer to one question, as JSON text of a result. */
async function askClient(
  wanted: Message,
  key: string,
  { ask, name, capabilities }: InputRequestOptions,
  signal: AbortSignal,
): Promise<string> {
  const at = ["result", "inputRequests", key];
  const method = String(wanted.value([...at, "method"]));
  const capability = questions[method];
  if (capability === undefined) throw unanswerable(name, method);
  const isAble = JSON.parse(capabilities)?.[capability] !== undefined;
  const answer = isAble
    ? await ask({ method, params: paramsOf(wanted, at, method) }, signal)
    : undefined;
  if (answer !== undefined && answer.head.isError !== true) return answer.text(["result"]) ?? "{}";
  // Nobody can be asked, or the asking failed: for an elicitation the protocol has a word for that.
  if (method === "elicitation/create") return '{"action":"cancel"}';
  throw unanswerable(name, method);
}

/** The question's parameters; a client of 2025-11-25 wants an id with a URL, which the modern era has no more. */
function paramsOf(wanted: Message, at: readonly string[], method: string): string {
  const params = wanted.text([...at, "params"]) ?? "{}";
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
