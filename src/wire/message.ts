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
  splice,
} from "./spans.ts";

/** The JSON-RPC members that the bridge needs of every message. */
export interface Head {
  readonly kind: "request" | "notification" | "response" | "batch";
  /** JSON text of the id: a string or a number, or `null` in an error response. */
  readonly id?: string;
  readonly method?: string;
  /** Whether a response holds `error`. */
  readonly isError?: boolean;
}

/** Why a text is not a JSON-RPC message. */
export interface Flaw {
  /** `parse`: not JSON (-32700). `invalid`: JSON, but no JSON-RPC message (-32600). */
  readonly flaw: "parse" | "invalid";
  readonly reason: string;
  /** JSON text of the id, if the text has a valid id. */
  readonly id?: string;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Up to this size, reading one value parses the whole message. */
const smallBytes = 64 * 1024;

/** One JSON-RPC message or batch: its bytes as received, and its head. */
export class Message {
  /** Valid JSON, valid UTF-8, on one line. */
  readonly bytes: Uint8Array;
  readonly head: Head;

  /** Spans of the outermost members; undefined for a message that the bridge built. */
  readonly #envelope: Envelope | undefined;
  /** Spans of the members of large `params`; filled when first needed. */
  #params: ReadonlyMap<string | undefined, Span> | undefined;

  constructor(bytes: Uint8Array, head: Head, envelope?: Envelope) {
    this.bytes = bytes;
    this.head = head;
    this.#envelope = envelope;
  }

  /** Whether the bridge built this message, so that no part of it is text of a peer that was read as a message. */
  get isOwn(): boolean {
    return this.#envelope === undefined;
  }

  /** `params.name` or `params.uri`: the tool, prompt or resource that a request names. */
  get name(): string | undefined {
    for (const key of ["name", "uri"]) {
      const value = this.value(["params", key]);
      if (typeof value === "string") return value;
    }
    return undefined;
  }

