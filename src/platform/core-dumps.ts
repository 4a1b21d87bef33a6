import { dlopen } from "bun:ffi";
import type { Log } from "./log.ts";

// linux/prctl.h and asm-generic/resource.h; equal on x64 and arm64.
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;

const libraries: readonly string[] = [
  "libc.so.6",
  `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
];

function openLibc() {
  for (const name of libraries) {
    try {
      return dlopen(name, {
        prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
        getrlimit: { args: ["i32", "ptr"], returns: "i32" },
        setrlimit: { args: ["i32", "ptr"], returns: "i32" },
      }).symbols;
    } catch {
      // Try the other C library.
    }
  }
  return undefined;
}

/**
 * Disables core dumps, which would write secrets into the current directory, and denies other processes of the user
 * access to this process's memory and environment (prctl(2), PR_SET_DUMPABLE). Linux only; does nothing on other
 * systems (docs/hazards.md). Never throws.
 */
export function forbidCoreDumps(log: Log): void {
  if (process.platform !== "linux") return;
  const libc = openLibc();
  const limits = new BigUint64Array(2);
  const isForbidden =
    libc?.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) === 0 && libc.getrlimit(RLIMIT_CORE, limits) === 0;
  // Lower only the soft limit, so that a child process can still raise its own.
  limits[0] = 0n;
  if (!isForbidden || libc.setrlimit(RLIMIT_CORE, limits) !== 0)
    log.debug("core dumps cannot be forbidden");
}
