// What the bridge promises about its speed, each as a figure computed from one run.
import type { Row } from "./context.ts";
import { ours } from "./systems.ts";

export interface Goal {
  readonly text: string;
  /** Undefined where a system it needs was not there, or could not do it. */
  readonly value: number | undefined;
  readonly limit: number;
  /** Whether more is better. */
  readonly isFloor: boolean;
}

export function isMet({ value, limit, isFloor }: Goal): boolean | undefined {
  if (value === undefined) return undefined;
  return isFloor ? value >= limit : value <= limit;
}

/** Every goal with its value in this run. */
export function judge(rows: readonly Row[]): Goal[] {
  const at = (id: string, system: string): number | undefined =>
    rows.find((row) => row.id === id)?.values[system] ?? undefined;
  const ratio = (id: string, other: string): number | undefined => {
    const mine = at(id, ours);
    const theirs = at(id, other);
    return mine === undefined || theirs === undefined ? undefined : mine / theirs;
  };
  const most = (text: string, value: number | undefined, limit: number): Goal => ({
    text,
    value,
    limit,
    isFloor: false,
  });
  const least = (text: string, value: number | undefined, limit: number): Goal => ({
    text,
    value,
    limit,
    isFloor: true,
  });
  const remote = "mcp-remote";
  const hyper = "hyper-mcp-remote";
  const after20 = at("rss-20000", ours);
  const after50 = at("rss-50000", ours);
  return [
    most("start, http, against mcp-remote", ratio("start-http", remote), 1 / 25),
    most("start, https, against mcp-remote", ratio("start-https", remote), 1 / 25),
    most("added p50, JSON, against mcp-remote", ratio("added-json-p50", remote), 1 / 12),
    most("added p50, event stream, against mcp-remote", ratio("added-sse-p50", remote), 1 / 12),
    most("added p50, TLS, against mcp-remote", ratio("added-tls-p50", remote), 1 / 20),
    most("added p99, JSON, against mcp-remote", ratio("added-json-p99", remote), 1 / 15),
    most("whole call, JSON, against direct", at("ratio-json", ours), 3.5),
    least("calls a second, 16 in flight, against mcp-remote", ratio("rate-16", remote), 12),
    least("calls a second, 64 in flight, against mcp-remote", ratio("rate-64", remote), 12),
    least("calls a second, 256 in flight, against mcp-remote", ratio("rate-256", remote), 10),
    most("sockets opened, 256 in flight", at("sockets", ours), 64),
    most("CPU, one by one, against mcp-remote", ratio("cpu-1", remote), 0.1),
    most("CPU, 16 in flight, against mcp-remote", ratio("cpu-16", remote), 0.1),
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
    least("100,000 notifications: arrived", at("flood-arrived", ours), 100_000),
    most("100,000 notifications: out of order", at("flood-disorder", ours), 0),
    most("100,000 notifications: after the result", at("flood-late", ours), 0),
    most("100,000 notifications: peak growth, MB", at("flood-growth", ours), 60),
    most("100 MB result, JSON, time against direct", ratio("result-json-100", "direct"), 2.5),
    most("100 MB result, JSON, peak growth", at("result-json-100-growth", ours), 2.2),
    most("100 MB result, one event, time against direct", ratio("result-sse-100", "direct"), 8),
    most("8 MB request, time against direct", ratio("request-8", "direct"), 2),
    most("idle shutdown, ms", at("end-http", ours), 20),
    most("start, http, against the floor", ratio("start-http", "floor"), 1.4),
    most("added p50, JSON, against the floor", ratio("added-json-p50", "floor"), 1.25),
    most("added p50, event stream, against the floor", ratio("added-sse-p50", "floor"), 1.25),
    least("calls a second, 16 in flight, against the floor", ratio("rate-16", "floor"), 0.7),
    least("calls a second, 64 in flight, against the floor", ratio("rate-64", "floor"), 0.7),
    most("start, http, against hyper-mcp-remote", ratio("start-http", hyper), 1 / 4),
    most("added p50, JSON, against hyper-mcp-remote", ratio("added-json-p50", hyper), 1 / 3),
    most("added p50, event stream, against hyper-mcp-remote", ratio("added-sse-p50", hyper), 1 / 4),
    least("calls a second, 16 in flight, against hyper-mcp-remote", ratio("rate-16", hyper), 4),
    least("calls a second, 64 in flight, against hyper-mcp-remote", ratio("rate-64", hyper), 6),
    most("CPU, one by one, against hyper-mcp-remote", ratio("cpu-1", hyper), 0.5),
    most("CPU, 16 in flight, against hyper-mcp-remote", ratio("cpu-16", hyper), 0.2),
    most("resident memory idle against hyper-mcp-remote", ratio("rss-idle", hyper), 1.45),
    most("private memory idle against hyper-mcp-remote", ratio("private-idle", hyper), 0.4),
    most("10 MB result, JSON, against hyper-mcp-remote", ratio("result-json-10", hyper), 0.6),
  ];
}
