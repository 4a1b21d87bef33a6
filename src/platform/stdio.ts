/** stdin, stdout and signals without node's streams, which cost 9 ms at start. */
export interface Stdio {
  /** The first chunk of `input`, requested at once, for the early answer. */
  readonly first: Promise<IteratorResult<Uint8Array>>;
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: ReturnType<typeof Bun.stdout.writer>;
  /** Calls back with the number of the first signal that ends the program. */
  onSignal(end: (signal: number) => void): void;
  /** Calls back with an uncaught error, which then does not end the process. */
  onFault(end: (error: unknown) => void): void;
}

const faults = ["uncaughtException", "unhandledRejection"] as const;
const endSignals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

let opened: Stdio | undefined;

/** Opens stdin, stdout and the signals of this process. Every call returns the same object: stdin can be read only once. */
export function openStdio(): Stdio {
  opened ??= open();
  return opened;
}

function open(): Stdio {
  // Listen now: a signal that arrives before onSignal is called must not kill the process.
  const signalled = new Promise<number>((resolve) => {
    for (const [name, number] of Object.entries(endSignals))
      process.on(name, () => resolve(number));
  });
  let chunks: AsyncIterator<Uint8Array>;
  // A stdin that cannot be read throws here; inside the promise the error reaches the reader.
  const first = (async () => {
    chunks = (Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    return chunks.next();
  })();
  // The reader of `input` gets the error.
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

/** An iterable of the first chunk and all that follow. */
function behind(first: Stdio["first"], more: () => Stdio["first"]): AsyncIterable<Uint8Array> {
  let isFirst = true;
  const next = () => {
    if (!isFirst) return more();
    isFirst = false;
    return first;
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
