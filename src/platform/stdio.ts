/** The client's side of the process, without node's streams: those cost 9 ms at start. */
export interface Stdio {
  /** What `input` begins with, for whoever wants to know before it is read; it is asked for at once. */
  readonly first: Promise<IteratorResult<Uint8Array>>;
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

/** stdin, stdout and the signals of this process; the same at every call. */
export function openStdio(): Stdio {
  opened ??= open();
  return opened;
}

function open(): Stdio {
  // From here on a signal ends the bridge in good order, also one that comes before anybody asks.
  const signalled = new Promise<number>((resolve) => {
    for (const [name, number] of Object.entries(endSignals))
      process.on(name, () => resolve(number));
  });
  let chunks: AsyncIterator<Uint8Array>;
  // What cannot be read at all throws, even at the asking.
  const first = (async () => {
    chunks = (Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    return chunks.next();
  })();
  // Whoever reads learns of it.
  first.catch(() => undefined);
  return {
    first,
    input: behind(first, () => chunks.next()),
    output: Bun.stdout.writer(),
    onSignal: (end) => void signalled.then(end),
    onFault(end) {
      for (const event of faults) {
        process.removeAllListeners(event);
        process.on(event, end);
      }
    },
  };
}

/** The first chunk, and those that follow it. */
function behind(first: Stdio["first"], more: () => Stdio["first"]): AsyncIterable<Uint8Array> {
  let isFirst = true;
  const next = () => {
    if (!isFirst) return more();
    isFirst = false;
    return first;
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
