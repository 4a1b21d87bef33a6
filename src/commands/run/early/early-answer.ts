// The early answer: the client's `initialize` is answered before the bridge is loaded.
//
// Method: loading and composing the bridge takes most of the start. The catalog on disk often holds the answer, so
// this module reads two files and the client's first line and writes the answer; bridge.ts loads everything else after it.
// Conditions: the arguments are those that `codex-config` writes; the log level is info or higher; the files belong to the
// user and are unchanged since their last validation; every named variable is set; a whole first line comes within 20 ms; the
// catalog has a fresh answer. Otherwise nothing is written, and `run` starts as if this folder did not exist. The server still
// gets the client's initialize through the whole chain; the relay drops the second answer.
// Gain: the answer comes after 6.7 ms instead of 8.3 ms on an idle machine, after 7.4 ms instead of 11.7 ms on a busy one.
// To remove it, delete this folder, and its import and its call in bridge.ts (tests/e2e/without-early-answer.test.ts). The
// call through one import() costs half a millisecond of the gain.

import { missingRequirements } from "../../../config/requirements.ts";
import { readValidatedFast } from "../../../config/validated-cache.ts";
import type { Log } from "../../../platform/log.ts";
import { type Environment, homeOf } from "../../../platform/paths.ts";
import { openStdio, type Stdio } from "../../../platform/stdio.ts";
import { Output } from "../../../relay/output.ts";
import { catalogIdentity } from "../../../upstream/catalog/identity.ts";
import { CatalogStore } from "../../../upstream/catalog/store.ts";
import { LineSplitter } from "../../../wire/lines.ts";
import { type Message, readMessage, responseTo } from "../../../wire/message.ts";
import type { EarlyAnswer } from "../run.ts";

/** Longest wait for the first line. Clients write initialize at once; a later one is answered by the bridge itself. */
const firstLineWaitMs = 20;

/** Values of LOG_LEVEL at which this module would log nothing. */
const quietLevels = [undefined, "", "error", "warn", "info"];
const nothing = () => undefined;
const quiet: Log = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  trace: nothing,
  toTerminal: nothing,
  writes: () => false,
};

/** Answers the client's initialize from the catalog. Resolves to undefined for a command line that `codex-config` does not write. Never rejects. */
export async function answerEarly(
  words: readonly string[],
  env: Environment = process.env,
  open = openStdio,
): Promise<EarlyAnswer | undefined> {
  const target = codexTarget(words);
  const isQuiet = quietLevels.includes(env.LOG_LEVEL);
  if (target === undefined || !isQuiet || env.CODEX_MCP_BRIDGE_TEST !== undefined) return undefined;
  let early: EarlyAnswer | undefined;
  try {
    const validated = readValidatedFast(homeOf(env, target.config), target.server, quiet);
    const stdio = open();
    const known = await validated;
    early = { known };
    if (known === undefined) return early;
    if (missingRequirements(known.settings, env).length > 0) return early;
    const message = await firstMessage(stdio, known.settings.limits.messageBytes);
    if (message?.head.kind !== "request" || message.head.method !== "initialize") return early;
    const identity = () => catalogIdentity(known.settings, env);
    const store = new CatalogStore(known.cache, identity, Date.now);
    const cached = store.start(store.cacheKeyOf(message));
    if (cached === undefined || !store.isFresh(cached)) return early;
    const id = message.head.id!;
    const output = new Output(stdio.output);
    void output.write(responseTo(id, cached.result), true);
    early = { known, answered: { id, page: cached, output } };
  } catch {
    // `run` meets this error again, and reports it.
  }
  return early;
}

/** Server and configuration file from a command line that `codex-config` writes; undefined for any other command line. */
function codexTarget(words: readonly string[]): { server: string; config?: string } | undefined {
  const [command, option, server, ...rest] = words;
  if (command !== "run" || option !== "--server" || !server) return undefined;
  // The words of a server that Codex requires; they matter only if the start fails.
  const isRequired = rest[0] === "--on-failure" && rest[1] === "error";
  const options = isRequired ? rest.slice(2) : rest;
  // A word that begins with a dash is an option, not a value.
  const take = (option: string) => {
    if (options[0] !== option || !options[1] || options[1].startsWith("-")) return undefined;
    return options.splice(0, 2)[1];
  };
  const config = take("--config-path");
  // This module would log nothing: a log file changes nothing here.
  take("--log-file");
  if (options.length > 0) return undefined;
  return config === undefined ? { server } : { server, config };
}

/** The client's first message; undefined if its line comes late or in several chunks. */
async function firstMessage({ first }: Stdio, limit: number): Promise<Message | undefined> {
  const isThere = Bun.peek.status(first) !== "pending";
  const chunk = (await (isThere ? first : Promise.race([first, Bun.sleep(firstLineWaitMs)])))
    ?.value;
  const line = chunk && new LineSplitter(limit).feed(chunk)[0];
  if (!(line instanceof Uint8Array)) return undefined;
  const message = readMessage(line);
  return "flaw" in message ? undefined : message;
}
