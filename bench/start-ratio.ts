// Start time and idle memory of the bridge beside the floor, in turns: `sh scripts/bench.sh start-ratio [count]`.
import { withClient } from "./calls.ts";
import { startOnce } from "./measures/start.ts";
import { makeHome, places, startServer } from "./parts.ts";
import { loadAverage, residentMemory } from "./process-facts.ts";
import { median } from "./statistics.ts";
import { findSystems, forgetful, ours } from "./systems.ts";
import { takeTurns } from "./turns.ts";

const count = Number(process.argv[2] ?? 41);
const server = await startServer();
const systems = findSystems({ ...places, home: makeHome(), ...server });
const compared = systems.filter(({ name }) => [ours, forgetful, "floor"].includes(name));
const { samples, notes } = await takeTurns(
  compared,
  { rounds: count, warmsUp: true },
  async (system) => (await startOnce(system, "json")).initializeMs,
);
const idle = (name: string) =>
  withClient(compared.find((system) => system.name === name)!, "json", async ({ pid }) => {
    await Bun.sleep(1000);
    return residentMemory(pid!);
  });
const [idleBridge, idleFloor] = [await idle(ours), await idle("floor")];
await server.stop();

const [bridge, first, floor] = [ours, forgetful, "floor"].map((name) => samples.get(name)!) as [
  readonly number[],
  readonly number[],
  readonly number[],
];
const figures = {
  starts: count,
  load: loadAverage(),
  bridgeMs: median(bridge),
  firstStartMs: median(first),
  floorMs: median(floor),
  ratio: median(bridge) / median(floor),
  ratioOfFirstStart: median(first) / median(floor),
  ratioOfFastest: Math.min(...bridge) / Math.min(...floor),
  idleRssMB: idleBridge.rssMB,
  idlePrivateMB: idleBridge.privateMB,
  idleRssOfFloorMB: idleFloor.rssMB,
  idlePrivateOfFloorMB: idleFloor.privateMB,
  notes,
};
console.log(JSON.stringify(figures, null, 2));
