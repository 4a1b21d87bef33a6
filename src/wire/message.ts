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

/** What was read from a message without touching its bytes. */
export interface Head {
  readonly kind: "request" | "notification" | "response" | "batch";
  /** The id as written: JSON text of a string or number (or `null`, in an error response). */
  readonly id?: string;
  readonly method?: string;
  /** Whether a response holds `error`. */
  readonly isError?: boolean;
}

/** Text that is not a JSON-RPC message. */
export interface Flaw {
  /** `parse`: not JSON (-32700). `invalid`: JSON, but no message (-32600). */
  readonly flaw: "parse" | "invalid";
  readonly reason: string;
  /** The id as written, where one can be trusted. */
  readonly id?: string;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Up to this many bytes a message is parsed whole to read a value of it. */
const smallBytes = 64 * 1024;

/** One JSON-RPC message (or a batch of them): its bytes as they came, and what was read from them. */
export class Message {
  /** Valid JSON, valid UTF-8, on one line. */
  readonly bytes: Uint8Array;
  readonly head: Head;

  /** Where its own members stand, as far as that is known. */
  readonly #envelope: Envelope | undefined;
  /** Where those of large `params` stand, once one was asked for. */
  #params: ReadonlyMap<string | undefined, Span> | undefined;

  constructor(bytes: Uint8Array, head: Head, envelope?: Envelope) {
    this.bytes = bytes;
    this.head = head;
    this.#envelope = envelope;
  }

  /** `params.name` or `params.uri`: what a call, prompt or read is about. */
  get name(): string | undefined {
    for (const key of ["name", "uri"]) {
      const value = this.value(["params", key]);
      if (typeof value === "string") return value;
    }
    return undefined;
  }

  /** Where the value at `path` stands. */
  view(path: Path): Span | undefined {
    const [first, ...rest] = path;
    const name = typeof first === "string" ? envelopeName(first) : undefined;
    if (this.#envelope === undefined || name === undefined) return find(this.bytes, path);
    const member = this.#envelope[name];
    const [second, ...deeper] = rest;
    if (member === undefined || name !== "params" || typeof second !== "string" || !this.#isLarge)
      return member && find(this.bytes, rest, member);
    // Name, progress token and more are asked for, one by one: one walk over large arguments is enough.
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
    // Small messages: the native parser beats a walk in code that has not run before.
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

  /** The message with edits made in their order; every byte they do not touch stays. */
  with(edits: readonly Edit[]): Message {
    return parseMessage(edits.reduce(edit, this.bytes));
  }

  /** The message with changes to the array at `path` by index: JSON text takes an element's place, null takes it out. */
  withElements(path: Path, changes: ReadonlyMap<number, string | null>): Message {
    const span = this.view(path);
    if (span === undefined || changes.size === 0) return this;
    return parseMessage(editElements(this.bytes, span, changes));
  }

  /** Ids, as written, of the requests in it: its own, or those of a batch. */
  requestIds(): string[] {
    const { kind, id } = this.head;
    if (kind !== "batch") return kind === "request" ? [id!] : [];
    return this.elements().flatMap((part) =>
      part instanceof Message && part.head.kind === "request" ? [part.head.id!] : [],
    );
  }

  /** The messages of a batch, in order; flaws where an element is none. */
  elements(): (Message | Flaw)[] {
    return [...children(this.bytes, outermost(this.bytes))].map(({ start, end }) =>
      readMessage(this.bytes.subarray(start, end)),
    );
  }
}

/** Reads one message. Line breaks between tokens become spaces, in place: they cannot stand inside a JSON string. */
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

/** Up to this the native parser judges: the scanner needs thousands of bytes before it is as fast. */
const nativeBytes = 1024 * 1024;
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether the bytes are JSON in UTF-8; what is wrong with them otherwise, the scanner tells. */
function isValid(bytes: Uint8Array): boolean {
  try {
    JSON.parse(strictDecoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** The message in the valid JSON `bytes`, of which `envelope` was noted. */
export function messageOf(bytes: Uint8Array, envelope: Envelope): Message | Flaw {
  for (const code of [0x0a, 0x0d])
    for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1)) bytes[at] = 0x20;
  if (envelope.first === 0x5b) return new Message(bytes, { kind: "batch" });
  envelope.id = withText(envelope.id, bytes);
  envelope.method = withText(envelope.method, bytes);
  const head = headOf(envelope);
  return "flaw" in head ? head : new Message(bytes, head, envelope);
}

/** A member with its text, however long that is: the bytes are here, other than where a line is too long to be held. */
function withText(member: Member | undefined, bytes: Uint8Array): Member | undefined {
  if (member === undefined || member.text !== undefined) return member;
  const first = bytes[member.start];
  if (first === 0x7b || first === 0x5b) return member;
  return { ...member, text: decoder.decode(bytes.subarray(member.start, member.end)) };
}

/** What the members of the outermost object say about the message (JSON-RPC 2.0, 4 and 5). */
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

/** Whether the JSON text of a scalar is that of a string, a number or null. */
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

/** Reads one message; throws BridgeError `bad-answer` with the reason where it is none. */
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

/** A request of our own; `id` and `params` are JSON text. */
export function requestOf(id: string, method: string, params?: string): Message {
  const rest = params === undefined ? "" : `,"params":${params}`;
  const text = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}${rest}}`;
  return build({ kind: "request", id, method }, text);
}

/** A notification of our own; `params` is JSON text. */
export function notificationOf(method: string, params?: string): Message {
  const rest = params === undefined ? "" : `,"params":${params}`;
  return build(
    { kind: "notification", method },
    `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${rest}}`,
  );
}

/** The response to request `id`; both are JSON text. */
export function responseTo(id: string, result: string): Message {
  const text = `{"jsonrpc":"2.0","id":${id},"result":${result}}`;
  return build({ kind: "response", id, isError: false }, text);
}

/** The error response to request `id` (JSON text, `null` where unknown); an error in JSON text stays as it is. */
export function errorTo(
  id: string,
  error: string | { code: number; message: string; data?: unknown },
): Message {
  const raw = typeof error === "string" ? error : JSON.stringify(error);
  const text = `{"jsonrpc":"2.0","id":${id},"error":${raw}}`;
  return build({ kind: "response", id, isError: true }, text);
}

/** A key under which ids that mean the same meet: strings by their characters, numbers by their value where it is exact. */
export function idKey(id: string): string {
  if (id.startsWith('"')) return id.includes("\\") ? JSON.stringify(JSON.parse(id)) : id;
  const value = String(Number(id));
  return value !== id && /^-?(0|[1-9]\d*)$/.test(id) ? id : value;
}

/** Whether `said` answers one of the requests with these ids. */
export function isAnswerTo(asked: readonly string[], { head }: Message): boolean {
  return head.kind === "response" && asked.some((id) => isSameId(id, head.id!));
}

/** Whether `answered` is the id `asked`, also as a peer writes it back that holds numbers as doubles. */
export function isSameId(asked: string, answered: string): boolean {
  if (asked === answered) return true;
  if (asked.startsWith('"') !== answered.startsWith('"')) return false;
  if (asked.startsWith('"')) return idKey(asked) === idKey(answered);
  // Beyond what a double holds, different ids would be equal.
  return Number.isFinite(Number(asked)) && Number(asked) === Number(answered);
}