  /** The span of the value at `path`; undefined if the path does not exist. */
  view(path: Path): Span | undefined {
    const [first, ...rest] = path;
    const name = typeof first === "string" ? envelopeName(first) : undefined;
    if (this.#envelope === undefined || name === undefined) return find(this.bytes, path);
    const member = this.#envelope[name];
    const [second, ...deeper] = rest;
    if (member === undefined || name !== "params" || typeof second !== "string" || !this.#isLarge)
      return member && find(this.bytes, rest, member);
    // Callers read several members one after another: walk over large params only once.
    this.#params ??= new Map([...children(this.bytes, member)].map((each) => [each.key, each]));
    const parameter = this.#params.get(second);
    return parameter && find(this.bytes, deeper, parameter);
  }

  get #isLarge(): boolean {
    return this.bytes.length > smallBytes;
  }

  /** The JSON text of the value at `path`; undefined if the path does not exist. */
  text(path: Path): string | undefined {
    const span = this.view(path);
    return span && textAt(this.bytes, span.start, span.end);
  }

  /** The parsed value at `path`. Never forward it: numbers above 2^53 lose digits. */
  value(path: Path): unknown {
    // For small messages JSON.parse is faster than a walk in JavaScript that is not compiled yet.
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

  /** Applies edits in their order; all other bytes stay unchanged. */
  with(edits: readonly Edit[]): Message {
    return parseMessage(edits.reduce(edit, this.bytes));
  }

  /**
   * Replaces the value at `span`, inside `params` or `result`, by a JSON text. Cheaper than `with`, since nothing is read
   * again: a shorter text is followed by spaces, so that every other byte keeps its place.
   */
  replaced({ start, end }: Span, raw: Uint8Array): Message {
    if (raw.length > end - start)
      return new Message(splice(this.bytes, start, end, decoder.decode(raw)), this.head);
    // slice() of a Buffer would be a view of the same memory.
    const bytes = new Uint8Array(this.bytes);
    bytes.set(raw, start);
    bytes.fill(0x20, start + raw.length, end);
    return new Message(bytes, this.head, this.#envelope);
  }

  /** Replaces (JSON text) or removes (null) elements of the array at `path`, by their index. */
  withElements(path: Path, changes: ReadonlyMap<number, string | null>): Message {
    const span = this.view(path);
    if (span === undefined || changes.size === 0) return this;
    return parseMessage(editElements(this.bytes, span, changes));
  }

  /** JSON texts of the ids of the requests in this message or batch. */
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

/** Messages up to this size are validated by JSON.parse; for larger ones the parsed objects cost too much memory. */
const nativeBytes = 1024 * 1024;
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether the bytes are valid UTF-8 and JSON. For invalid bytes the scanner finds the reason. */
function isValid(bytes: Uint8Array): boolean {
  try {
    JSON.parse(strictDecoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Builds the message from valid JSON and its envelope. Changes `bytes`: line breaks become spaces. */
export function messageOf(bytes: Uint8Array, envelope: Envelope): Message | Flaw {
  for (const code of [0x0a, 0x0d])
    for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1)) bytes[at] = 0x20;
  if (envelope.first === 0x5b) return new Message(bytes, { kind: "batch" });
  envelope.id = withText(envelope.id, bytes);
  envelope.method = withText(envelope.method, bytes);
  const head = headOf(envelope);
  return "flaw" in head ? head : new Message(bytes, head, envelope);
}

/** Completes a member with the text of a scalar that was too long to be captured. */
function withText(member: Member | undefined, bytes: Uint8Array): Member | undefined {
  if (member === undefined || member.text !== undefined) return member;
  const first = bytes[member.start];
  if (first === 0x7b || first === 0x5b) return member;
  return { ...member, text: decoder.decode(bytes.subarray(member.start, member.end)) };
}

/** Determines the kind of a message from its members (JSON-RPC 2.0, sections 4 and 5). */
export function headOf(envelope: Envelope): Head | Flaw {
  const { first, jsonrpc, id, method, repeated } = envelope;
  const invalid = (reason: string): Flaw => ({ flaw: "invalid", reason });
  if (first !== 0x7b) return invalid("a message is an object");
  if (repeated !== undefined) return invalid(`"${repeated}" is repeated`);
  if (id !== undefined && (id.text === undefined || !isIdText(id.text)))
    return invalid("an id is a string or a number");
  const flawed = (reason: string): Flaw =>
    id?.text === undefined ? invalid(reason) : { ...invalid(reason), id: id.text };
  if (jsonrpc?.text !== '"2.0"') return flawed('"jsonrpc" is not "2.0"');
  if (method !== undefined) return requestHead(method, id, flawed);
  if (id === undefined) return flawed('"method" and "id" are missing');
  const isError = envelope.error !== undefined;
  if (isError === (envelope.result !== undefined))
    return flawed('a response holds "result" or "error"');
  return { kind: "response", id: id.text!, isError };
}

/** Whether a JSON text is a string, a number or null. */
function isIdText(text: string): boolean {
  const c = text.charCodeAt(0);
  return c === 0x22 || c === 0x2d || isDigit(c) || text === "null";
}

function requestHead(method: Member, id: Member | undefined, flawed: (reason: string) => Flaw) {
  if (method.text?.startsWith('"') !== true) return flawed('"method" is not a string');
  const { text } = method;
  const name: string = text.includes("\\") ? JSON.parse(text) : text.slice(1, -1);
  if (id === undefined) return { kind: "notification", method: name } as const;
  if (id.text === "null") return flawed("the id of a request is null");
  return { kind: "request", id: id.text!, method: name } as const;
}

/** Reads one message of a server. Throws `bad-answer` with the reason if the bytes are no JSON-RPC message. */
export function parseMessage(bytes: Uint8Array): Message {
  const read = readMessage(bytes);
  if (read instanceof Message) return read;
  throw new BridgeError(
    "bad-answer",
    `the server sent an invalid JSON-RPC message (${read.reason})`,
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

/** Map key of an id: equal for ids of equal value, such as `1` and `1.0`. Numbers that a double cannot hold keep their text. */
export function idKey(id: string): string {
  if (id.startsWith('"')) return id.includes("\\") ? JSON.stringify(JSON.parse(id)) : id;
  const value = String(Number(id));
  return value !== id && /^-?(0|[1-9]\d*)$/.test(id) ? id : value;
}

/** Whether a message is the response to one of the requests with these ids. */
export function isAnswerTo(requestIds: readonly string[], { head }: Message): boolean {
  return head.kind === "response" && requestIds.some((id) => isSameId(id, head.id!));
}

/** Whether a response id equals a request id, even if the peer parsed a number as a double and serialized it again. */
export function isSameId(requestId: string, responseId: string): boolean {
  if (requestId === responseId) return true;
  if (requestId.startsWith('"') !== responseId.startsWith('"')) return false;
  if (requestId.startsWith('"')) return idKey(requestId) === idKey(responseId);
  // Ids beyond the range of a double would all become Infinity, and so equal.
  return Number.isFinite(Number(requestId)) && Number(requestId) === Number(responseId);
}
