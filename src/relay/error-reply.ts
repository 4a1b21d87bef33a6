import type { Redactor } from "../platform/redact.ts";
import type { BridgeError, CommandLine } from "../wire/errors.ts";
import { errorTo, type Message } from "../wire/message.ts";

/** An error in place of an answer: the server's own as it is, else ours, without a secret. */
export function errorReply(
  id: string,
  error: BridgeError,
  { redactor, commandLine }: { redactor: Redactor; commandLine: CommandLine },
): Message {
  if (error.serverError !== undefined) return errorTo(id, error.serverError);
  const { code, message, data } = error.toJsonRpc(commandLine);
  const hint = data.hint === undefined ? {} : { hint: redactor.redact(data.hint) };
  const cause = data.cause === undefined ? {} : { cause: redactor.redact(data.cause) };
  return errorTo(id, {
    code,
    message: redactor.redact(message),
    data: { ...data, ...hint, ...cause },
  });
}
