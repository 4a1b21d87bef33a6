// Bounded reading of response bodies, and the errors for bodies that are no JSON-RPC message.

import { BridgeError } from "../../wire/errors.ts";
import { type Flaw, Message, messageOf } from "../../wire/message.ts";
import { Scanner } from "../../wire/scan.ts";
import { ScanError } from "../../wire/scan-states.ts";
import { asVersion2, readServerMessage } from "../../wire/server-message.ts";
import { reasonIn } from "../../wire/server-reason.ts";
import { EventParser } from "../../wire/sse.ts";
import { cleanText } from "../../wire/text.ts";
import { errorCodeOf } from "../core/stateless-protocol.ts";
import { BodyBuffer } from "./body-buffer.ts";
import type { BudgetedRead, ReadBudget } from "./read-budget.ts";

/** Most bytes of an error's body that are read. */
const errorBodyBytes = 1024 * 1024;
/** Longest wait for an error's body: its status alone is enough for an error message. */
const errorBodyMs = 2000;
/** Bodies up to this size are read in one piece; larger ones are scanned as they arrive. */
const smallBytes = 1024 * 1024;

/** Gives up a body that is not needed; its errors are ignored. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

const usualTypes = ["application/json", "text/event-stream"];

/** Media type of a response in lower case, without parameters; an unknown one is cleaned and cut to 100 characters. */
export function mediaType(response: Response): string {
  const header = response.headers.get("content-type") ?? "";
  // Nearly every server sends exactly this.
  if (usualTypes.includes(header)) return header;
  const type = header.split(";", 1)[0]!.trim().toLowerCase();
  return usualTypes.includes(type) ? type : cleanText(type, 100);
}

/** How a body is read. */
interface ReadOptions {
  /** Most bytes of the body. */
  readonly limit: number;
  readonly budget: ReadBudget;
  /** Ends the wait for room in the budget. */
  readonly signal: AbortSignal;
  /** Takes the message; undefined for an empty body. The bytes of a large body count in the budget until the promise resolves. */
  readonly take: (message: Message | undefined) => Promise<void>;
}

/** Reads the body's message. Throws `bad-answer` or `too-large`. */
export async function readJson(response: Response, options: ReadOptions): Promise<void> {
  if (!isBrief(response, options.limit)) return readLarge(response, options);
  return options.take(await readBrief(response));
}

/** Whether the announced length allows reading the body in one piece, which is faster. */
export function isBrief(response: Response, limit: number): boolean {
  return announcedBytes(response) <= Math.min(smallBytes, limit);
}

/** The message of a body that is read in one piece; undefined for an empty body. Throws `bad-answer`. */
export function readBrief(response: Response): Promise<Message | undefined> {
  return response.bytes().then(readSmall, (error) => {
    throw readError(error);
  });
}

/** The Content-Length; NaN without one. */
function announcedBytes({ headers }: Response): number {
  return Number(headers.get("content-length") ?? Number.NaN);
}

/** Reads a body that is large or of unknown length. */
async function readLarge(response: Response, options: ReadOptions): Promise<void> {
  const held = options.budget.begin();
  try {
    await options.take(await scanBody(response, options, held));
  } finally {
    held.end();
  }
}

/** The body's message, scanned as the bytes arrive. */
async function scanBody(
  response: Response,
  { limit, signal }: ReadOptions,
  held: BudgetedRead,
): Promise<Message | undefined> {
  const scanner = new Scanner();
  const body = new BodyBuffer(announcedBytes(response), limit);
  try {
    for await (const chunk of chunksOf(response)) {
      scanner.feed(body.add(chunk));
      const room = held.hold(body.length, signal);
      if (room !== undefined) await room;
    }
    if (body.length === 0) return undefined;
    scanner.finish();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ScanError) throw badAnswer(`the answer is not JSON (${error.message})`);
    throw readError(error);
  }
  const bytes = body.bytes();
  const read = messageOf(bytes, scanner.envelope);
  const message = read instanceof Message ? read : asVersion2(bytes);
  if (message === undefined) throw notMessageError((read as Flaw).reason, "");
  return message;
}

function readSmall(raw: Uint8Array): Message | undefined {
  const bytes = withoutByteOrderMark(raw);
  if (bytes.length === 0) return undefined;
  const read = readServerMessage(bytes);
  if (read instanceof Message) return read;
  if (read.flaw !== "parse") throw notMessageError(read.reason, new TextDecoder().decode(bytes));
  // Some servers send an event stream, complete and with its length, under the content type of JSON.
  const found = firstInEvents(bytes);
  if (found === undefined) throw badAnswer(`the answer is not JSON (${read.reason})`);
  return found;
}

