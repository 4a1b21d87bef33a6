// The benchmark notices the faults of a bridge, apart from its speed.
import { describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Amounts, Context, Row } from "../../bench/context.ts";
import { measureConduct } from "../../bench/measures/conduct.ts";
import { measureLarge } from "../../bench/measures/large.ts";
import { measureLatency } from "../../bench/measures/latency.ts";
import { measureNotifications } from "../../bench/measures/notifications.ts";
import { measureStart } from "../../bench/measures/start.ts";
import { startServer } from "../../bench/parts.ts";
import { failuresOf } from "../../bench/report.ts";
import { findSystems, forgetful } from "../../bench/systems.ts";
import { ownFolder } from "../support/folder.ts";

const certificate = join(import.meta.dir, "../fault/certificates/selfsigned");
const caFile = `${certificate}.pem`;
const amounts: Amounts = {
  starts: 1,
  warmUpCalls: 5,
  latencyRounds: 1,
  callsPerRound: 5,
  slowCalls: 1,
  throughputRounds: 1,
  throughputCalls: 300,
  memoryRounds: 1,
  memoryAfter: [],
  floodRounds: 1,
  notifications: 20,
  resultMB: [1],
  requestMB: [1],
  largeRounds: 1,
};

/** The rows in which a measure notes a failure of a bridge with these faults. */
async function wrongRows(
  faults: string,
  measure: (context: Context) => Promise<Row[]>,
): Promise<string[]> {
  using folder = ownFolder();
  const bridge = join(folder.path, "fake");
  const program = join(import.meta.dir, "fake-bridge.ts");
  writeFileSync(bridge, `#!/bin/sh\nexec '${process.execPath}' '${program}' '${faults}' "$@"\n`);
  chmodSync(bridge, 0o755);
  const server = await startServer(caFile, `${certificate}.key`);
  try {
    const places = { bridge, out: folder.path, root: folder.path, home: folder.path, caFile };
    const systems = findSystems({ ...places, ...server }).filter(({ name }) => name !== forgetful);
    const rows = await measure({ systems, amounts, tallies: server.tallies, say: () => {} });
    return rows.filter((row) => failuresOf([row]).length > 0).map(({ id }) => id);
  } finally {
    await server.stop();
  }
}

const flood = ["flood-ms", "flood-arrived", "flood-disorder", "flood-late", "flood-growth"];
const latency = ["json", "sse", "tls", "slow"].flatMap((id) =>
  ["added", "added", "added", "whole", "ratio"].map((kind, i) =>
    kind === "added" ? `added-${id}-p${[50, 95, 99][i]}` : `${kind}-${id}`,
  ),
);

describe("the benchmark", () => {
  test.concurrent.each([
    ["start", measureStart],
    ["latency", measureLatency],
    ["notifications", measureNotifications],
    ["large bodies", measureLarge],
    ["conduct", measureConduct],
  ] as const)("finds nothing wrong with an honest bridge's %s", async (_, measure) => {
    expect(await wrongRows("", measure)).toEqual([]);
  });

  test.concurrent.each([
    ["loses every second notification", "loses", measureNotifications, flood],
    [
      "sends one notification twice and the next not at all",
      "repeats",
      measureNotifications,
      flood,
    ],
    ["sends each notification twice", "doubles", measureNotifications, flood],
    ["keeps a notification until after the result", "delays", measureNotifications, flood],
    ["answers something else", "garbles", measureLatency, latency],
    [
      "cuts large results",
      "cuts-results",
      measureLarge,
      ["result-json-1", "result-json-1-growth", "result-sse-1", "result-sse-1-growth"],
    ],
    ["cuts large requests", "cuts-requests", measureLarge, ["request-1", "request-1-growth"]],
    ["leaves its sessions open when idle", "leaves", measureStart, ["ended-http", "ended-https"]],
    ["leaves its sessions open after work", "leaves", measureConduct, ["ended"]],
    ["trusts any certificate", "trusts", measureConduct, ["untrusted"]],
    ["opens a socket for each call", "sockets", measureConduct, ["sockets"]],
  ] as const)("sees that a bridge %s", async (_, faults, measure, wrong) => {
    expect(await wrongRows(faults, measure)).toEqual([...wrong]);
  });
});
