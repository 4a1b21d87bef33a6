import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Exchange } from "./exchange.ts";
import type { Program } from "./program.ts";
import type { Responder } from "./server.ts";
import { type Ending, type Problem, Trip, type TripOptions } from "./trip.ts";

/** A fault, and the required outcome of the call that it hits. */
export interface Scenario extends TripOptions {
  /** Describes the fault, or how the bridge handles it. */
  readonly name: string;
  /** The response of the server in place of a right one; absent: `play` does everything. */
  readonly fault?: (exchange: Exchange) => unknown;
  /** The requests that it hits; absent: the call under test. */
  readonly on?: (exchange: Exchange) => boolean;
  /** How many of them; absent: all. */
  readonly strikes?: number;
  readonly tool?: "write" | "read" | "repeat";
  readonly answer?: Ending;
  /** Executions of the call under test. */
  readonly executed?: number | readonly [number, number];
  /** Complete arrivals of it; absent: as many as executions. */
  readonly arrived?: number | readonly [number, number];
  readonly withinMs?: number;
  /** Largest growth of peak memory, in bytes. */
  readonly growthMB?: number;
  readonly exit?: number | readonly number[];
  /** The scenario plays in a second start, with the cache and catalog of the first. */
  readonly isRemembered?: boolean;
  /** Replaces the standard steps: connect, the call under test, a next call. */
  readonly play?: (trip: Trip) => Promise<void>;
}

/** The key of the call under test. */
export const struck = "struck";

/** Plays a restart of the server between two calls. */
export async function restartBetweenCalls(trip: Trip): Promise<void> {
  await trip.connect();
  trip.server.stop();
  trip.server.start();
  await trip.ends(trip.call(struck), "result");
  trip.times(struck, 1);
  await trip.next();
}

/** Applies the responder to matching requests, so many times. */
function strike(scenario: Scenario): Responder {
  let left = scenario.strikes ?? Number.POSITIVE_INFINITY;
  const on = scenario.on ?? ((exchange: Exchange) => exchange.key === struck);
  return (exchange) => {
    if (left <= 0 || !on(exchange)) return false;
    left -= 1;
    void scenario.fault?.(exchange);
    return true;
  };
}

async function playStandard(trip: Trip, scenario: Scenario): Promise<void> {
  await trip.connect();
  trip.server.respond = strike(scenario);
  const id = trip.call(struck, scenario.tool);
  await trip.ends(id, scenario.answer ?? "result", "answer", scenario.withinMs);
  trip.times(struck, scenario.executed ?? 1);
  trip.arrivals(struck, scenario.arrived ?? scenario.executed ?? 1);
  if (scenario.growthMB !== undefined) await trip.growth(scenario.growthMB);
  await trip.next();
}

/** Concurrent bridges: with more, deadlines depend on the load. */
const seats = 4;
let seated = 0;
const queue: (() => void)[] = [];

/** Plays one scenario through a bridge; returns the broken promises. */
export async function playScenario(program: Program, scenario: Scenario): Promise<Problem[]> {
  while (seated >= seats) await new Promise<void>((resolve) => queue.push(resolve));
  seated += 1;
  const home = mkdtempSync(join(tmpdir(), "bridge-fault-"));
  try {
    const trip = new Trip(program, home, scenario);
    try {
      if (scenario.isRemembered === true) {
        await trip.connect();
        await trip.restart();
        trip.server.requests.length = 0;
      }
      await (scenario.play?.(trip) ?? playStandard(trip, scenario));
    } finally {
      await trip.finish(scenario.exit);
    }
    if (trip.problems.length > 0 && process.env.FAULT_LOG !== undefined)
      console.error(`${scenario.name}\n${trip.client.stderr}`);
    return trip.problems;
  } finally {
    rmSync(home, { recursive: true, force: true });
    seated -= 1;
    queue.shift()?.();
  }
}
