// A combined run of eight servers beside a run of one: start to tools/list, private memory of each further server, round
// trips, in turns: `sh scripts/bench.sh combined-ratio [rounds]`.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { call, listTools, shakeHands } from "./calls.ts";
import { type Client, StdioClient } from "./client.ts";
import { pathOf } from "./endpoints.ts";
import { startOnce } from "./measures/start.ts";
import { makeHome, places, startServer } from "./parts.ts";
import { loadAverage, residentMemory } from "./process-facts.ts";
import { median, quantile } from "./statistics.ts";
import { takeTurns } from "./turns.ts";

const rounds = Number(process.argv[2] ?? 5);
const startsInRound = 9;
const callsInBlock = 200;
const warmUpBlocks = 10;
const blocks = 20;
const others = 7;
const server = await startServer();
const home = makeHome();

/** A system with `count` servers; a combined run puts a server's name before its tools. */
function systemOf(name: string, count: number, words: readonly string[]) {
  const folder = join(home, name);
  mkdirSync(folder, { mode: 0o700 });
  const file = join(folder, "config.json");
  const urlOf = (n: number) => `http://127.0.0.1:${server.port}${pathOf(`${name}${n}`, "json")}`;
  const servers = Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`s${n}`, { url: urlOf(n), auth: { type: "none" } }]),
  );
  writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  const command = [places.bridge, "run", ...words, "--config-path", file];
  // As the entry starts it that `codex-config` writes.
  const env = { PATH: process.env.PATH ?? "", HOME: home, BUN_JSC_useFTLJIT: "0" };
  const open = () => new StdioClient(command, env);
  return { name, version: "", isStartOnly: false, open };
}

const one = systemOf("one", 1, ["--server", "s0"]);
const eight = systemOf("eight", 1 + others, ["--all"]);
const toolOf = (name: string) => (name === one.name ? "echo" : "s0__echo");

/** The round trips of `calls` calls, in microseconds. */
async function roundTrips(client: Client, tool: string, calls: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < calls; n++) {
    const sentAt = performance.now();
    const answer = await call(client, tool);
    if (!answer.head.includes('"text":"pong"')) throw new Error(`not an answer: ${answer.head}`);
    times.push((answer.at - sentAt) * 1000);
  }
  return times;
}

interface Warm {
  readonly privateMB: number;
  readonly us: number;
}

/** Both runs at once, which take turns in blocks of calls: the machine is as fast for the one as for the other. */
async function warmRound(): Promise<readonly Warm[]> {
  const systems = [one, eight];
  const clients = systems.map((system) => system.open());
  const memory: number[] = [];
  for (const client of clients) {
    await shakeHands(client);
    // A combined run must know the names, and which calls may be repeated: so shall the run of one.
    await listTools(client);
    // The background work of a start is done.
    await Bun.sleep(1000);
    memory.push((await residentMemory(client.pid!)).privateMB);
  }
  const times = systems.map((): number[] => []);
  for (let block = 0; block < warmUpBlocks + blocks; block++)
    for (const at of block % 2 === 0 ? [0, 1] : [1, 0]) {
      const found = await roundTrips(clients[at]!, toolOf(systems[at]!.name), callsInBlock);
      if (block >= warmUpBlocks) times[at]!.push(...found);
    }
  for (const client of clients) await client.end();
  return systems.map((_, at) => ({ privateMB: memory[at]!, us: quantile(times[at]!, 0.5) }));
}

const starts = await takeTurns(
  [one, eight],
  { rounds: rounds * startsInRound, warmsUp: true },
  (system) => startOnce(system, "json"),
);
const warm: (readonly Warm[])[] = [];
for (let round = 0; round < rounds; round++) warm.push(await warmRound());
await server.stop();

const startMs = ({ name }: typeof one) =>
  median(starts.samples.get(name)!.map(({ toolsMs }) => toolsMs));
const of = (key: keyof Warm, system: typeof one) =>
  warm.map((round) => round[[one, eight].indexOf(system)]![key]);
const roundRatios = of("us", eight).map((us, round) => us / of("us", one)[round]!);
const figures = {
  rounds,
  load: loadAverage(),
  toolsMs: { one: startMs(one), eight: startMs(eight), ratio: startMs(eight) / startMs(one) },
  privateMB: {
    one: median(of("privateMB", one)),
    eight: median(of("privateMB", eight)),
    eachFurther: (median(of("privateMB", eight)) - median(of("privateMB", one))) / others,
  },
  roundTripUs: {
    one: median(of("us", one)),
    eight: median(of("us", eight)),
    ratio: median(roundRatios),
    ratios: roundRatios,
  },
  notes: starts.notes,
};
console.log(JSON.stringify(figures, null, 2));
