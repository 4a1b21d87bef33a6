// A preload: makes the n-th call of one kind fail, in the source and (through BUN_OPTIONS) in the compiled binary.
// TORTURE=fetch|fs|stdout, TORTURE_AT=n (0: none, only count), TORTURE_COUNT=file that gets the number of calls,
// TORTURE_VICTIM=word of the command whose process it is: a child has the same environment.
import { mock } from "bun:test";
import * as fs from "node:fs";

const isVictim = process.argv.includes(process.env.TORTURE_VICTIM ?? "");
const kind = isVictim ? process.env.TORTURE : undefined;
const failing = Number(process.env.TORTURE_AT ?? 0);
const countFile = process.env.TORTURE_COUNT;
const write = fs.writeFileSync;
let calls = 0;

/** Counts a call; an error with this code when it is the one that must fail. */
function strike(code: string): Error | undefined {
  calls += 1;
  // A reader that left does not come back: every later write fails, too.
  if (kind === "stdout" && failing > 0 && calls > failing) calls = failing;
  if (countFile !== undefined) write(countFile, String(calls));
  if (calls !== failing) return undefined;
  return Object.assign(new Error(`${code}: injected`), { code, errno: -5 });
}

type Call = (...args: unknown[]) => unknown;

if (kind === "fs") {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fs)) {
    if (!name.endsWith("Sync") || typeof value !== "function") continue;
    wrapped[name] = (...args: unknown[]) => {
      const error = strike("EIO");
      if (error !== undefined) throw error;
      return (value as Call)(...args);
    };
  }
  mock.module("node:fs", () => ({ ...fs, ...wrapped, default: { ...fs, ...wrapped } }));
}

if (kind === "fetch") {
  const real = globalThis.fetch as unknown as Call;
  globalThis.fetch = (async (...args: unknown[]) => {
    const error = strike("ECONNRESET");
    if (error !== undefined) throw error;
    return await real(...args);
  }) as unknown as typeof fetch;
}

if (kind === "stdout") {
  const stdout = Bun.stdout as unknown as { writer: () => Record<string, Call> };
  const real = stdout.writer.bind(Bun.stdout);
  stdout.writer = () => {
    const writer = real();
    const broken = (name: string) => {
      const call = writer[name]!.bind(writer);
      return (...args: unknown[]) => {
        const error = strike("EPIPE");
        if (error !== undefined) throw error;
        return call(...args);
      };
    };
    return { write: broken("write"), flush: broken("flush"), end: broken("end") };
  };
}
