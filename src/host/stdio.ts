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

/** stdin, stdout and the signals of this process. */
export function openStdio(): Stdio {
  return {
    input: Bun.stdin.stream() as unknown as AsyncIterable<Uint8Array>,
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
