import { type Envelope, envelopeName, type Member, type Span, textAt } from "./envelope.ts";
import { BridgeError } from "./errors.ts";
import { Scanner } from "./scan.ts";
import { isDigit, ScanError } from "./scan-states.ts";
import {
  children,
  type Edit,
  edit,
  editElements,
  envelopeOf,
  find,
  outermost,
  type Path,
} from "./spans.ts";

/** The JSON-RPC members that the bridge needs of every message. */
export interface Head {
  readonly kind: "request" | "notification" | "response" | "batch";
  /** The id as written: JSON text of a string or number (or `null`, in an error response). */
  readonly id?: string;
  readonly method?: string;
  /** Whether a response holds `error`. */
  readonly isError?: boolean;
}

/** Why a text is not a JSON-RPC message. */
export interface Flaw {
  /** `parse`: not JSON (-32700). `invalid`: JSON, but no message (-32600). */
  readonly flaw: "parse" | "invalid";
  readonly reason: string;
  /** The id as written, if the text has a valid one. */
  readonly id?: string;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Messages up to this size are parsed as a whole when one value is asked for. */
const smallBytes = 64 * 1024;

/** One JSON-RPC message or batch: the bytes as received, and its head. */
export class Message {
  /** Valid JSON, valid UTF-8, on one line. */
  readonly bytes: Uint8Array;
  readonly head: Head;

  /** Places of the outermost members; undefined for a message of our own. */
  readonly #envelope: Envelope | undefined;
  /** Places of the members of large `params`, filled at the first question. */
  #params: ReadonlyMap<string | undefined, Span> | undefined;

  constructor(bytes: Uint8Array, head: Head, envelope?: Envelope) {
    this.bytes = bytes;
    this.head = head;
    this.#envelope = envelope;
  }

  /** `params.name` or `params.uri`: the tool, prompt or resource that a request names. */
  get name(): string | undefined {
    for (const key of ["name", "uri"]) {
      const value = this.value(["params", key]);
      if (typeof value === "string") return value;
    }
    return undefined;
  }

  /** The place of the value at `path`; undefined if there is none. */
  view(path: Path): Span | undefined {
    const [first, ...rest] = path;
    const name = typeof first === "string" ? envelopeName(first) : undefined;
    if (this.#envelope === undefined || name === undefined) return find(this.bytes, path);
    const member = this.#envelope[name];
    const [second, ...deeper] = rest;
    if (member === undefined || name !== "params" || typeof second !== "string" || !this.#isLarge)
      return member && find(this.bytes, rest, member);
    // Several members are asked for one after another: walk over large arguments only once.
    this.#params ??= new Map([...children(this.bytes, member)].map((each) => [each.key, each]));
    const parameter = this.#params.get(second);
    return parameter && find(this.bytes, deeper, parameter);
  }

  get #isLarge(): boolean {
    return this.bytes.length > smallBytes;
  }

  /** The JSON text of the value at `path`. */
  text(path: Path): string | undefined {
    const span = this.view(path);
    return span && textAt(this.bytes, span.start, span.end);
  }

  /** The value at `path`, parsed; numbers above 2^53 lose digits here, so never forward it. */
  value(path: Path): unknown {
    // For small messages the native parser is faster than a walk in code that is still interpreted.
    if (this.#isLarge) {
      const text = this.text(path);
      return text === undefined ? undefined : JSON.parse(text);
    }
    let value: unknown = JSON.parse(decoder.decode(this.bytes));
    for (const step of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, step))
        return undefined;
      value = (value as Record<string | number, unknown>)[step];
    }
    return value;
  }

  /** Applies edits in their order; all other bytes stay as they are. */
  with(edits: readonly Edit[]): Message {
    return parseMessage(edits.reduce(edit, this.bytes));
  }

  /** Replaces (JSON text) or removes (null) elements of the array at `path`, by their index. */
  withElements(path: Path, changes: ReadonlyMap<number, string | null>): Message {
    const span = this.view(path);
    if (span === undefined || changes.size === 0) return this;
    return parseMessage(editElements(this.bytes, span, changes));
  }

  /** Ids of the requests in this message or batch, as written. */
  requestIds(): string[] {
    const { kind, id } = this.head;
    if (kind !== "batch") return kind === "request" ? [id!] : [];
    return this.elements().flatMap((part) =>
      part instanceof Message && part.head.kind === "request" ? [part.head.id!] : [],
    );
  }

  /** The messages of a batch in their order; a Flaw for each element that is no message. */
  elements(): (Message | Flaw)[] {
    return [...children(this.bytes, outermost(this.bytes))].map(({ start, end }) =>
      readMessage(this.bytes.subarray(start, end)),
    );
  }
}

/** Reads one message. Changes `bytes`: line breaks, which JSON allows between tokens only, become spaces. */
export function readMessage(bytes: Uint8Array): Message | Flaw {
  if (bytes.length <= nativeBytes && isValid(bytes)) return messageOf(bytes, envelopeOf(bytes));
  const scanner = new Scanner();
  try {
    scanner.feed(bytes);
    scanner.finish();
  } catch (error) {
    if (error instanceof ScanError) return { flaw: "parse", reason: error.message };
    throw error;
  }
  return messageOf(bytes, scanner.envelope);
}

