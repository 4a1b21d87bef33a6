/** Suggestions for a mistyped word: up to three names that begin with the word, else the name at the smallest edit distance. */
export function nearest(word: string, names: readonly string[]): string[] {
  const lower = word.toLowerCase();
  const withPrefix = names.filter((name) => name.toLowerCase().startsWith(lower));
  if (withPrefix.length > 0 && lower.length > 1) return withPrefix.slice(0, 3);
  const limit = Math.max(1, Math.floor(word.length / 3));
  const [best] = names
    .map((name) => ({ name, edits: editDistance(lower, name.toLowerCase()) }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits);
  return best === undefined ? [] : [best.name];
}

/** Edit distance of two words (optimal string alignment). */
function editDistance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    const above = rows[row - 1]!;
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution = from[row - 1] === to[column - 1] ? 0 : 1;
      let least = Math.min(
        current[column - 1]! + 1,
        above[column]! + 1,
        above[column - 1]! + substitution,
      );
      if (from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        least = Math.min(least, (rows[row - 2]?.[column - 2] ?? Number.POSITIVE_INFINITY) + 1);
      current.push(least);
    }
    rows.push(current);
  }
  return rows[from.length]![to.length]!;
}
