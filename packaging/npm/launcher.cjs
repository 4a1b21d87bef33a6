#!/usr/bin/env node
// Starts the executable in this platform's package. Where process.execve exists (Node 22.15), the executable replaces
// this Node process; elsewhere the launcher passes on signals, the end of input and the exit code.
"use strict";

const { spawn } = require("node:child_process");

/** Whether this Linux has musl instead of glibc: Node's report has a glibc version only on glibc. */
function hasMusl() {
  if (process.platform !== "linux") return false;
  return process.report.getReport().header.glibcVersionRuntime === undefined;
}

function executable() {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const platform = `${system}-${process.arch}${hasMusl() ? "-musl" : ""}`;
  const suffix = process.platform === "win32" ? ".exe" : "";
  try {
    return require.resolve(`@NAME@-${platform}/codex-mcp-http-bridge${suffix}`);
  } catch {
    process.stderr.write(
      `error: the package @NAME@-${platform} is not installed\n` +
        "hint: install with optional dependencies, on the system that runs the program; " +
        "packages exist only for Linux, macOS and Windows on x64 and arm64\n",
    );
    process.exit(1);
  }
}

const path = executable();
const words = process.argv.slice(2);
// The last tier of Bun's compiler costs more than it gains here (docs/performance.md).
const env = { BUN_JSC_useFTLJIT: "0", ...process.env };

if (typeof process.execve === "function" && process.platform !== "win32") {
  process.execve(path, [path, ...words], env);
}
const child = spawn(path, words, { stdio: "inherit", windowsHide: true, env });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`error: ${path} cannot be started: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
