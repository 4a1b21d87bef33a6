// Start of the bridge against the floor, alternating, and what the idle bridge holds: `sh scripts/bench.sh start-ratio [count]`.
import { openClient } from "./context.ts";
import { startOnce } from "./measures/start.ts";
import { caFile, makeHome, out, root, startServer } from "./parts.ts";
import { loadAverage, memory } from "./process-facts.ts";
import { median } from "./statistics.ts";
import { findSystems, ours } from "./systems.ts";

const count = Number(process.argv[2] ?? 41);
const server = await startServer();
const systems = findSystems({ out, root, home: makeHome(), caFile, ...server });
const pair = [ours, "floor"].map((name) => systems.find((system) => system.name === name)!);
const samples: [number[], number[]] = [[], []];
await Bun.spawn(["sync"]).exited;
for (let i = 0; i < count; i++)
  for (const at of i % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
    samples[at].push((await startOnce(pair[at]!, "json")).initializeMs);
const client = await openClient(pair[0]!, "json");
await Bun.sleep(1000);
const idle = memory(client.pid!);
await client.end();
await server.stop();
const [bridgeMs, floorMs] = samples.map(median) as [number, number];
const fastest = samples.map((all) => Math.min(...all)) as [number, number];
console.log(
  JSON.stringify(
    {
      starts: count,
      load: loadAverage(),
      bridgeMs,
      floorMs,
      ratio: bridgeMs / floorMs,
      ratioOfFastest: fastest[0] / fastest[1],
      idleRssMB: idle.rssMB,
      idlePrivateMB: idle.privateMB,
    },
    null,
    2,
  ),
);