/** The error for JSON that is no message, with the server's words in it. */
function notMessageError(reason: string, text: string): BridgeError {
  return badAnswer(`the answer is not JSON-RPC (${reason})${wordsIn(text)}`);
}

/** The error for a body of another type than an answer may have, with the server's words in it. */
export function wrongTypeError(name: string, response: Response, text: string): BridgeError {
  const type = mediaType(response);
  if (type === "text/html") return webPageError(name, response, text);
  return badAnswer(
    text === "" && type === ""
      ? `"${name}" answered ${response.status} without a body`
      : `"${name}" answered with ${type || "no content type"}, not JSON or an event stream${wordsIn(text)}`,
  );
}

/** Text of a page on which a person signs in, or accepts the terms of a network. */
const signInPage = /type=["']?password|\b(?:sign|log)[ -]?(?:in|on)\b|\bsso\b|captive|portal/i;

/** The error for a web page in place of an answer. */
function webPageError(name: string, { status }: Response, text: string): BridgeError {
  const kind = signInPage.test(text) ? "a sign-in page" : "a web page";
  return new BridgeError(
    "bad-answer",
    `${kind} answered in place of "${name}" (${status}, text/html)${wordsIn(text)}`,
    {
      hint: "a sign-in page or a captive portal stands in front of the server, or the path of its URL is wrong: open the URL in a browser to see which",
    },
  );
}

/** The server's reason in a body, as the end of an error message; "" where it gives none. */
function wordsIn(text: string): string {
  const words = cleanText(reasonIn(text), 300);
  return words === "" ? "" : `, and said: ${words}`;
}

/** The error for an answer that breaks the protocol; if `answer` is a JSON-RPC error, the client gets that error. */
export function badAnswer(what: string, answer?: Message): BridgeError {
  return new BridgeError("bad-answer", what, {
    serverError: errorIn(answer),
    hint: "the server's operator can tell more; LOG_LEVEL=debug shows status and sizes",
  });
}

/** Throws for an error response with id null: it must belong to the waiting request. */
export function refuseNameless(response: Message): void {
  if (response.head.isError === true && response.head.id === "null")
    throw badAnswer("the server's error names no request", response);
}

/** The error for a body that cannot be read. Any error but a BridgeError means that the connection broke; Bun's own text is not used, because it quotes the URL. */
function readError(cause: unknown): BridgeError {
  if (cause instanceof BridgeError) return cause;
  return new BridgeError("outcome-unknown", "the connection broke in the middle of the answer", {
    hint: "the server may have executed the call: check before you repeat it",
    cause,
  });
}

/** Chunks of a body, without a byte order mark (RFC 8259 8.1 allows ignoring it). */
async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  let first = true;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    yield first ? withoutByteOrderMark(chunk) : chunk;
    first = false;
  }
}

function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** The first megabyte of an error's body as text, as much as arrives within 2 s. */
export async function readErrorText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  const stop = () => void reader?.cancel().catch(() => undefined);
  const timer = setTimeout(stop, errorBodyMs);
  try {
    while (reader !== undefined && length <= errorBodyBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      length += value.length;
    }
  } catch {
    // The body broke off: the status and what came of the body are enough.
  }
  clearTimeout(timer);
  stop();
  return new TextDecoder().decode(Buffer.concat(pieces).subarray(0, errorBodyBytes));
}

/** The JSON-RPC message that a text holds: alone, as the one element of an array, or in an event stream. */
export function messageIn(text: string): Message | undefined {
  const read = readServerMessage(new TextEncoder().encode(text));
  if (read instanceof Message) return read.head.kind === "batch" ? onlyElement(read) : read;
  return firstInEvents(new TextEncoder().encode(text));
}

/** The first response in a whole event stream, else its first message; undefined where the bytes are none. */
function firstInEvents(bytes: Uint8Array): Message | undefined {
  const start = Buffer.from(bytes.subarray(0, 6)).toString("latin1");
  if (!/^(?:data|event|id|retry)?:/.test(start)) return undefined;
  const parser = new EventParser(Number.POSITIVE_INFINITY);
  const end = new TextEncoder().encode("\n\n");
  const messages = [...parser.feed(bytes), ...parser.feed(end)]
    .map(({ data }) => data && readServerMessage(data))
    .filter((read) => read instanceof Message);
  // A report of progress may stand before the response.
  return messages.find(({ head }) => head.kind === "response") ?? messages[0];
}

function onlyElement(batch: Message): Message {
  const [only, ...others] = batch.elements();
  return only instanceof Message && others.length === 0 ? only : batch;
}

/** The `error` member of a JSON-RPC error response, as JSON text; undefined for any other message. */
export function errorIn(response: Message | undefined): string | undefined {
  if (response === undefined || errorCodeOf(response) === undefined) return undefined;
  return response.text(["error"]);
}
