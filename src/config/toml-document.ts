import type { AST } from "toml-eslint-parser";
import { BridgeError } from "../wire/errors.ts";

/** A key and value of one server's entry; `path` is relative to the table of the server. */
export interface Pair {
  readonly path: readonly string[];
  readonly node: AST.TOMLKeyValue;
}

/** The syntax nodes of one server's entry. */
export interface Located {
  readonly pairs: Pair[];
  /** Tables `[mcp_servers.NAME]` and their subtables. */
  readonly tables: AST.TOMLTable[];
  /** The entry as an inline table: `NAME = { ... }`. */
  inline?: { readonly pair: AST.TOMLKeyValue; readonly table: AST.TOMLInlineTable };
}

/** Codex's configuration, parsed, with the syntax nodes of its servers. */
export interface Document {
  readonly text: string;
  /** The parsed value, with numbers and dates as JavaScript values. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly servers: ReadonlyMap<string, Located>;
  /** The inline table of `mcp_servers = { ... }`, if the file has one. */
  readonly inlineServers: AST.TOMLInlineTable | undefined;
  /** Every table with a header `[...]`, in the order of the file. */
  readonly headers: readonly AST.TOMLTable[];
  readonly comments: readonly AST.Comment[];
}

const serversTable = "mcp_servers";

function refuse(message: string, hint: string, cause?: unknown): BridgeError {
  return new BridgeError("configuration", message, { hint, cause });
}

function keysOf(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === "TOMLBare" ? part.name : part.value));
}

class Finder {
  readonly servers = new Map<string, Located>();
  inlineServers: AST.TOMLInlineTable | undefined;

  #entryOf(name: string): Located {
    const found = this.servers.get(name);
    if (found !== undefined) return found;
    const made: Located = { pairs: [], tables: [] };
    this.servers.set(name, made);
    return made;
  }

  addTable(node: AST.TOMLTable): void {
    const path = keysOf(node.key);
    const name = path[1];
    if (path[0] !== serversTable) return;
    if (node.kind === "array" && path.length <= 2) throw notATable(path.join("."));
    if (name !== undefined) this.#entryOf(name).tables.push(node);
    for (const pair of node.body) this.addPair(path, pair);
  }

  addPair(base: readonly string[], node: AST.TOMLKeyValue): void {
    const path = [...base, ...keysOf(node.key)];
    const name = path[1];
    if (path[0] !== serversTable) return;
    if (name !== undefined && path.length > 2) {
      this.#entryOf(name).pairs.push({ path: path.slice(2), node });
      return;
    }
    const table = node.value;
    if (table.type !== "TOMLInlineTable") throw notATable(path.join("."));
    if (name !== undefined) {
      this.#entryOf(name).inline = { pair: node, table };
      for (const inner of table.body) this.addPair(path, inner);
      return;
    }
    this.inlineServers = table;
    for (const inner of table.body) this.addPair(path, inner);
  }
}

function notATable(path: string): BridgeError {
  return refuse(`config.toml: ${path} is not a table`, `write it as [${serversTable}.NAME]`);
}

/** Reads the text of Codex's configuration. Throws `configuration`. */
export async function readDocument(text: string): Promise<Document> {
  const { getStaticTOMLValue, parseTOML } = await import("toml-eslint-parser");
  let program: AST.TOMLProgram;
  try {
    // Codex accepts a byte order mark, toml-eslint-parser does not; replacing it by a space keeps all offsets.
    program = parseTOML(text.replace(/^\ufeff/, " "), { tomlVersion: "1.1" });
  } catch (error) {
    const { lineNumber, message } = error as { lineNumber?: number; message: string };
    const hint = "correct that line: Codex refuses the file, too";
    throw refuse(`config.toml, line ${lineNumber ?? "?"}: ${message}`, hint, error);
  }
  const finder = new Finder();
  const headers: AST.TOMLTable[] = [];
  for (const node of program.body[0].body) {
    if (node.type === "TOMLKeyValue") finder.addPair([], node);
    else {
      headers.push(node);
      finder.addTable(node);
    }
  }
  const { servers, inlineServers } = finder;
  const { comments } = program;
  return { text, value: getStaticTOMLValue(program), servers, inlineServers, headers, comments };
}

/** The parsed entry of a server; undefined if the file has no such entry. */
export function serverValue(document: Document, name: string): Record<string, unknown> | undefined {
  const servers = document.value[serversTable] as Record<string, unknown> | undefined;
  if (servers === undefined || !Object.hasOwn(servers, name)) return undefined;
  return servers[name] as Record<string, unknown>;
}
