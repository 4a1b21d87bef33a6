// The goals for the speed of the bridge, each a figure computed from one run.
import type { Row } from "./context.ts";
import { forgetful, ours } from "./systems.ts";

export interface Goal {
  readonly text: string;
  /** Undefined if a needed system is missing or failed, or if the noise is larger than the figure. */
  readonly value: number | undefined;
  readonly limit: number;
  /** Whether more is better. */
  readonly isFloor: boolean;
}

export const socketsAtMost = 64;

const remote = "mcp-remote";
const hyper = "hyper-mcp-remote";
const wires = ["http", "https"] as const;
const endpoints = { json: "JSON", sse: "event stream", tls: "TLS" } as const;

export function isMet({ value, limit, isFloor }: Goal): boolean | undefined {
  if (value === undefined) return undefined;
  return isFloor ? value >= limit : value <= limit;
}

const most = (text: string, value: number | undefined, limit: number): Goal => ({
  text,
  value,
  limit,
  isFloor: false,
});

const least = (text: string, value: number | undefined, limit: number): Goal => ({
  ...most(text, value, limit),
  isFloor: true,
});

/** Every goal with its value for `subject`. A goal that even the floor misses is limited by the run time. */
export function judge(rows: readonly Row[], subject = ours): Goal[] {
  const at = (id: string, system: string): number | undefined => {
    const value = rows.find((row) => row.id === id)?.values[system] ?? Number.NaN;
    return Number.isNaN(value) ? undefined : value;
  };
  const ratio = (id: string, other: string, mine = subject): number | undefined => {
    const values = [at(id, mine), at(id, other)] as const;
    return values[0] === undefined || values[1] === undefined ? undefined : values[0] / values[1];
  };
  // A difference below the noise may be negative, and a ratio of it means nothing.
  const added = (id: string, other: string): number | undefined => {
    const noise = at(id, "direct") ?? Number.POSITIVE_INFINITY;
    const isClear = [subject, other].every((system) => (at(id, system) ?? 0) > noise);
    return isClear ? ratio(id, other) : undefined;
  };
  const starts = (other: string, limit: number, firstLimit = limit): Goal[] =>
    wires.flatMap((wire) =>
      (["start", "tools"] as const).flatMap((id) =>
        [ours, forgetful].map((start) => {
          const answer = id === "start" ? "initialize" : "tools/list";
          const kind = start === ours ? "start with a catalog" : "first start";
          const system = subject === ours ? start : subject;
          const text = `${kind}, ${answer}, ${wire}, against ${other}`;
          const atMost = start === ours ? limit : firstLimit;
          return most(text, ratio(`${id}-${wire}`, other, system), atMost);
        }),
      ),
    );
  const latency = (
    endpoint: keyof typeof endpoints,
    quantile: string,
    other: string,
    limit: number,
  ): Goal =>
    most(
      `added ${quantile}, ${endpoints[endpoint]}, against ${other}`,
      added(`added-${endpoint}-${quantile}`, other),
      limit,
    );
  const rate = (inFlight: number, other: string, limit: number): Goal =>
    least(
      `calls a second, ${inFlight} in flight, against ${other}`,
      ratio(`rate-${inFlight}`, other),
      limit,
    );
  const cpu = (inFlight: number, other: string, limit: number): Goal =>
    most(`CPU, ${inFlight} in flight, against ${other}`, ratio(`cpu-${inFlight}`, other), limit);
  const after20 = at("rss-20000", subject);
  const after50 = at("rss-50000", subject);
  return [
    ...starts(remote, 1 / 25),
    latency("json", "p50", remote, 1 / 12),
    latency("sse", "p50", remote, 1 / 12),
    latency("tls", "p50", remote, 1 / 20),
    latency("json", "p99", remote, 1 / 15),
    latency("sse", "p99", remote, 1 / 15),
    latency("tls", "p99", remote, 1 / 15),
    ...Object.entries(endpoints).map(([endpoint, name]) =>
      most(`whole call, ${name}, against direct`, at(`ratio-${endpoint}`, subject), 3.5),
    ),
    rate(16, remote, 12),
    rate(64, remote, 12),
    rate(256, remote, 10),
    most("sockets opened, 256 in flight", at("sockets", subject), socketsAtMost),
    ...[1, 16, 64, 256].map((inFlight) => cpu(inFlight, remote, 0.1)),
    most("resident memory idle against mcp-remote", ratio("rss-idle", remote), 0.36),
    most("resident memory after 20,000 calls against mcp-remote", ratio("rss-20000", remote), 0.25),
    most(
      "growth from 20,000 to 50,000 calls, KB per 1,000 calls",
      after20 === undefined || after50 === undefined
        ? undefined
        : Math.max(0, ((after50 - after20) * 1000) / 30),
      100,
    ),
    most("100,000 notifications, time against mcp-remote", ratio("flood-ms", remote), 1 / 30),
    least("100,000 notifications: arrived", at("flood-arrived", subject), 100_000),
    most("100,000 notifications: out of order or twice", at("flood-disorder", subject), 0),
    most("100,000 notifications: after the result", at("flood-late", subject), 0),
    most("100,000 notifications: peak growth, MB", at("flood-growth", subject), 60),
    most("100 MB result, JSON, time against direct", ratio("result-json-100", "direct"), 2.5),
    most("100 MB result, JSON, peak growth", at("result-json-100-growth", subject), 2.2),
    most("100 MB result, one event, time against direct", ratio("result-sse-100", "direct"), 8),
    most("8 MB request, time against direct", ratio("request-8", "direct"), 2),
    ...wires.flatMap((wire) => [
      most(`idle shutdown, ${wire}, ms`, at(`end-${wire}`, subject), 20),
      least(
        `idle shutdown, ${wire}, sessions ended with a DELETE, %`,
        at(`ended-${wire}`, subject),
        100,
      ),
    ]),
    ...starts("floor", 1.5, 1.7),
    latency("json", "p50", "floor", 1.4),
    latency("sse", "p50", "floor", 1.4),
    latency("tls", "p50", "floor", 1.5),
    ...[1, 16, 64, 256].map((inFlight) => rate(inFlight, "floor", 0.7)),
    cpu(16, "floor", 1.6),
    ...(["json", "sse", "tls"] as const).flatMap((endpoint) => [
      latency(endpoint, "p99", "floor", 5),
      latency(endpoint, "p99", hyper, 1),
    ]),
    most("resident memory idle against floor", ratio("rss-idle", "floor"), 1.2),
    most("private memory idle against floor", ratio("private-idle", "floor"), 2),
    most("100,000 notifications, time against floor", ratio("flood-ms", "floor"), 1.4),
    ...starts(hyper, 1),
    latency("json", "p50", hyper, 1 / 3),
    latency("sse", "p50", hyper, 1 / 4),
    rate(16, hyper, 4),
    rate(64, hyper, 6),
    cpu(1, hyper, 0.5),
    cpu(16, hyper, 0.2),
    most("resident memory idle against hyper-mcp-remote", ratio("rss-idle", hyper), 1.45),
    most("private memory idle against hyper-mcp-remote", ratio("private-idle", hyper), 0.4),
    most("10 MB result, JSON, against hyper-mcp-remote", ratio("result-json-10", hyper), 0.6),
    most("10 MB result, one event, against hyper-mcp-remote", ratio("result-sse-10", hyper), 0.6),
  ];
}
