// After a setup by options: asks the server for its tools, so that Codex's first start finds them in the catalog.

import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import { createLog } from "../../platform/log.ts";
import { cacheFile } from "../../platform/paths.ts";
import { ServerCache } from "../../platform/server-cache.ts";
import type { Upstream } from "../../upstream/core/types.ts";
import { openServer } from "../../upstream/open-server.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { isAnswerTo, type Message, notificationOf, requestOf } from "../../wire/message.ts";
import type { Answer } from "../test/mcp-child.ts";
import { type Client, testServer } from "../test/steps.ts";
import { silent } from "../test/test.ts";

/** The most time that this adds to a script. */
const fillMs = 3000;
const deleteGraceMs = 100;

/** Saves the server's lists for the next start, as far as the server answers in time. Prints nothing and never fails. */
export async function fillCatalog(settings: ServerSettings, context: Context): Promise<void> {
  const { redactor } = context;
  const isWatched = context.log.writes("debug");
  const log = isWatched ? context.log : createLog({ level: "error", format: "text", redactor });
  const { name, state, url } = settings;
  const cache = new ServerCache(cacheFile(state), url, log);
  // One attempt: a server that is down is not waited for.
  const { upstream } = openServer(
    { ...settings, retry: { attempts: 1 } },
    {
      ...context,
      log,
      cache,
      client: { name: "", capabilities: "{}", protocolVersion: "" },
      ask: () => new Promise(() => undefined),
      mayAnswer: false,
      waitsForStart: false,
      signIn: undefined,
    },
  );
  const client = clientOf(upstream, AbortSignal.timeout(fillMs));
  try {
    await testServer(name, client, silent, undefined);
    await upstream.close(deleteGraceMs);
  } catch (error) {
    log.debug("not asked for its tools", { server: name, error: asBridgeError(error).message });
  }
  cache.flush();
}

/** A client that calls the upstream in this process. */
function clientOf(upstream: Upstream, signal: AbortSignal): Client {
  let ids = 0;
  return {
    async request(method, params) {
      const id = String(ids++);
      let answer: Message | undefined;
      const take = async (said: Message) => {
        if (isAnswerTo([id], said)) answer = said;
      };
      const from = performance.now();
      await upstream.send(requestOf(id, method, params), take, signal);
      const result = answer?.value(["result"]) as Answer["result"];
      const error = answer?.value(["error"]) as Answer["error"];
      return {
        ...(error ? { error } : { result: result ?? {} }),
        ms: performance.now() - from,
        sent: "",
      };
    },
    notify(method) {
      upstream.send(notificationOf(method), async () => undefined, signal).catch(() => undefined);
    },
  };
}
