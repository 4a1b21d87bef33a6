// The difference between the tools that a person approved and the tools that the server lists now, as text for a terminal.
import type { ApprovedTool } from "../../upstream/tools/approvals.ts";
import { children, outermost } from "../../wire/spans.ts";
import { nameWithCodePoints, withCodePoints } from "../../wire/text.ts";

/** A tool that the server lists. */
export interface CurrentTool {
  readonly name: string;
  readonly hash: string;
  /** Canonical JSON of what is approved. */
  readonly text: string;
}

/** One tool that differs from its approval. */
export interface ToolChange {
  readonly name: string;
  readonly before: ApprovedTool | undefined;
  readonly now: CurrentTool | undefined;
}

/** The tools that are new, changed or gone, by name. */
export function changesOf(
  approved: ReadonlyMap<string, ApprovedTool>,
  current: ReadonlyMap<string, CurrentTool>,
): ToolChange[] {
  const names = [...new Set([...approved.keys(), ...current.keys()])].sort();
  return names
    .map((name) => ({ name, before: approved.get(name), now: current.get(name) }))
    .filter(({ before, now }) => before?.hash !== now?.hash);
}

/** Digest of a difference; 32 hex digits. */
export function digestOf(origin: string, changes: readonly ToolChange[]): string {
  const hashes = changes.map(({ name, before, now }) => [name, before?.hash, now?.hash]);
  const text = JSON.stringify([origin, hashes]);
  return Bun.CryptoHasher.hash("sha256", text, "hex").slice(0, 32);
}

/** The lines that show a difference. Every character that could hide something is shown as a code point. */
export function differenceLines(changes: readonly ToolChange[]): string[] {
  return changes.flatMap(({ name, before, now }) => {
    const shown = nameWithCodePoints(name);
    if (now === undefined) return [`gone: ${shown}`];
    if (before === undefined)
      return [`new: ${shown}`, ...linesOf(now.text).map((line) => `  + ${line}`)];
    if (before.text === undefined)
      return [
        `changed: ${shown} (only the hash of the approved tool is known; the tool as it is now:)`,
        ...linesOf(now.text).map((line) => `  + ${line}`),
      ];
    return [`changed: ${shown}`, ...lineDifference(linesOf(before.text), linesOf(now.text))];
  });
}

/** The lines of both texts that the other has not; each removed line before the added line of its path. */
function lineDifference(before: readonly string[], now: readonly string[]): string[] {
  const pathOf = (line: string) => line.slice(0, line.indexOf(": "));
  const removed = before.filter((line) => !now.includes(line)).map((line) => ["-", line] as const);
  const added = now.filter((line) => !before.includes(line)).map((line) => ["+", line] as const);
  return [...removed, ...added]
    .map(([mark, line], at) => ({ mark, line, path: pathOf(line), at }))
    .sort((a, b) => (a.path === b.path ? a.at - b.at : a.path < b.path ? -1 : 1))
    .map(({ mark, line }) => `  ${mark} ${line}`);
}

const decoder = new TextDecoder();

/** A tool as one line for each value, `path: value`; the name, which stands above, is left out. */
function linesOf(text: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const lines: string[] = [];
  const visit = (span: { start: number; end: number }, path: string) => {
    const first = bytes[span.start];
    const items = [...children(bytes, span)];
    if (items.length === 0) {
      const raw = decoder.decode(bytes.subarray(span.start, span.end));
      const isProse = first === 0x22 && /(?:^|\.)(?:description|title)$/i.test(path);
      const parts: string[] = isProse ? JSON.parse(raw).split("\n") : [raw];
      for (const [at, part] of parts.entries())
        lines.push(`${path}${at === 0 ? "" : ` (line ${at + 1})`}: ${withCodePoints(part)}`);
      return;
    }
    for (const [index, item] of items.entries()) {
      const step = item.key === undefined ? `[${index}]` : keyStep(item.key, path === "");
      visit(item, `${path}${step}`);
    }
  };
  for (const member of children(bytes, outermost(bytes)))
    if (member.key !== "name") visit(member, keyStep(member.key!, true));
  return lines;
}

/** A key as a step of a path; quoted unless it is a word, so that no key can look like a path of another one. */
function keyStep(key: string, isFirst: boolean): string {
  const word = /^[A-Za-z0-9_$-]+$/.test(key) ? key : nameWithCodePoints(JSON.stringify(key));
  return isFirst ? word : `.${word}`;
}
