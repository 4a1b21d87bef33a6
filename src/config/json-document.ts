import type { JSONVisitor, Node, ParseErrorCode } from "jsonc-parser";
import { isReserved, type KeyPath, maxDepth } from "./strict-json.ts";

/** A position in a text; `line` and `column` begin at 1, `offset` counts UTF-16 code units from 0. */
export interface Place {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** The reason why a text is refused, and its position; the message never contains a value from the text. */
export class JsonProblem extends Error {
  readonly place: Place;
  /** The key that is not allowed; undefined for a syntax error. */
  readonly path: KeyPath | undefined;

  constructor(message: string, place: Place, path?: KeyPath) {
    super(message);
    this.place = place;
    this.path = path;
  }
}

/** A parsed JSON text that can locate its values. */
export interface JsonDocument {
  /** The parsed value. Objects have no prototype; for a repeated key the last value wins. */
  readonly value: unknown;
  /** Position of the key or list element at `path`; if it is missing, of the nearest parent. */
  placeOf(path: KeyPath): Place;
}

/** Messages for the syntax errors of jsonc-parser; other errors get "expected a value". */
const messages: Readonly<Record<string, string>> = {
  InvalidSymbol: "expected a value or a key in double quotes",
  PropertyNameExpected: "expected a key in double quotes",
  ColonExpected: 'expected ":" after a key',
  CommaExpected: 'expected ","',
  CloseBraceExpected: 'expected "," or "}"',
  CloseBracketExpected: 'expected "," or "]"',
  EndOfFileExpected: "text after the end",
  InvalidCommentToken: "expected JSON without comments",
  UnexpectedEndOfComment: "a comment without its end",
  UnexpectedEndOfString: "a string without its end",
  UnexpectedEndOfNumber: "a number without its end",
  InvalidUnicode: "a bad \\u escape in a string",
  InvalidEscapeCharacter: "a bad escape in a string",
  InvalidCharacter: "a control character in a string",
};

/** Replaces a byte order mark by a space, which keeps all offsets. */
const withoutMark = (text: string) => text.replace(/^\ufeff/, " ");

function placeAt(text: string, offset: number): Place {
  const lines = text.slice(0, offset).split("\n");
  return { offset, line: lines.length, column: lines.at(-1)!.length + 1 };
}

/** A visitor that throws JsonProblem at the first syntax error, or if nesting is too deep for the parser's stack. */
function checkSyntax(text: string, nameOf: (code: ParseErrorCode) => string): JSONVisitor {
  let depth = 0;
  const fail = (message: string, offset: number): never => {
    throw new JsonProblem(message, placeAt(text, offset));
  };
  const open = (offset: number) => {
    depth++;
    if (depth > maxDepth) fail("nested too deeply", offset);
  };
  const close = () => {
    depth--;
  };
  return {
    onObjectBegin: open,
    onArrayBegin: open,
    onObjectEnd: close,
    onArrayEnd: close,
    onError(code, offset) {
      const isEnd = text.slice(offset).trim() === "";
      fail(isEnd ? "ends early" : (messages[nameOf(code)] ?? "expected a value"), offset);
    },
  };
}

/** Parses JSON with comments and trailing commas (JSONC), as editors and MCP clients write it. Throws JsonProblem. */
export async function readJsonDocument(text: string): Promise<JsonDocument> {
  const { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode, visit } = await import(
    "jsonc-parser"
  );
  const options = { allowTrailingComma: true };
  const plain = withoutMark(text);
  visit(plain, checkSyntax(plain, printParseErrorCode), options);
  const root = parseTree(plain, [], options)!;
  const nodeAt = (path: KeyPath): Node =>
    path.length === 0 ? root : (findNodeAtLocation(root, [...path]) ?? nodeAt(path.slice(0, -1)));
  return {
    value: getNodeValue(root),
    placeOf(path) {
      const node = nodeAt(path);
      const { parent } = node;
      return placeAt(plain, parent?.type === "property" ? parent.offset : node.offset);
    },
  };
}

/** The first reason why `parseStrict` refuses a text, with its position. */
export async function findJsonProblem(text: string): Promise<JsonProblem> {
  const { printParseErrorCode, visit } = await import("jsonc-parser");
  const plain = withoutMark(text);
  const syntax = checkSyntax(plain, printParseErrorCode);
  /** The keys seen in each open object, outermost object first. */
  const open: Set<string>[] = [];
  const visitor: JSONVisitor = {
    ...syntax,
    onObjectBegin(offset, ...rest) {
      syntax.onObjectBegin!(offset, ...rest);
      open.push(new Set());
    },
    onObjectEnd(...place) {
      syntax.onObjectEnd!(...place);
      open.pop();
    },
    onObjectProperty(key, offset, _length, _line, _column, parents) {
      const path = [...parents(), key];
      const seen = open.at(-1)!;
      if (seen.has(key))
        throw new JsonProblem("the key stands twice", placeAt(plain, offset), path);
      seen.add(key);
      if (isReserved(path)) throw new JsonProblem("unknown key", placeAt(plain, offset), path);
    },
  };
  try {
    visit(plain, visitor, { disallowComments: true });
  } catch (error) {
    if (error instanceof JsonProblem) return error;
    throw error;
  }
  return new JsonProblem("expected JSON", placeAt(plain, 0));
}
