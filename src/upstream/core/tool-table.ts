import type { Span } from "../../wire/envelope.ts";
import type { Message } from "../../wire/message.ts";
import { children, find } from "../../wire/spans.ts";
import { annotation, type MirroredArgument, mirroredArguments } from "./header-annotations.ts";

/** What a server's list says of one tool. */
export interface ToolFacts {
  /** `readOnlyHint` or `idempotentHint` is true (MCP 2025-03-26 server/tools, annotations). */
  readonly isRepeatable: boolean;
  /** Arguments that a stateless request repeats in its headers; a text says why the tool may not be offered there. */
  readonly mirrored: readonly MirroredArgument[] | string;
}

/** A tool that may not be offered by the stateless protocol. */
interface InvalidTool {
  /** Its place in `result.tools`. */
  readonly index: number;
  readonly name: string;
  readonly reason: string;
}

/** Pages stay unread up to this many bytes in all: no start has to read one. */
const unreadBytes = 256 * 1024;
/** The table of a longer list stays empty, and a longer name is left out: memory is bounded whatever a server sends. */
const maxTools = 10_000;
const maxNameLength = 256;

const decoder = new TextDecoder();

/** The tools of one server as it listed them in this run, unfiltered: fed where answers leave the transport (`ToolFeed`), read by whoever needs a tool's facts. */
export class ToolTable {
  #unread: Message[] = [];
  #unreadBytes = 0;
  readonly #facts = new Map<string, ToolFacts>();
  /** Tools read of the present list. */
  #count = 0;
  #isOutdated = false;
  #hasRepeatable = false;

  /** Notes a response to tools/list; one to initialize begins a session that has listed nothing. */
  learn(request: Message, response: Message): void {
    if (response.head.kind !== "response" || response.head.isError === true) return;
    const isStart = request.head.method === "initialize";
    // A page without a cursor begins the list anew.
    if (isStart || request.view(["params", "cursor"]) === undefined) this.#clear();
    if (isStart) return;
    this.#unread.push(response);
    this.#unreadBytes += response.bytes.length;
    if (this.#unreadBytes > unreadBytes) this.#readAll();
  }

  /** Notes that the server announced another list: until it is fetched, no tool counts as repeatable. */
  outdate(): void {
    this.#isOutdated = true;
  }

  /** Whether executing this tools/call twice does no harm, by the server's own word in its present list. */
  isRepeatable(call: Message): boolean {
    this.#readAll();
    // Most calls go to servers that mark no tool: their names need not be read.
    if (!this.#hasRepeatable || this.#isOutdated) return false;
    const { name } = call;
    return name !== undefined && this.#facts.get(name)?.isRepeatable === true;
  }

  /** Undefined where the tool was never listed. */
  factsOf(name: string): ToolFacts | undefined {
    this.#readAll();
    return this.#facts.get(name);
  }

  #clear(): void {
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#facts.clear();
    this.#count = 0;
    this.#isOutdated = false;
    this.#hasRepeatable = false;
  }

  #readAll(): void {
    for (const page of this.#unread.splice(0))
      for (const { name, ...facts } of toolsOn(page)) {
        if (++this.#count > maxTools) this.#facts.clear();
        else if (typeof name === "string" && name.length <= maxNameLength) this.#note(name, facts);
      }
    this.#unreadBytes = 0;
  }

  #note(name: string, facts: ToolFacts): void {
    this.#facts.set(name, facts);
    this.#hasRepeatable ||= facts.isRepeatable;
  }
}

/** The tools of a response to tools/list that a client of the stateless protocol may not be offered (MCP 2026-07-28 basic/transports/streamable-http, custom headers). */
export function invalidTools(response: Message): InvalidTool[] {
  if (!mayMirror(response)) return [];
  return [...toolsOn(response)].flatMap(({ name, mirrored }, index) =>
    typeof name === "string" && typeof mirrored === "string"
      ? [{ index, name, reason: mirrored }]
      : [],
  );
}

interface ListedTool extends ToolFacts {
  readonly name: unknown;
}

function toolsOn(page: Message): Iterable<ListedTool> {
  const schemaOf = mayMirror(page) ? mirroredArguments : () => [];
  return page.bytes.length > unreadBytes ? scanned(page, schemaOf) : parsed(page, schemaOf);
}

/** Whether any schema on the page may hold a header annotation: without its name, plain or escaped, none is walked. */
function mayMirror({ bytes }: Message): boolean {
  const page = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return page.includes(annotation) || page.includes("\\u");
}

interface Tool {
  readonly name?: unknown;
  readonly inputSchema?: unknown;
  readonly annotations?: { readonly readOnlyHint?: unknown; readonly idempotentHint?: unknown };
}

/** The native parser is fastest where the list is small. */
function* parsed(page: Message, schemaOf: typeof mirroredArguments): Generator<ListedTool> {
  const tools = page.value(["result", "tools"]);
  if (!Array.isArray(tools)) return;
  for (const tool of tools as (Tool | null)[]) {
    const { readOnlyHint, idempotentHint } = tool?.annotations ?? {};
    yield {
      name: tool?.name,
      isRepeatable: readOnlyHint === true || idempotentHint === true,
      mirrored: schemaOf(tool?.inputSchema),
    };
  }
}

/** Of a large list only names, hints and annotated schemas become values. */
function* scanned(page: Message, schemaOf: typeof mirroredArguments): Generator<ListedTool> {
  const { bytes } = page;
  const tools = page.view(["result", "tools"]);
  if (tools === undefined || bytes[tools.start] !== 0x5b) return;
  const mirrors = schemaOf === mirroredArguments;
  for (const tool of children(bytes, tools)) {
    const holds = (hint: string) => isTrue(bytes, find(bytes, ["annotations", hint], tool));
    const name = find(bytes, ["name"], tool);
    const schema = mirrors ? find(bytes, ["inputSchema"], tool) : undefined;
    yield {
      // A character takes six bytes at most.
      name:
        name && name.end - name.start <= 6 * maxNameLength + 2 ? valueAt(bytes, name) : undefined,
      isRepeatable: holds("readOnlyHint") || holds("idempotentHint"),
      mirrored: schemaOf(schema && valueAt(bytes, schema)),
    };
  }
}

function isTrue(bytes: Uint8Array, span: Span | undefined): boolean {
  return span !== undefined && bytes[span.start] === 0x74;
}

function valueAt(bytes: Uint8Array, { start, end }: Span): unknown {
  return JSON.parse(decoder.decode(bytes.subarray(start, end)));
}
