// Messages of servers, which break JSON-RPC 2.0 in form now and then.
import { type Flaw, Message, readMessage } from "./message.ts";
import { type Edit, edit, envelopeOf } from "./spans.ts";

/** Reads one message of a server; a response that JSON-RPC 1.0 allows becomes one of JSON-RPC 2.0. Changes `bytes` as readMessage does. */
export function readServerMessage(bytes: Uint8Array): Message | Flaw {
  const read = readMessage(bytes);
  if (read instanceof Message || read.flaw === "parse") return read;
  return asVersion2(bytes) ?? read;
}

/**
 * The response in valid JSON that breaks JSON-RPC 2.0 (section 5) in form alone: it lacks `"jsonrpc": "2.0"`, or holds
 * a null `error` beside its result, or the reverse. Undefined for any other text.
 */
export function asVersion2(bytes: Uint8Array): Message | undefined {
  const { first, jsonrpc, id, method, result, error, repeated } = envelopeOf(bytes);
  const isResponse = first === 0x7b && id !== undefined && method === undefined;
  if (!isResponse || repeated !== undefined) return undefined;
  const edits: Edit[] = [];
  if (jsonrpc?.text !== '"2.0"') edits.push({ path: ["jsonrpc"], raw: '"2.0"' });
  const isSuccess = result !== undefined && (error === undefined || error.text === "null");
  if (isSuccess && error !== undefined) edits.push({ path: ["error"], raw: null });
  if (!isSuccess) {
    // An error that is no object is some other format than JSON-RPC.
    if (error === undefined || bytes[error.start] !== 0x7b) return undefined;
    if (result !== undefined && result.text !== "null") return undefined;
    if (result !== undefined) edits.push({ path: ["result"], raw: null });
  }
  const read = readMessage(edits.reduce(edit, bytes));
  return read instanceof Message ? read : undefined;
}
