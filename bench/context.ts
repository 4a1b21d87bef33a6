// What every measure takes and returns.
import type { System } from "./systems.ts";

/** How much is measured. `quick` only proves that everything runs; its figures mean nothing. */
export interface Amounts {
  readonly starts: number;
  /** Calls made before latency or throughput is measured, so that both sides are compiled. */
  readonly warmUpCalls: number;
  readonly latencyRounds: number;
  readonly callsPerRound: number;
  readonly slowCalls: number;
  readonly throughputRounds: number;
  readonly throughputCalls: number;
  readonly memoryRounds: number;
  /** Calls after which resident memory is read. */
  readonly memoryAfter: readonly number[];
  readonly floodRounds: number;
  readonly notifications: number;
  readonly resultMB: readonly number[];
  readonly requestMB: readonly number[];
  readonly largeRounds: number;
}

/** What the server saw of one system at one endpoint. */
export interface Tally {
  readonly requests: number;
  /** Different sockets that brought requests; counted at the endpoint `sockets` only. */
  readonly sockets: number;
  /** Sessions that the server opened, and how many of them a DELETE ended. */
  readonly sessions: number;
  readonly ended: number;
}

export interface Context {
  /** The direct client first. */
  readonly systems: readonly System[];
  readonly amounts: Amounts;
  /** By path. */
  readonly tallies: () => Promise<Readonly<Record<string, Tally>>>;
  readonly say: (text: string) => void;
}

/** One row of the result: a figure of each system; null where a system cannot do it. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly values: Record<string, number | null>;
  /** How a system failed, by its name; it may have a value all the same. */
  readonly notes: Record<string, string>;
}
