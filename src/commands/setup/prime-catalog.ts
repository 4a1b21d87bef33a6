// After a `setup` by options: fetches the server's tools, so that Codex's first start is answered from the catalog.

import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import type { Upstream } from "../../upstream/core/types.ts";
import { asBridgeError } from "../../wire/errors.ts";
import { isAnswerTo, type Message, notificationOf, requestOf } from "../../wire/message.ts";
import type { Answer } from "../test/mcp-child.ts";
import { openDirectly } from "../test/open-directly.ts";
import type { Client } from "../test/requests.ts";
import { testServer } from "../test/steps.ts";
import { silent } from "../test/test.ts";

/** Longest delay of a script that runs `setup`. */
const fillTimeoutMs = 3000;
const deleteGraceMs = 100;

/** Saves the lists that the server sends in time for the next start. Prints nothing and never rejects. */
export async function fillCatalog(settings: ServerSettings, context: Context): Promise<void> {
  const { name } = settings;
  // One attempt, so that a server that is down causes no wait.
  const once = { ...settings, retry: { attempts: 1 } };
  const { upstream, cache, log } = openDirectly(once, context);
  const client = clientOf(upstream, AbortSignal.timeout(fillTimeoutMs));
  try {
    await testServer(name, client, silent, undefined);
    await upstream.close(deleteGraceMs);
  } catch (error) {
    log.debug("the tool list was not saved", { server: name, error: asBridgeError(error).message });
  }
  cache.flush();
}

/** A test client that sends its requests to the upstream directly, without a child process. */
function clientOf(upstream: Upstream, signal: AbortSignal): Client {
  let ids = 0;
  return {
    async request(method, params) {
      const id = String(ids++);
      let answer: Message | undefined;
      const onMessage = async (message: Message) => {
        if (isAnswerTo([id], message)) answer = message;
      };
      const startedAt = performance.now();
      await upstream.send(requestOf(id, method, params), onMessage, signal);
      const result = answer?.value(["result"]) as Answer["result"];
      const error = answer?.value(["error"]) as Answer["error"];
      return {
        ...(error ? { error } : { result: result ?? {} }),
        ms: performance.now() - startedAt,
        sent: "",
        bytes: answer?.bytes ?? new Uint8Array(),
      };
    },
    notify(method) {
      upstream.send(notificationOf(method), async () => undefined, signal).catch(() => undefined);
    },
  };
}
