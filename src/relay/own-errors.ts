// Errors that the bridge itself answers with.
import type { Redactor } from "../platform/redact.ts";
import { testClientName, traitsOf } from "../upstream/core/client-traits.ts";
import type { ClientFacts } from "../upstream/core/types.ts";
import { textResult } from "../upstream/stand-in/results.ts";
import { BridgeError, type CommandLine, settingHint } from "../wire/errors.ts";
import type { Oversize } from "../wire/lines.ts";
import { errorTo, type Flaw, type Message, responseTo } from "../wire/message.ts";

/** Removes secrets from an answer, writes the commands in its hint, and tells which client reads it. */
interface ReplyContext {
  readonly redactor: Redactor;
  readonly commandLine: CommandLine;
  readonly client: ClientFacts;
}

/**
 * Answers a request with an error: the server's JSON-RPC error unchanged if there is one, else the bridge's, redacted. A
 * client that hides the words of errors gets the answer to `call` (tools/call) as a result.
 */
export function errorReply(
  id: string,
  error: BridgeError,
  { redactor, commandLine, client }: ReplyContext,
  call?: Message,
): Message {
  if (error.serverError !== undefined) return errorTo(id, error.serverError);
  const { code, message, data } = error.toJsonRpc(commandLine, client.name);
  const text = redactor.redact(message);
  if (call !== undefined && traitsOf(client).hidesCallErrors === true)
    return responseTo(id, textResult(call, text, error.kind));
  const hint =
    client.name === testClientName ? error.hintText(commandLine, client.name) : undefined;
  const shown = hint === undefined ? data : { ...data, hint: redactor.redact(hint) };
  return errorTo(id, { code, message: text, data: shown });
}

/** The answer to a line that is no JSON-RPC message (codes: JSON-RPC 2.0 section 5.1). */
export function flawReply({ flaw, reason, id }: Flaw): Message {
  const [code, words] = flaw === "parse" ? [-32700, "Parse error"] : [-32600, "Invalid Request"];
  return errorTo(id ?? "null", { code, message: `${words}: ${reason}` });
}

/** The answer to a line over the limit. */
export function oversizeReply(
  { bytes, id }: Oversize,
  limit: number,
  commandLine: CommandLine,
): Message {
  const error = new BridgeError(
    "too-large",
    `the message has ${bytes} bytes, the limit is ${limit}`,
    {
      hint: settingHint('raise "limits.messageMB" of this server'),
    },
  );
  return errorTo(id ?? "null", error.toJsonRpc(commandLine));
}

/** A call's deadline has passed. */
export function timeoutError(timeoutMs: number): BridgeError {
  return new BridgeError("timeout", `the server did not answer within ${timeoutMs / 1000} s`, {
    hint: settingHint('raise "timeoutSec" of this server if its calls take longer'),
  });
}

/** The bridge ends before the server has answered. */
export function endedError(): BridgeError {
  return new BridgeError("outcome-unknown", "the bridge ended before the server answered", {
    hint: "the server may have executed the call: check before you repeat it",
  });
}

/** The server's stream for a call ended without a response. */
export function silentError(): BridgeError {
  return new BridgeError("bad-answer", "the server closed the stream without a response", {
    hint: "ask the server's operator; LOG_LEVEL=debug shows more",
  });
}

/** Too many requests of the server wait for the client; sent to the server. */
export function tooManyRequestsError(): BridgeError {
  return new BridgeError("rate-limited", "too many requests already wait for the client");
}

/** The server keeps sending requests but accepts no answers: its stream is closed. */
export function floodError(): BridgeError {
  return new BridgeError("bad-answer", "the server keeps sending requests but accepts no answers", {
    hint: "ask the server's operator",
  });
}
