// Round trip at 50,000 calls a minute with each form of audit beside none, in turns: `sh scripts/bench.sh audit-ratio [rounds]`.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { callMany, ping, shakeHands } from "./calls.ts";
import { StdioClient } from "./client.ts";
import { pathOf } from "./endpoints.ts";
import { makeHome, places, startServer } from "./parts.ts";
import { loadAverage } from "./process-facts.ts";
import { median, quantile } from "./statistics.ts";
import { takeTurns } from "./turns.ts";

const rounds = Number(process.argv[2] ?? 5);
const callsPerMinute = 50_000;
const calls = 2500;
const server = await startServer();
const home = makeHome();
const modes = ["off", "none", "hash", "full"];
const systems = modes.map((mode) => {
  const url = `http://127.0.0.1:${server.port}${pathOf(mode, "json")}`;
  const audit = mode === "off" ? {} : { audit: { file: "audit.jsonl", arguments: mode } };
  const folder = join(home, mode);
  mkdirSync(folder, { mode: 0o700 });
  const file = join(folder, "config.json");
  const servers = { kb: { url, auth: { type: "none" }, ...audit } };
  writeFileSync(file, JSON.stringify({ version: 1, servers }), { mode: 0o600 });
  const words = [places.bridge, "run", "--server", "kb", "--config-path", file];
  // As the entry starts it that `codex-config` writes.
  const env = { PATH: process.env.PATH ?? "", HOME: home, BUN_JSC_useFTLJIT: "0" };
  return { name: mode, version: "", isStartOnly: false, open: () => new StdioClient(words, env) };
});

/** The median round trip of calls at an even pace, in microseconds. */
async function medianUs(client: StdioClient): Promise<number> {
  const times: number[] = [];
  const from = performance.now();
  for (let n = 0; n < calls; n++) {
    const waitMs = from + (n * 60_000) / callsPerMinute - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    const sentAt = performance.now();
    times.push(((await ping(client)).at - sentAt) * 1000);
  }
  return quantile(times, 0.5);
}

const { samples, notes } = await takeTurns(systems, { rounds }, async (system) => {
  const client = system.open("json") as StdioClient;
  await shakeHands(client);
  await callMany(client, 2000, 1);
  const us = await medianUs(client);
  await client.end();
  return us;
});
await server.stop();
const medians = Object.fromEntries(modes.map((mode) => [mode, median(samples.get(mode)!)]));
const ratios = Object.fromEntries(modes.map((mode) => [mode, medians[mode]! / medians["off"]!]));
const each = Object.fromEntries(samples);
console.log(
  JSON.stringify({ rounds, load: loadAverage(), medianUs: medians, ratios, each, notes }, null, 2),
);
