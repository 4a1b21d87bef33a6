import type { Stdio } from "../platform/stdio.ts";
import type { CachedPage } from "../upstream/catalog/entry.ts";
import type { Ask, ClientFacts, Upstream } from "../upstream/core/types.ts";
import { asBridgeError } from "../wire/errors.ts";
import { Output } from "./output.ts";
import { Relay, type RelayOptions } from "./relay.ts";

/** The answer to initialize that was written before the rest of the bridge was loaded. */
export interface Answered {
  /** The id of its request, as the client wrote it. */
  readonly id: string;
  readonly page: CachedPage;
  /** The output that it was written to. */
  readonly output: Output;
}

export interface ServeOptions
  extends Omit<RelayOptions, "upstream" | "output" | "client" | "answered"> {
  /** Builds the upstream, with its limits; `ask` reaches the client. */
  readonly connect: (client: ClientFacts, ask: Ask) => Upstream;
  readonly stdio: Stdio;
  /** The answer that the client's first message has got already. */
  readonly answered?: Answered | undefined;
}

/** How long calls under way may take after the client has closed stdin. */
const graceMs = 5000;
/** Longest wait for the answer to the DELETE at exit; the transport waits less if the round trip is short. */
const deleteGraceMs = 300;

type End =
  | { readonly by: "eof" }
  | { readonly by: "reader" }
  | { readonly by: "fault" }
  | { readonly by: "signal"; readonly signal: number };

/**
 * Serves one client until stdin ends, stdout is closed or a signal comes. Resolves to the exit code: 0 if every request was
 * answered, 1 if not or after a defect of the bridge, 128 + n after signal n.
 */
export async function serve(options: ServeOptions): Promise<number> {
  const { connect, stdio, answered: before, ...rest } = options;
  const output = before?.output ?? new Output(stdio.output);
  const client: ClientFacts = { name: "", capabilities: "{}", protocolVersion: "" };
  const upstream = connect(client, (request, signal) => relay.ask(request, signal));
  const relay = new Relay({ upstream, output, client, answered: before?.id, ...rest });
  const signalled = new Promise<End>((resolve) => {
    stdio.onSignal((signal) => resolve({ by: "signal", signal }));
  });
  const fault = (error: unknown): End => {
    rest.log.error("a defect of the bridge", { error: asBridgeError(error).message });
    return { by: "fault" };
  };
  const faulted = new Promise<End>((resolve) => {
    stdio.onFault((error) => resolve(fault(error)));
  });
  const end = await Promise.race([
    faulted,
    relay.read(stdio.input).then((): End => ({ by: "eof" }), fault),
    output.closed.then((): End => ({ by: "reader" })),
    signalled,
  ]);
  const answered =
    end.by === "eof" && (await Promise.race([relay.finish(graceMs), signalled, faulted]));
  // The DELETE is sent before any other wait: the process that sent a signal may kill the bridge soon.
  const closed = upstream.close(deleteGraceMs).catch(() => undefined);
  if (answered !== true) await relay.finish(0);
  await Promise.race([Promise.all([closed, output.drain()]), output.closed, Bun.sleep(graceMs)]);
  rest.log.info("closed", { by: end.by });
  if (end.by === "signal") return 128 + end.signal;
  if (typeof answered === "object" && answered.by === "signal") return 128 + answered.signal;
  return answered === true ? 0 : 1;
}
