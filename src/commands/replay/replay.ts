import { resolve } from "node:path";
import { defineCommand } from "../../cli/command.ts";
import { openStdio } from "../../platform/stdio.ts";
import { serve } from "../../relay/serve.ts";
import { BridgeError } from "../../wire/errors.ts";
import { type RecordedRun, readRecord } from "./record.ts";
import { ReplayUpstream } from "./upstream.ts";

/** The limits of `run` by default. */
const limits = { limit: 64 * 1024 * 1024, timeoutMs: 118_000 };

export const command = defineCommand({
  args: {
    file: { type: "positional", required: true, description: "the file of run --record" },
    run: {
      type: "string",
      valueHint: "ID",
      description: "the run to replay; default: the last in the file",
    },
  },
  async run({ file, run: id }, context) {
    const recorded = chosen(await readRecord(resolve(file), context.warn), file, id);
    const { log, redactor, commandLine } = context;
    const count = recorded.messages.filter(
      ({ isFromClient, message }) => isFromClient && message.head.kind === "request",
    ).length;
    const until = recorded.isFull ? ", up to the record's largest size" : "";
    context.note(`replaying run ${recorded.id} of ${recorded.time}: ${count} requests${until}`);
    return serve({
      name: "replay",
      connect: () => new ReplayUpstream(recorded, log),
      ...{ stdio: openStdio(), log, redactor, commandLine, ...limits },
    });
  },
});

/** The run called `id`, else the last that holds a message. */
function chosen(runs: readonly RecordedRun[], file: string, id: string | undefined): RecordedRun {
  const named = id === undefined ? undefined : runs.find((run) => run.id === id);
  if (named !== undefined) return named;
  if (id === undefined) return runs.findLast(({ messages }) => messages.length > 0) ?? runs.at(-1)!;
  throw new BridgeError("usage", `${file} holds no run ${JSON.stringify(id)}`, {
    hint: `it holds ${runs.map((run) => run.id).join(", ")}`,
  });
}
