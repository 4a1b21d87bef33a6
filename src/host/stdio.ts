/** The client's side of the process, without node's streams: those cost 9 ms at start. */
export interface Stdio {
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: ReturnType<typeof Bun.stdout.writer>;
  /** Calls back with the number of the first signal that asks us to end. */
  onSignal(end: (signal: number) => void): void;
  /** Calls back with what was thrown where nobody catches, in place of the end of the process. */
  onFault(end: (error: unknown) => void): void;
}

const faults = ["uncaughtException", "unhandledRejection"] as const;
const endSignals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

let opened: Stdio | undefined;

/** stdin, stdout and the signals of this process. What the client says first is read from the first call on. */
export function openStdio(): Stdio {
  opened ??= open();
  return opened;
}

function open(): Stdio {
  const stream = Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>;
  return {
    input: readAhead(stream[Symbol.asyncIterator]()),
    output: Bun.stdout.writer(),
    onSignal(end) {
      for (const [name, number] of Object.entries(endSignals)) process.on(name, () => end(number));
    },
    onFault(end) {
      for (const event of faults) {
        process.removeAllListeners(event);
        process.on(event, end);
      }
    },
  };
}

/** The same chunks; the first is asked for at once. */
function readAhead(chunks: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  let ahead: ReturnType<typeof chunks.next> | undefined = chunks.next();
  // Whoever reads learns of it.
  ahead.catch(() => undefined);
  const next = () => {
    const first = ahead;
    ahead = undefined;
    return first ?? chunks.next();
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
