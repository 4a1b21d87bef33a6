// A preload that makes the n-th call of one kind fail, in the source and (through BUN_OPTIONS) in the executable.
// TORTURE=fetch|fs|stdout, TORTURE_AT=n (0: none, only count), TORTURE_COUNT=file that gets the number of calls,
// TORTURE_VICTIM=command of the process to affect, since a child process inherits the environment.
import { mock } from "bun:test";
import * as fs from "node:fs";

const isVictim = process.argv.includes(process.env.TORTURE_VICTIM ?? "");
const kind = isVictim ? process.env.TORTURE : undefined;
const failing = Number(process.env.TORTURE_AT ?? 0);
const countFile = process.env.TORTURE_COUNT;
const write = fs.writeFileSync;
let calls = 0;

/** Counts a call; returns an error with this code for the call that must fail. */
function strike(code: string): Error | undefined {
  calls += 1;
  // A reader that is gone stays gone: every later write fails too.
  if (kind === "stdout" && failing > 0 && calls > failing) calls = failing;
  if (countFile !== undefined) write(countFile, String(calls));
  if (calls !== failing) return undefined;
  return Object.assign(new Error(`${code}: injected`), { code, errno: -5 });
}

/** A call that fails by rejecting its promise. */
function failingLater(call: Call | undefined): Call {
  return async (...args) => {
    const error = strike("EIO");
    if (error !== undefined) throw error;
    return await call?.(...args);
  };
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
  const failingFs = { ...fs, ...wrapped };
  mock.module("node:fs", () => ({ ...failingFs, default: failingFs }));
  const builtIn = process.getBuiltinModule;
  process.getBuiltinModule = ((name: string) =>
    name === "node:fs" ? failingFs : builtIn(name)) as typeof builtIn;
  type Read = { readonly stat: Call; readonly bytes: Call };
  const file = Bun.file as unknown as (...args: unknown[]) => Read;
  const failingBlob = (blob: Read): Read =>
    Object.assign(blob, {
      stat: failingLater(blob.stat?.bind(blob)),
      bytes: failingLater(blob.bytes?.bind(blob)),
      slice: (...args: unknown[]) =>
        failingBlob(Blob.prototype.slice.apply(blob, args as []) as never),
    });
  Bun.file = ((...args: unknown[]) => failingBlob(file(...args))) as unknown as typeof Bun.file;
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
