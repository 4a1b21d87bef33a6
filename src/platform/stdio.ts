/** stdin, stdout and signals without Node's streams, which would add 9 ms to the start. */
export interface Stdio {
  /** The first chunk of `input`, requested immediately; the early answer needs it. */
  readonly first: Promise<IteratorResult<Uint8Array>>;
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: Pick<ReturnType<typeof Bun.stdout.writer>, "write" | "flush">;
  /** Calls back with the number of the first signal that ends the program. */
  onSignal(callback: (signal: number) => void): void;
  /** Calls back with each uncaught error; the error then does not end the process. */
  onFault(callback: (error: unknown) => void): void;
}

const faults = ["uncaughtException", "unhandledRejection"] as const;
const endSignals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

let opened: Stdio | undefined;

/** Opens stdin, stdout and signal handlers of this process. Every call returns one shared object: stdin can be read only once. */
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
  let chunks: AsyncIterator<Uint8Array> | undefined;
  // An unreadable stdin throws here; the async function turns the error into a rejection for the reader.
  const first = (async () => {
    chunks = (Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    return chunks.next();
  })();
  // The reader of `input` gets the error; without this it would also be an unhandled rejection.
  first.catch(() => undefined);
  return {
    first,
    // An unreadable stdin has no further chunks: its error is told again.
    input: startingWith(first, () => chunks?.next() ?? first),
    output: Bun.stdout.writer(),
    onSignal: (callback) => void signalled.then(callback),
    onFault(callback) {
      for (const event of faults) {
        process.removeAllListeners(event);
        process.on(event, callback);
      }
    },
  };
}

/** An iterable of `first` and then of the chunks from `more`. */
function startingWith(
  first: Stdio["first"],
  more: () => Stdio["first"],
): AsyncIterable<Uint8Array> {
  let isFirst = true;
  const next = () => {
    if (!isFirst) return more();
    isFirst = false;
    return first;
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
