// The catalog's answer to initialize, said before the bridge behind it is put together: that takes longer than all else.
import { type KnownServer, quickChecked } from "../host/config-checked.ts";
import { demandNamed } from "../host/demands.ts";
import type { Log } from "../host/log.ts";
import { type Environment, homeOf } from "../host/paths.ts";
import { openStdio, type Stdio } from "../host/stdio.ts";
import { Output } from "../relay/output.ts";
import type { Answered } from "../relay/serve.ts";
import { catalogIdentity } from "../upstream/catalog-identity.ts";
import { CatalogStore } from "../upstream/catalog-store.ts";
import { LineSplitter } from "../wire/lines.ts";
import { type Message, readMessage, responseTo } from "../wire/message.ts";

/** A client writes its initialize as soon as it has started us; where it does not, the bridge is put together meanwhile. */
const patienceMs = 20;

/** What `run` finds done when it begins. */
export interface Greeting {
  /** The server, where an earlier start had checked its entry. */
  readonly known: KnownServer;
  /** The client's initialize, where it has its answer. */
  readonly answered?: Answered;
}

let greeting: Greeting | undefined;

/** What `greet` did; a second call finds nothing done. */
export function takeGreeting(): Greeting | undefined {
  const taken = greeting;
  greeting = undefined;
  return taken;
}

/** What a start at another level than `info` would log of its memory is left to a start that takes its time. */
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
export async function greet(
  words: readonly string[],
  env: Environment,
  open = openStdio,
): Promise<void> {
  const plain = plainRun(words);
  const isUsual = ["", "info", undefined].includes(env.LOG_LEVEL);
  if (plain === undefined || !isUsual || env.CODEX_MCP_BRIDGE_TEST !== undefined) return;
  try {
    const looked = quickChecked(homeOf(env, plain.config), plain.server, quiet);
    const stdio = open();
    const known = await looked;
    if (known === undefined) return;
    greeting = { known };
    demandNamed(known.settings, env);
    const message = await firstMessage(stdio, known.settings.limits.messageBytes);
    if (message?.head.kind !== "request" || message.head.method !== "initialize") return;
    const identity = () => catalogIdentity(known.settings, env);
    const store = new CatalogStore(known.memory, identity, Date.now);
    const kept = store.start(store.viewerOf(message));
    if (kept === undefined || !store.isFresh(kept)) return;
    const id = message.head.id!;
    const output = new Output(stdio.output);
    void output.write(responseTo(id, kept.result), true);
    greeting = { known, answered: { id, output } };
  } catch {
    // The command comes upon the same, and tells it.
  }
}

/** The words as `codex-config` writes them; undefined for any others. */
function plainRun(words: readonly string[]): { server: string; config?: string } | undefined {
  const [command, option, server, configOption, config, ...more] = words;
  if (command !== "run" || option !== "--server" || !server || more.length > 0) return undefined;
  if (server.startsWith("-") || config?.startsWith("-") || config === "") return undefined;
  if (configOption === undefined) return { server };
  return configOption === "--config-path" && config !== undefined ? { server, config } : undefined;
}

/** The client's first line, where it comes soon and whole. */
async function firstMessage({ first }: Stdio, limit: number): Promise<Message | undefined> {
  const isThere = Bun.peek.status(first) !== "pending";
  const chunk = (await (isThere ? first : Promise.race([first, Bun.sleep(patienceMs)])))?.value;
  const line = chunk && new LineSplitter(limit).feed(chunk)[0];
  if (!(line instanceof Uint8Array)) return undefined;
  const message = readMessage(line);
  return "flaw" in message ? undefined : message;
}
