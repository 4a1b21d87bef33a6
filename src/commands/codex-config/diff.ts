import { type Format, readValue } from "../../config/clients/document.ts";
import { findEntries } from "../../config/clients/entries.ts";
import { secretsIn } from "../../config/clients/entry-secrets.ts";
import type { Redactor } from "../../platform/redact.ts";
import { withCodePoints } from "../../wire/text.ts";

/** Maximum cells of the table of lengths. In longer texts, every line between the first and the last change counts as changed. */
const maxCells = 4_000_000;

/** Lengths of longest common subsequences: `table[i][j]` compares the lines of `a` from i on with the lines of `b` from j on. */
function commonLengths(a: readonly string[], b: readonly string[]): Uint32Array[] {
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  if (a.length * b.length > maxCells) return table;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i]![j] =
        a[i] === b[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
    }
  }
  return table;
}

const linesOf = (text: string) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

function shown(sign: "-" | "+", lines: readonly string[]): string {
  return lines
    .map((line) => sign + (line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`))
    .join("");
}

/** The line range in a hunk header; an empty range names the line before it (POSIX diff). */
function lineRange(at: number, count: number): string {
  const start = count === 0 ? at : at + 1;
  return count === 1 ? `${start}` : `${start},${count}`;
}

/** A unified diff, empty for equal texts. It has no context lines, because they belong to other entries and may hold secrets. */
export function unifiedDiff(path: string, before: string, after: string): string {
  if (before === after) return "";
  const a = linesOf(before);
  const b = linesOf(after);
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  const most = Math.min(a.length, b.length) - head;
  while (tail < most && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const middleA = a.slice(head, a.length - tail);
  const middleB = b.slice(head, b.length - tail);
  const lengths = commonLengths(middleA, middleB);
  let text = `--- ${path}\n+++ ${path}\n`;
  for (let i = 0, j = 0; i < middleA.length || j < middleB.length; ) {
    if (i < middleA.length && j < middleB.length && middleA[i] === middleB[j]) {
      i++;
      j++;
      continue;
    }
    const [fromI, fromJ] = [i, j];
    while (i < middleA.length || j < middleB.length) {
      if (i < middleA.length && j < middleB.length && middleA[i] === middleB[j]) break;
      if (i < middleA.length && (j >= middleB.length || lengths[i + 1]![j]! >= lengths[i]![j + 1]!))
        i++;
      else j++;
    }
    text += `@@ -${lineRange(head + fromI, i - fromI)} +${lineRange(head + fromJ, j - fromJ)} @@\n`;
    text += shown("-", middleA.slice(fromI, i)) + shown("+", middleB.slice(fromJ, j));
  }
  return text;
}

/** The unified diff of a client's file, without the secrets of the entries in it. Throws `configuration` if the text before is malformed. */
export async function entriesDiff(
  path: string,
  {
    before,
    after,
    format,
  }: { readonly before: string; readonly after: string; readonly format: Format },
  redactor: Redactor,
): Promise<string> {
  const diff = unifiedDiff(path, before, after);
  if (diff === "") return "";
  const entries = findEntries(await readValue(before, format, path));
  const secrets = new Set(entries.flatMap(({ value }) => secretsIn(value)));
  for (const secret of secrets) {
    const isShown = diff.includes(secret) || diff.includes(JSON.stringify(secret).slice(1, -1));
    if (isShown) redactor.add(secret);
  }
  return redactor.redact(diff);
}

/** A diff as a terminal may show it: the file may come with a repository, so what could hide something is shown as code points. */
export function visibleDiff(diff: string): string {
  return diff.replace(/[^\n\t]+/g, withCodePoints);
}