/** Messages up to this size are checked by JSON.parse; beyond it the objects that it makes cost too much memory. */
const nativeBytes = 1024 * 1024;
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether the bytes are valid UTF-8 and JSON. If not, the scanner finds the reason. */
function isValid(bytes: Uint8Array): boolean {
  try {
    JSON.parse(strictDecoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Makes the message of valid JSON and its envelope. */
export function messageOf(bytes: Uint8Array, envelope: Envelope): Message | Flaw {
  for (const code of [0x0a, 0x0d])
    for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1)) bytes[at] = 0x20;
  if (envelope.first === 0x5b) return new Message(bytes, { kind: "batch" });
  envelope.id = withText(envelope.id, bytes);
  envelope.method = withText(envelope.method, bytes);
  const head = headOf(envelope);
  return "flaw" in head ? head : new Message(bytes, head, envelope);
}

/** Adds the text of a scalar that was too long for the envelope. */
function withText(member: Member | undefined, bytes: Uint8Array): Member | undefined {
  if (member === undefined || member.text !== undefined) return member;
  const first = bytes[member.start];
  if (first === 0x7b || first === 0x5b) return member;
  return { ...member, text: decoder.decode(bytes.subarray(member.start, member.end)) };
}

/** Tells the kind of a message from its members (JSON-RPC 2.0, sections 4 and 5). */
export function headOf(envelope: Envelope): Head | Flaw {
  const { first, jsonrpc, id, method, repeated } = envelope;
  const invalid = (reason: string): Flaw => ({ flaw: "invalid", reason });
  if (first !== 0x7b) return invalid("a message is an object");
  if (repeated !== undefined) return invalid(`"${repeated}" stands twice`);
  if (id !== undefined && (id.text === undefined || !isIdText(id.text)))
    return invalid("an id is a string or a number");
  const flawed = (reason: string): Flaw =>
    id?.text === undefined ? invalid(reason) : { ...invalid(reason), id: id.text };
  if (jsonrpc?.text !== '"2.0"') return flawed('"jsonrpc" is not "2.0"');
  if (method !== undefined) return requestHead(method, id, flawed);
  if (id === undefined) return flawed('neither "method" nor "id" is there');
  const isError = envelope.error !== undefined;
  if (isError === (envelope.result !== undefined))
    return flawed('a response holds "result" or "error"');
  return { kind: "response", id: id.text!, isError };
}

/** Whether the JSON text of a scalar is a string, a number or null. */
function isIdText(text: string): boolean {
  const c = text.charCodeAt(0);
  return c === 0x22 || c === 0x2d || isDigit(c) || text === "null";
}

function requestHead(method: Member, id: Member | undefined, flawed: (reason: string) => Flaw) {
  if (method.text?.startsWith('"') !== true) return flawed('"method" is not a string');
  const name = JSON.parse(method.text) as string;
  if (id === undefined) return { kind: "notification", method: name } as const;
  if (id.text === "null") return flawed("the id of a request is null");
  return { kind: "request", id: id.text!, method: name } as const;
}

/** Reads one message of a server. Throws `bad-answer` with the reason if it is none. */
export function parseMessage(bytes: Uint8Array): Message {
  const read = readMessage(bytes);
  if (read instanceof Message) return read;
  throw new BridgeError(
    "bad-answer",
    `the server sent something else than JSON-RPC (${read.reason})`,
  );
}

function build(head: Head, text: string): Message {
  return new Message(encoder.encode(text), head);
}

/** Builds a request; `id` and `params` are JSON text. */
export function requestOf(id: string, method: string, params?: string): Message {
  const rest = params === undefined ? "" : `,"params":${params}`;
  const text = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${rest}}`;
  return build({ kind: "request", id, method }, text);
}

/** Builds a notification; `params` is JSON text. */
export function notificationOf(method: string, params?: string): Message {
  const rest = params === undefined ? "" : `,"params":${params}`;
  return build(
    { kind: "notification", method },
    `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${rest}}`,
  );
}

/** Builds the response to request `id`; both are JSON text. */
export function responseTo(id: string, result: string): Message {
  const text = `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
  return build({ kind: "response", id, isError: false }, text);
}

/** Builds the error response to request `id` (JSON text, `null` if unknown); an error given as JSON text is sent unchanged. */
export function errorTo(
  id: string,
  error: string | { code: number; message: string; data?: unknown },
): Message {
  const raw = typeof error === "string" ? error : JSON.stringify(error);
  const text = `{"jsonrpc":"2.0","id":${id},"error":${raw}}`;
  return build({ kind: "response", id, isError: true }, text);
}

/** Map key of an id: equal for ids with the same meaning, such as `1` and `1.0`. Inexact numbers keep their text. */
export function idKey(id: string): string {
  if (id.startsWith('"')) return id.includes("\\") ? JSON.stringify(JSON.parse(id)) : id;
  const value = String(Number(id));
  return value !== id && /^-?(0|[1-9]\d*)$/.test(id) ? id : value;
}

/** Whether a message is the response to one of the requests with these ids. */
export function isAnswerTo(asked: readonly string[], { head }: Message): boolean {
  return head.kind === "response" && asked.some((id) => isSameId(id, head.id!));
}

/** Whether `answered` is the id `asked`, even if the peer parsed a number as a double and wrote it anew. */
export function isSameId(asked: string, answered: string): boolean {
  if (asked === answered) return true;
  if (asked.startsWith('"') !== answered.startsWith('"')) return false;
  if (asked.startsWith('"')) return idKey(asked) === idKey(answered);
  // Ids beyond the range of a double would all become Infinity, and equal.
  return Number.isFinite(Number(asked)) && Number(asked) === Number(answered);
}
