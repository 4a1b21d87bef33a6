import { Certificates } from "../../src/http/certificates.ts";
import { createHttp, type Http } from "../../src/http/client.ts";
import type { Log } from "../../src/platform/log.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { ServerCache } from "../../src/platform/server-cache.ts";
import { CombinedUpstream } from "../../src/relay/combined/combined.ts";
import { Output } from "../../src/relay/output.ts";
import { Relay } from "../../src/relay/relay.ts";
import { ServerLimits } from "../../src/relay/server-limits.ts";
import type { ClientFacts, Upstream } from "../../src/upstream/core/types.ts";
import type { Message } from "../../src/wire/message.ts";
import { commandLineFor } from "../../src/wire/program-facts.ts";

/** A log that keeps its events, so that a test can read them. */
export function memoryLog(): Log & { readonly events: string[] } {
  const events: string[] = [];
  const note = (event: string, fields = {}) =>
    void events.push(`${event} ${JSON.stringify(fields)}`);
  return {
    events,
    error: note,
    warn: note,
    info: note,
    debug: note,
    trace: note,
    toTerminal: () => undefined,
    writes: () => true,
  };
}

/** A relay in this process; the test plays its client. */
export interface RelayClient {
  readonly relay: Relay;
  readonly log: ReturnType<typeof memoryLog>;
  readonly facts: ClientFacts;
  /** Writes raw text to the relay's input. */
  write(text: string): void;
  /** Writes one message as a line. */
  send(message: object): void;
  /** The next line the relay wrote, as text. */
  line(): Promise<string>;
  /** The next line, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  next(): Promise<any>;
  /** Lines that the relay wrote and no call of next() took. */
  readonly rest: readonly string[];
  /** Ends the input and waits for the relay to have read it. */
  end(): Promise<void>;
}

export function relayClient(
  upstream: Upstream | ((client: ClientFacts) => Upstream),
  {
    timeoutMs = 60_000,
    limit = 1024 * 1024,
    answered,
    timeoutOf,
  }: {
    timeoutMs?: number;
    limit?: number;
    answered?: string;
    timeoutOf?: (message: Message) => number;
  } = {},
): RelayClient {
  const lines: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  let partial = "";
  const decoder = new TextDecoder();
  const output = new Output({
    write(bytes) {
      partial += decoder.decode(bytes, { stream: true });
      for (let at = partial.indexOf("\n"); at >= 0; at = partial.indexOf("\n")) {
        const line = partial.slice(0, at);
        partial = partial.slice(at + 1);
        const taker = waiting.shift();
        if (taker) taker(line);
        else lines.push(line);
      }
      return bytes.length;
    },
    flush: () => 0,
  });
  const log = memoryLog();
  const facts: ClientFacts = { name: "", capabilities: "{}", protocolVersion: "" };
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const made = typeof upstream === "function" ? upstream(facts) : upstream;
  const redactor = new Redactor();
  const relay = new Relay({
    name: "kb",
    // The servers of a combined run have limits of their own.
    upstream: made instanceof CombinedUpstream ? made : new ServerLimits(made),
    output,
    client: facts,
    log,
    redactor,
    commandLine: commandLineFor(undefined),
    answered,
    limit,
    timeoutMs,
    timeoutOf,
  });
  const done = relay.read(readable as unknown as AsyncIterable<Uint8Array>);
  const write = (text: string) => void writer.write(new TextEncoder().encode(text));
  const line = () => {
    const ready = lines.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise<string>((resolve) => waiting.push(resolve));
  };
  return {
    relay,
    log,
    facts,
    rest: lines,
    write,
    send: (message) => write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`),
    line,
    next: async () => JSON.parse(await line()),
    end: async () => {
      await writer.close();
      await done;
    },
  };
}

/** The HTTP client of the product, for tests on loopback. */
export function plainHttp(url: URL): Http {
  const log = memoryLog();
  const certificates = new Certificates({}, {}, new ServerCache(undefined, url, log), log);
  return createHttp({ network: {}, env: {}, certificates });
}
