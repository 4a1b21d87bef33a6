import { type ErrorKind, jsonRpcCode } from "../wire/errors.ts";
import { program } from "../wire/program-facts.ts";

let id: string | undefined;

/** The id of this process: 12 hex digits. The log, the audit, a record and error results carry it. */
export function runId(): string {
  id ??= crypto.getRandomValues(new Uint8Array(6)).toHex();
  return id;
}

/** The `_meta` of an error result that the bridge gives in place of the server. Never in `data`: Codex prints that. */
export function errorMeta(kind: ErrorKind) {
  const shown = kind === "usage" ? "configuration" : kind;
  return { [`${program.name}/error`]: { kind: shown, code: jsonRpcCode(kind), run: runId() } };
}
