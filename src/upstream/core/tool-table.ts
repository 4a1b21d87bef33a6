import type { Span } from "../../wire/envelope.ts";
import type { Message } from "../../wire/message.ts";
import { children, find } from "../../wire/spans.ts";
import { annotation, type MirroredArgument, mirroredArguments } from "./header-annotations.ts";

/** Facts about one tool from the server's tools/list. */
export interface ToolFacts {
  /** `readOnlyHint` or `idempotentHint` is true (MCP 2025-03-26 server/tools, annotations). */
  readonly isRepeatable: boolean;
  /** Arguments that a stateless request repeats in its headers; a string says why the tool is invalid in the stateless protocol. */
  readonly mirrored: readonly MirroredArgument[] | string;
}

/** A tool that a client must drop in the stateless protocol. */
interface InvalidTool {
  /** Index in `result.tools`. */
  readonly index: number;
  readonly name: string;
  readonly reason: string;
}

/** Pages are parsed lazily until they hold more bytes than this together, so that a start parses none. */
const unreadBytes = 256 * 1024;
/** A longer list leaves the table empty, and a tool with a longer name is left out: this bounds memory. */
const maxTools = 10_000;
const maxNameLength = 256;

const decoder = new TextDecoder();

/** The tools that one server listed in this run, unfiltered. ToolListObserver feeds it right above the transport. */
export class ToolTable {
  #unread: Message[] = [];
  #unreadBytes = 0;
  readonly #facts = new Map<string, ToolFacts>();
  /** Number of tools read from the current list. */
  #count = 0;
  #isOutdated = false;
  #hasRepeatable = false;

  /** Records a response to tools/list. A response to initialize empties the table: a new session has listed nothing. */
  learn(request: Message, response: Message): void {
    if (response.head.kind !== "response" || response.head.isError === true) return;
    const isStart = request.head.method === "initialize";
    // A request without a cursor asks for the first page: the list begins again.
    if (isStart || request.view(["params", "cursor"]) === undefined) this.#clear();
    if (isStart) return;
    this.#unread.push(response);
    this.#unreadBytes += response.bytes.length;
    if (this.#unreadBytes > unreadBytes) this.#readAll();
  }

  /** Records that the server announced a changed list: until it is fetched, no tool counts as repeatable. */
  outdate(): void {
    this.#isOutdated = true;
  }

  /** Whether the server's current list marks the tool of this tools/call as safe to execute twice. */
  isRepeatable(call: Message): boolean {
    this.#readAll();
    // Most servers mark no tool; then the call's name need not be parsed.
    if (!this.#hasRepeatable || this.#isOutdated) return false;
    const { name } = call;
    return name !== undefined && this.#facts.get(name)?.isRepeatable === true;
  }

  /** The facts of a tool; undefined if it was never listed. */
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

/** The tools of a tools/list response that a client must drop in the stateless protocol (MCP 2026-07-28 basic/transports/streamable-http, custom headers). */
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

/** Whether a schema on the page may hold a header annotation. If the keyword is absent, plain and escaped, no schema is walked. */
function mayMirror({ bytes }: Message): boolean {
  const page = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return page.includes(annotation) || page.includes("\\u");
}

interface Tool {
  readonly name?: unknown;
  readonly inputSchema?: unknown;
  readonly annotations?: { readonly readOnlyHint?: unknown; readonly idempotentHint?: unknown };
}

/** Reads a small page: JSON.parse is fastest there. */
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

/** Reads a large page: only names, hints and annotated schemas are parsed into values. */
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
      // One character takes at most six bytes in JSON (\uXXXX).
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
