// What the kernel tells about a process (Linux, proc(5)).
import { readFileSync, writeFileSync } from "node:fs";

/** Kernel ticks per second: USER_HZ is 100 on every Linux that user space sees. */
const ticksPerSecond = 100;

/** Seconds of CPU time that the process has used, in user and kernel mode. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** Megabytes (10^6) resident, and of them those that only this process holds. */
export function memory(pid: number): { rssMB: number; privateMB: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const dirty = kilobytes(text, "Private_Dirty");
  return { rssMB: (kilobytes(text, "Rss") * 1024) / 1e6, privateMB: (dirty * 1024) / 1e6 };
}

/** Megabytes resident at most since the last `resetPeak`. */
export function peakMB(pid: number): number {
  return (kilobytes(readFileSync(`/proc/${pid}/status`, "utf8"), "VmHWM") * 1024) / 1e6;
}

/** Begins to measure the peak anew. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Load of the machine over the last minute. */
export function loadAverage(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
}
