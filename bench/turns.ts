// Lets systems take turns and makes rows of their samples.
import type { Row } from "./context.ts";
import { median } from "./statistics.ts";
import type { System } from "./systems.ts";

/** The samples of each system, by name, and the reason where one failed. */
export interface Turns<T> {
  readonly samples: ReadonlyMap<string, readonly T[]>;
  readonly notes: Record<string, string>;
}

interface Options {
  readonly rounds: number;
  /** Whether a first round precedes them that does not count. */
  readonly warmsUp?: boolean;
  /** A system whose turn took longer gets no further turn. */
  readonly longestTurnMs?: number;
}

/** The order of a round: each begins with another system, every second one goes backwards, so that no system always follows the same one. */
export function orderOf<T>(systems: readonly T[], round: number): T[] {
  const step = round % 2 === 0 ? 1 : -1;
  return systems.map((_, i) => systems.at((round + step * i) % systems.length)!);
}

/** Lets the systems work in turns. A system that fails has no sample and no further turn; the others go on. */
export async function takeTurns<T>(
  systems: readonly System[],
  { rounds, warmsUp = false, longestTurnMs = Number.POSITIVE_INFINITY }: Options,
  work: (system: System, isWarmUp: boolean) => Promise<T>,
): Promise<Turns<T>> {
  const samples = new Map<string, T[]>(systems.map(({ name }) => [name, []]));
  const notes: Record<string, string> = {};
  const ended = new Set<string>();
  for (let round = 0; round < rounds + Number(warmsUp); round++) {
    for (const system of orderOf(systems, round)) {
      const { name } = system;
      if (ended.has(name)) continue;
      const from = performance.now();
      const isWarmUp = warmsUp && round === 0;
      try {
        const sample = await work(system, isWarmUp);
        if (!isWarmUp) samples.get(name)!.push(sample);
      } catch (error) {
        notes[name] = error instanceof Error ? error.message : String(error);
        samples.set(name, []);
        ended.add(name);
      }
      if (performance.now() - from > longestTurnMs) ended.add(name);
    }
  }
  return { samples, notes };
}

/** Notes faults of a system's samples; the samples stay. */
export function addFaults<T>(
  { samples, notes }: Turns<T>,
  faultOf: (sample: T) => string | undefined,
): void {
  for (const [name, found] of samples) {
    const fault = found.map(faultOf).find((text) => text !== undefined);
    if (fault !== undefined) notes[name] ??= fault;
  }
}

/** A row of the given values. */
export function rowOf(
  id: string,
  title: string,
  unit: string,
  values: Iterable<readonly [string, number | undefined]>,
  notes: Record<string, string> = {},
): Row {
  const known = [...values].map(([name, value]) => [name, value ?? null] as const);
  return { id, title, unit, values: Object.fromEntries(known), notes };
}

/** A row with one figure of all samples: their median, or `middle` of them. */
export function rowOfTurns<T>(
  id: string,
  title: string,
  unit: string,
  { samples, notes }: Turns<T>,
  pick: (sample: T) => number | undefined,
  middle: (values: readonly number[]) => number = median,
): Row {
  const values = [...samples].map(([name, found]) => {
    const picked = found.map(pick).filter((value) => value !== undefined);
    return [name, picked.length === 0 ? undefined : middle(picked)] as const;
  });
  return rowOf(id, title, unit, values, notes);
}
