// The catalog's answer to initialize, said before the bridge behind it is put together: that takes longer than all else.

import { requireNamedVariables } from "../../../config/requirements.ts";
import { type KnownServer, readValidatedFast } from "../../../config/validated-cache.ts";
import type { Log } from "../../../platform/log.ts";
import { type Environment, homeOf } from "../../../platform/paths.ts";
import { openStdio, type Stdio } from "../../../platform/stdio.ts";
import { Output } from "../../../relay/output.ts";
import type { Answered } from "../../../relay/serve.ts";
import { catalogIdentity } from "../../../upstream/catalog/identity.ts";
import { CatalogStore } from "../../../upstream/catalog/store.ts";
import { LineSplitter } from "../../../wire/lines.ts";
import { type Message, readMessage, responseTo } from "../../../wire/message.ts";

/** A client writes its initialize as soon as it has started us; one that does not waits for the bridge itself. */
const firstLineWaitMs = 20;

/** What `run` finds done when it begins. */
export interface EarlyAnswer {
  /** The server; undefined where a quick look at what earlier starts left finds nothing, or may not. */
  readonly known: KnownServer | undefined;
  /** The client's initialize, where it has its answer. */
  readonly answered?: Answered;
}

let earlyAnswer: EarlyAnswer | undefined;

/** What `greet` did; undefined where it did nothing. */
export const earlyAnswerOf = (): EarlyAnswer | undefined => earlyAnswer;

/** Levels at which nothing of what happens here would be logged. */
const quietLevels = [undefined, "", "error", "warn", "info"];
const nothing = () => undefined;
const quiet: Log = {
  error: nothing,
  warn: nothing,
  info: nothing,
  debug: nothing,
  trace: nothing,
  writes: () => false,
};

/**
 * Answers the client's initialize where these words start the bridge, the client has said it already, and the catalog
 * holds the answer; whatever else it may be is left to the command, which has the words for it. Never rejects.
 */
export async function answerEarly(
  words: readonly string[],
  env: Environment,
  open = openStdio,
): Promise<void> {
  earlyAnswer = undefined;
  const plain = plainRun(words);
  const isQuiet = quietLevels.includes(env.LOG_LEVEL);
  if (plain === undefined || !isQuiet || env.CODEX_MCP_BRIDGE_TEST !== undefined) return;
  try {
    const looked = readValidatedFast(homeOf(env, plain.config), plain.server, quiet);
    const stdio = open();
    const known = await looked;
    earlyAnswer = { known };
    if (known === undefined) return;
    requireNamedVariables(known.settings, env);
    const message = await firstMessage(stdio, known.settings.limits.messageBytes);
    if (message?.head.kind !== "request" || message.head.method !== "initialize") return;
    const identity = () => catalogIdentity(known.settings, env);
    const store = new CatalogStore(known.cache, identity, Date.now);
    const kept = store.start(store.cacheKeyOf(message));
    if (kept === undefined || !store.isFresh(kept)) return;
    const id = message.head.id!;
    const output = new Output(stdio.output);
    void output.write(responseTo(id, kept.result), true);
    earlyAnswer = { known, answered: { id, said: kept, output } };
  } catch {
    // The command comes upon the same, and tells it.
  }
}

/** The words as `codex-config` writes them; undefined for any others. */
function plainRun(words: readonly string[]): { server: string; config?: string } | undefined {
  const [command, option, server, configOption, config, ...more] = words;
  if (command !== "run" || option !== "--server" || !server || more.length > 0) return undefined;
  if (configOption === undefined) return { server };
  // A word that begins with a dash is no value of an option.
  if (configOption !== "--config-path" || !config || config.startsWith("-")) return undefined;
  return { server, config };
}

/** The client's first line, where it comes soon and whole. */
async function firstMessage({ first }: Stdio, limit: number): Promise<Message | undefined> {
  const isThere = Bun.peek.status(first) !== "pending";
  const chunk = (await (isThere ? first : Promise.race([first, Bun.sleep(firstLineWaitMs)])))
    ?.value;
  const line = chunk && new LineSplitter(limit).feed(chunk)[0];
  if (!(line instanceof Uint8Array)) return undefined;
  const message = readMessage(line);
  return "flaw" in message ? undefined : message;
}
