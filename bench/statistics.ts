/** The value below which the share `q` of the samples lies (nearest rank). */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** The middle sample. */
export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** Median distance of the quantile `q` of a round from that of all rounds; smaller differences are noise. */
export function noise(rounds: readonly (readonly number[])[], q: number): number {
  const all = quantile(rounds.flat(), q);
  return median(rounds.map((round) => Math.abs(quantile(round, q) - all)));
}
