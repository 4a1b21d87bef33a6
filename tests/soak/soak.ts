import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "../fault/support/client.ts";
import type { Program } from "../fault/support/program.ts";
import { FaultServer } from "../fault/support/server.ts";
import { bringWeather } from "./weather.ts";

export interface SoakResult {
  /** Calls made; fewer than asked for if the time ran out. */
  readonly calls: number;
  readonly results: number;
  readonly errors: number;
  /** Calls without an answer. */
  readonly lost: number;
  /** Calls with more than one answer. */
  readonly answeredTwice: number;
  /** Calls that are not marked as repeatable and were executed more than once. */
  readonly executedTwice: number;
  /** Calls with a result that were never executed, or with another call's result. */
  readonly wrong: number;
  /** Resident memory after a fifth of the calls and at the end. */
  readonly warmBytes: number;
  readonly endBytes: number;
  readonly ms: number;
  readonly exit: number | undefined;
}

/** Calls in flight at a time. */
const windowSize = 24;
/** A call without an answer for three times its deadline is lost, and the soak goes on without it. */
const lostMs = 15_000;
/** Longest time of a soak. */
const wholeMs = 300_000;

/** Makes so many calls through one bridge; a tenth of them meet a fault. */
export async function soak(program: Program, calls: number, seed: number): Promise<SoakResult> {
  const home = mkdtempSync(join(tmpdir(), "bridge-soak-"));
  const server = new FaultServer({ sessions: true }).start();
  server.keepsRequests = false;
  const entry = { timeoutSec: 5, connectTimeoutSec: 2 };
  const client = new Client(program.prepare(home, server.url, entry), home);
  try {
    await handshake(client);
    bringWeather(server, seed);
    const startedAt = performance.now();
    const driven = await drive(client, calls);
    const endBytes = await client.memoryBytes("VmRSS");
    const ms = performance.now() - startedAt;
    const exit = await client.end(15_000);
    const { sent, warmBytes } = driven;
    return { ...count(client, server, sent), warmBytes, endBytes, ms, exit };
  } finally {
    server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function handshake(client: Client): Promise<void> {
  const clientInfo = { name: "soak", version: "1" };
  const id = client.request("initialize", {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo,
  });
  if ((await client.answer(id, 20_000))?.result === undefined) throw new Error(client.stderr);
  client.notify("notifications/initialized");
  await client.answer(client.request("tools/list", {}), 20_000);
}

const keyOf = (n: number) => `call-${n}`;

/** Keeps the window full until every call was sent and answered or given up. */
async function drive(client: Client, calls: number): Promise<{ sent: number; warmBytes: number }> {
  const startedAt = performance.now();
  let sent = 0;
  let warmBytes = 0;
  const open = new Map<string, number>();
  const isSettled = ([key, at]: [string, number]) =>
    client.answers(key).length > 0 || performance.now() - at > lostMs;
  while (open.size > 0 || sent < calls) {
    while (sent < calls && open.size < windowSize && performance.now() - startedAt < wholeMs) {
      const key = keyOf(sent);
      // One in eight is read-only: it may be repeated.
      const name = sent % 8 === 7 ? "read" : "write";
      client.request("tools/call", { name, arguments: { key } }, key);
      open.set(key, performance.now());
      sent += 1;
      if (sent === Math.floor(calls / 5)) warmBytes = await client.memoryBytes("VmRSS");
    }
    if (open.size === 0) break;
    await client.until(() => [...open].some(isSettled), lostMs);
    for (const entry of [...open]) if (isSettled(entry)) open.delete(entry[0]);
  }
  return { sent, warmBytes };
}

function count(client: Client, server: FaultServer, calls: number) {
  const total = {
    calls,
    results: 0,
    errors: 0,
    lost: 0,
    answeredTwice: 0,
    executedTwice: 0,
    wrong: 0,
  };
  for (let n = 0; n < calls; n += 1) {
    const answers = client.answers(keyOf(n));
    const [first] = answers;
    if (first === undefined) total.lost += 1;
    else if (first.error === undefined) total.results += 1;
    else total.errors += 1;
    if (answers.length > 1) total.answeredTwice += 1;
    const executions = server.executions(keyOf(n));
    if (n % 8 !== 7 && executions > 1) total.executedTwice += 1;
    const text = first?.result?.content?.[0]?.text;
    if (first?.result !== undefined && (executions === 0 || text !== keyOf(n))) total.wrong += 1;
  }
  return total;
}
