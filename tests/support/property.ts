import { basename } from "node:path";

/** Parameters of a file's properties: 1,000 runs (or PROPERTY_RUNS), from a seed that is printed (or PROPERTY_SEED). */
export function runsOf(file: string): { readonly numRuns: number; readonly seed: number } {
  const numRuns = Number(process.env.PROPERTY_RUNS ?? 1000);
  const seed = Number(process.env.PROPERTY_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.info(`${basename(file)}: PROPERTY_SEED=${seed}`);
  return { numRuns, seed };
}
