/** Names that a mistyped word may mean, best first: those that begin with it, else the one at the smallest edit distance. */
export function nearest(word: string, names: readonly string[]): string[] {
  const lower = word.toLowerCase();
  const begun = names.filter((name) => name.toLowerCase().startsWith(lower));
  if (begun.length > 0 && lower.length > 1) return begun.slice(0, 3);
  const limit = Math.max(1, Math.floor(word.length / 3));
  const [best] = names
    .map((name) => ({ name, far: distance(lower, name.toLowerCase()) }))
    .filter(({ far }) => far <= limit)
    .sort((a, b) => a.far - b.far);
  return best === undefined ? [] : [best.name];
}

/** Edit distance of two words (optimal string alignment). */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    const above = rows[row - 1]!;
    const here = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1] ? 0 : 1;
      let least = Math.min(here[column - 1]! + 1, above[column]! + 1, above[column - 1]! + same);
      if (from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        least = Math.min(least, (rows[row - 2]?.[column - 2] ?? Number.POSITIVE_INFINITY) + 1);
      here.push(least);
    }
    rows.push(here);
  }
  return rows[from.length]![to.length]!;
}
