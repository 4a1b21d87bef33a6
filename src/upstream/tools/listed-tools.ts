// The tools of a tools/list response, as far as rules need them.
import { canonicalMembers } from "../../wire/canonical-json.ts";
import { foldText } from "../../wire/glob.ts";
import type { Message } from "../../wire/message.ts";
import { children, outermost } from "../../wire/spans.ts";
import { onlyMember, onlyString } from "./named-tool.ts";

/** The members of a tool that a person approves. */
const approvedMembers: readonly string[] = [
  "name",
  "title",
  "description",
  "inputSchema",
  "outputSchema",
  "annotations",
].map(foldText);

/** Where the tools stand in a response. */
export const toolsPath = ["result", "tools"];

/** One entry of a list. */
interface ListedTool {
  /** Undefined if the entry names no tool, or could name two. */
  readonly name: string | undefined;
  /** Whether the server marks it `readOnlyHint: true`, once and without doubt. */
  readonly isReadOnly: boolean;
  /** Canonical JSON of what a person approves; undefined if it is nested too deeply. */
  approvedText(): string | undefined;
}

/** The entries on a page of a list, in their order; undefined if the response holds no list, or one that can be read in two ways. */
export function listedTools({ bytes }: Message): ListedTool[] | undefined {
  const result = onlyMember(bytes, outermost(bytes), "result");
  const list = result && onlyMember(bytes, result, "tools");
  if (list === undefined || bytes[list.start] !== 0x5b) return undefined;
  return [...children(bytes, list)].map((tool) => {
    const annotations = onlyMember(bytes, tool, "annotations");
    const hint = annotations && onlyMember(bytes, annotations, "readOnlyHint");
    return {
      name: onlyString(bytes, tool, "name"),
      isReadOnly: hint !== undefined && bytes[hint.start] === 0x74,
      // A lenient client reads a key in other letters, too.
      approvedText: () =>
        canonicalMembers(bytes, tool, (key) => approvedMembers.includes(foldText(key))),
    };
  });
}

/** The facts about all entries of one name. */
export interface ToolFacts {
  readonly isReadOnly: boolean;
  /** SHA-256 of what a person approves; "" if it differs between entries, or is nested too deeply. */
  readonly hash: string;
}

export const hashOf = (text: string) => Bun.CryptoHasher.hash("sha256", text, "hex");

/**
 * The facts about the tools on a page, by name. `isHashed`: whether the hashes are needed; `earlier`: the facts of the
 * pages before, since a tool may be listed again on another page.
 */
export function factsOf(
  tools: readonly ListedTool[],
  isHashed: boolean,
  earlier: ReadonlyMap<string, ToolFacts> = new Map(),
): Map<string, ToolFacts> {
  const facts = new Map<string, ToolFacts>();
  for (const { name, isReadOnly, approvedText } of tools) {
    if (name === undefined) continue;
    const text = isHashed ? approvedText() : undefined;
    const hash = text === undefined ? "" : hashOf(text);
    const twin = facts.get(name) ?? earlier.get(name);
    facts.set(name, {
      isReadOnly: isReadOnly && twin?.isReadOnly !== false,
      hash: twin === undefined || twin.hash === hash ? hash : "",
    });
  }
  return facts;
}
