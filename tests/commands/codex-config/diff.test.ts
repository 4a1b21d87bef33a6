import { expect, test } from "bun:test";
import fc from "fast-check";
import { unifiedDiff, visibleDiff } from "../../../src/commands/codex-config/diff.ts";

const abandon = (text: string) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** Applies a diff as patch(1) does, reading only what the format says. */
function patched(before: string, diff: string): string {
  const lines = abandon(before);
  const result: string[] = [];
  let at = 0;
  const rows = diff.split("\n").slice(2, -1);
  for (let row = 0; row < rows.length; row++) {
    const [sign, rest] = [rows[row]![0], rows[row]!.slice(1)];
    const isOpen = rows[row + 1]?.startsWith("\\") === true;
    const line = isOpen ? rest : `${rest}\n`;
    if (sign === "@") {
      const [, start, count = "1"] = /^@@ -(\d+)(?:,(\d+))?/.exec(rows[row]!)!;
      const to = count === "0" ? Number(start) : Number(start) - 1;
      while (at < to) result.push(lines[at++]!);
    } else if (sign === "-") {
      expect(lines[at++]).toBe(line);
    } else if (sign === "+") {
      result.push(line);
    }
  }
  return result.concat(lines.slice(at)).join("");
}

test("a diff applied to the old text gives the new one", () => {
  const text = fc
    .tuple(fc.array(fc.constantFrom("a", "b", "", "[x]"), { maxLength: 12 }), fc.boolean())
    .map(([lines, isEnded]) => lines.join("\n") + (isEnded && lines.length > 0 ? "\n" : ""));
  fc.assert(
    fc.property(text, text, (before, after) => {
      expect(patched(before, unifiedDiff("x", before, after))).toBe(after);
    }),
    { numRuns: 2000 },
  );
});

test("a diff shows the changed lines and none of their neighbours", () => {
  expect(unifiedDiff("f", "secret\na\nb\n", "secret\na\nc\nb")).toBe(
    `--- f
+++ f
@@ -3 +3,2 @@
-b
+c
+b
\\ No newline at end of file
`,
  );
  expect(unifiedDiff("f", "same\n", "same\n")).toBe("");
});

test("texts that are too long for the comparison are shown as one change", () => {
  const many = (word: string) => `${word}\n`.repeat(2001);
  const before = `x\n${many("a")}y\n`;
  const after = `z\n${many("b")}w\n`;
  expect(patched(before, unifiedDiff("f", before, after))).toBe(after);
});

test("a diff for a terminal shows what a line could hide", () => {
  const diff = unifiedDiff("f", '\t"a": 1\n', '\t"a\u009b31m\u202e\u001b[2J": 1\n');
  expect(visibleDiff(diff)).toContain('-\t"a": 1\n+\t"a\\u{9b}31m\\u{202e}\\u{1b}[2J": 1\n');
});
