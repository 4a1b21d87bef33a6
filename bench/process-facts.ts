// Facts about a process from the kernel (Linux, proc(5)).
import { dlopen, ptr } from "bun:ffi";
import { readFileSync, writeFileSync } from "node:fs";

const libc = dlopen("libc.so.6", {
  clock_getcpuclockid: { args: ["i32", "ptr"], returns: "i32" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
});

/**
 * Seconds of CPU time of the process in user and kernel mode, including ended threads. This clock counts nanoseconds;
 * /proc/PID/stat counts ticks of 10 ms, and not every kernel has schedstat.
 */
export function cpuSeconds(pid: number): number {
  const clock = new Int32Array(1);
  const time = new BigInt64Array(2);
  const { clock_getcpuclockid, clock_gettime } = libc.symbols;
  if (clock_getcpuclockid(pid, ptr(clock)) !== 0 || clock_gettime(clock[0]!, ptr(time)) !== 0)
    throw new Error(`process ${pid} has no clock`);
  return Number(time[0]) + Number(time[1]) / 1e9;
}

function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** Resident memory, and the private part of it, in megabytes (10^6 bytes). */
export async function residentMemory(pid: number): Promise<{ rssMB: number; privateMB: number }> {
  // Pages of a file that are not yet on disk count as private dirty memory.
  await Bun.spawn(["sync"]).exited;
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const dirty = kilobytes(text, "Private_Dirty");
  return { rssMB: (kilobytes(text, "Rss") * 1024) / 1e6, privateMB: (dirty * 1024) / 1e6 };
}

/** Peak of resident memory since the last `resetPeak`, in megabytes. */
export function peakMB(pid: number): number {
  return (kilobytes(readFileSync(`/proc/${pid}/status`, "utf8"), "VmHWM") * 1024) / 1e6;
}

/** Resets the peak of resident memory. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Load average of the last minute. */
export function loadAverage(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
}
