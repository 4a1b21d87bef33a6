// initialize, tools and the listening stream, as the child `run` sees them; and the server's clock.

import { statelessRevision } from "../../upstream/core/stateless-protocol.ts";
import { BridgeError } from "../../wire/errors.ts";
import type { RunChild } from "../test/mcp-child.ts";
import { initialize, listAll } from "../test/requests.ts";
import { judgeTools } from "../test/strict-clients.ts";
import { clockFinding } from "./clock.ts";
import type { FirstAnswer } from "./first-request.ts";
import { amended, skipped, type Walk } from "./walk.ts";

/** A child `run`, started and initialized at the first need: many walks end before that. */
export class Child {
  readonly #start: () => Promise<RunChild>;
  #child: Promise<RunChild> | undefined;
  #initialized: ReturnType<typeof initialize> | undefined;

  constructor(start: () => Promise<RunChild>) {
    this.#start = start;
  }

  initialized(): ReturnType<typeof initialize> {
    this.#initialized ??= this.#running().then(initialize);
    return this.#initialized;
  }

  async tools(isDeclared: boolean) {
    return listAll(await this.#running(), "tools", isDeclared);
  }

  #running(): Promise<RunChild> {
    this.#child ??= this.#start();
    return this.#child;
  }
}

/** Watches the child's log for the answer to its listening stream. */
export class StreamWatch {
  #status: number | undefined;
  readonly #noticed = Promise.withResolvers<void>();

  /** Takes one log line of the child, as JSON. */
  take(line: string): void {
    let facts: { event?: unknown; method?: unknown; status?: unknown };
    try {
      facts = JSON.parse(line);
    } catch {
      return;
    }
    if (facts.event !== "http" || facts.method !== "GET" || typeof facts.status !== "number")
      return;
    this.#status = facts.status;
    this.#noticed.resolve();
  }

  /** The status of the listening stream's answer; undefined if none came within `waitMs`. */
  async status(waitMs: number): Promise<number | undefined> {
    await Promise.race([this.#noticed.promise, Bun.sleep(waitMs)]);
    return this.#status;
  }
}

const streamWaitMs = 3000;

/** What is known of the server before the child's first list. */
interface McpFacts {
  readonly first: FirstAnswer;
  readonly keepsCookies: boolean;
  /** Warnings about tools that wait for an approval; read after the child's list. */
  readonly withheld: () => readonly string[];
}

/** Walks initialize, tools, listening stream and clock. */
export async function walkMcp(
  walk: Walk,
  child: Child,
  stream: StreamWatch,
  { first, keepsCookies, withheld }: McpFacts,
): Promise<void> {
  let begun!: Awaited<ReturnType<typeof initialize>>;
  await walk.step("initialize", async () => {
    begun = await child.initialized();
    if (begun.refusal !== undefined) throw begun.refusal;
    return { detail: `MCP ${begun.revision}, server ${begun.serverName}` };
  });
  await walk.step("tools", async () => {
    const listing = await child.tools("tools" in begun.capabilities).catch((error) => {
      throw withCookieHint(error, first, keepsCookies);
    });
    const { refusal, warnings } = judgeTools(listing);
    if (refusal !== undefined) throw refusal;
    const count = listing.items.length;
    return {
      detail: `${count} ${count === 1 ? "tool" : "tools"}`,
      warnings: [...warnings, ...withheld()],
    };
  });
  await walk.step("listening stream", async () => {
    if (begun.revision === statelessRevision) return skipped("the stateless protocol has none");
    const status = await stream.status(streamWaitMs);
    if (status === undefined) return skipped("none was asked for");
    if (status === 200) return { detail: "open" };
    if (status === 405) return skipped("the server offers none");
    return {
      detail: `the server answered ${status}`,
      warnings: ["messages that the server sends by itself do not arrive"],
    };
  });
  await walk.step("clock", () => clockFinding(first));
}

/** A session that is lost at once, although the server sets a cookie, is lost behind a load balancer. */
function withCookieHint(error: unknown, { response }: FirstAnswer, keepsCookies: boolean): unknown {
  const isLost = error instanceof BridgeError && error.kind === "server-not-found";
  if (!isLost || keepsCookies || !response.headers.has("set-cookie")) return error;
  return amended(error, {
    newHint:
      'the server sets a cookie, by which a load balancer finds the session again: remove "cookies": false from its entry',
  });
}
