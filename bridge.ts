#!/usr/bin/env bun
// The table of contents: a command's name, its line in the help, the module that does it.

// Set before any request: the run time must not print headers, and must check every certificate (SECURITY.md).
process.env.BUN_CONFIG_VERBOSE_FETCH = "false";
delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;

import type { Commands } from "./src/cli/command.ts";
import { answerEarly } from "./src/commands/run/early/early-answer.ts";
import type { EarlyAnswer } from "./src/commands/run/run.ts";

const words = process.argv.slice(2);
/** The early answer, for `run`; undefined without it. */
let early: Promise<EarlyAnswer | undefined> | undefined;
early = answerEarly(words);

const commands: Commands = {
  setup: {
    does: "adds, changes or removes servers, by questions or by options",
    load: () => import("./src/commands/setup/setup.ts"),
  },
  test: {
    does: "starts the bridge as Codex does and lists the server's tools",
    load: () => import("./src/commands/test/test.ts"),
  },
  tools: {
    does: "lists a server's tools with their parameters",
    load: () => import("./src/commands/tools/tools.ts"),
  },
  doctor: {
    does: "walks every step between here and a server's tools, and names the broken one",
    load: () => import("./src/commands/doctor/doctor.ts"),
  },
  call: {
    does: "calls a tool of a server and prints its result",
    usage: "[OPTIONS] NAME TOOL [ARGUMENTS]...",
    load: () => import("./src/commands/tools/call.ts"),
  },
  "codex-config": {
    does: "prints the entry for Codex's config.toml, or writes it there",
    load: () => import("./src/commands/codex-config/codex-config.ts"),
  },
  "client-config": {
    does: "prints or writes the entry for another client: Cursor, VS Code, Gemini CLI, ...",
    load: () => import("./src/commands/client-config/client-config.ts"),
  },
  import: {
    does: "takes over servers from other clients, from mcp-remote or a team file",
    load: () => import("./src/commands/import/import.ts"),
  },
  export: {
    does: "prints servers as a team file: everything but secrets",
    load: () => import("./src/commands/export.ts"),
  },
  run: {
    does: "the bridge itself: MCP on stdin and stdout, started by the client",
    usage: "[--server NAME]... | URL [PORT] [OPTIONS]",
    load: async () => ({
      command: (await import("./src/commands/run/run.ts")).commandAfter(await early),
    }),
    loadDropIn: async (rest) => (await import("./src/commands/run/drop-in.ts")).dropInAfter(rest),
  },
  logs: {
    does: "shows the last start of a server in plain words, from its log file",
    load: () => import("./src/commands/logs/logs.ts"),
  },
  replay: {
    does: "serves a record of run --record to a client, offline",
    load: () => import("./src/commands/replay/replay.ts"),
  },
  login: {
    does: "signs in to a server with OAuth, here or on another device",
    load: () => import("./src/commands/login.ts"),
  },
  logout: {
    does: "revokes a sign-in and forgets it",
    load: () => import("./src/commands/logout.ts"),
  },
  status: {
    does: "lists the servers and where their credentials live",
    load: () => import("./src/commands/status.ts"),
  },
  help: {
    does: "shows this help, or the help of a command",
    load: () => import("./src/commands/help.ts"),
  },
  version: { does: "shows the version", load: () => import("./src/commands/version.ts") },
  list: { does: "another name of status", load: () => import("./src/commands/status.ts") },
  enable: {
    does: "lets a server that was disabled be used again",
    load: async () => ({ command: (await import("./src/commands/enable.ts")).enable }),
  },
  disable: {
    does: "keeps a server, its sign-in too, without using it",
    load: async () => ({ command: (await import("./src/commands/enable.ts")).disable }),
  },
  rename: {
    does: "gives a server another name; its sign-in moves with it",
    load: () => import("./src/commands/rename.ts"),
  },
  pin: {
    does: "shows what changed in a server's tools since they were approved, and approves it",
    load: () => import("./src/commands/pin/pin.ts"),
  },
  remove: {
    does: "forgets a server, its credentials and its cache",
    load: () => import("./src/commands/remove.ts"),
  },
  credentials: {
    does: "export and import: moves a sign-in to another machine, encrypted",
    load: () => import("./src/commands/credentials.ts"),
  },
  headers: {
    does: "prints the headers of a request, for Codex's http_headers_helper",
    load: () => import("./src/commands/headers.ts"),
  },
  completions: {
    does: "prints the completion script of a shell: bash, zsh, fish or powershell",
    load: () => import("./src/commands/completions/completions.ts"),
  },
  licenses: {
    does: "prints the licence of this program and of everything in it",
    load: () => import("./src/commands/licenses.ts"),
  },
  demo: {
    does: "tries this executable against a built-in server, without a network",
    load: () => import("./src/commands/demo/demo.ts"),
  },
};

void Promise.resolve(early)
  .then(() => import("./src/cli/main.ts"))
  .then(({ main }) => main(commands, words, process.env))
  .then((code) => process.exit(code));
