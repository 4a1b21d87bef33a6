// The clients of the measures: one over a bridge's stdin and stdout, one directly to the server.
// They keep only the first and last bytes of each line, so large answers use no memory here.

/** The parts of a received message that a client keeps. */
export interface Arrived {
  /** At most its first 400 bytes, as Latin-1. */
  readonly head: string;
  readonly bytes: number;
  /** When its last byte was read, `performance.now()`. */
  readonly at: number;
}

export interface Client {
  /** Process id of the bridge; undefined without one. */
  readonly pid: number | undefined;
  /** Sends a request whose id is `id`; resolves with its answer. */
  ask(id: number, line: Uint8Array | string): Promise<Arrived>;
  /** Sends a message that has no answer. */
  tell(line: string): Promise<void>;
  /** Called for every message that is not an answer. */
  onOther: ((message: Arrived) => void) | undefined;
  /** Ends the connection; resolves to the milliseconds until the bridge exited. */
  end(): Promise<number>;
}

const keptBytes = 400;

/** A child that runs for longer after the end of its input is killed. */
export const killedAfterMs = 10_000;

/** Cuts a stream into messages and keeps the first and last bytes of each. */
class Meter {
  #head = Buffer.allocUnsafe(keptBytes);
  #headBytes = 0;
  #tail = Buffer.alloc(64);
  #bytes = 0;
  readonly #take: (message: Arrived, tail: string) => void;

  constructor(take: (message: Arrived, tail: string) => void) {
    this.#take = take;
  }

  feed(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      this.#add(chunk.subarray(from, at));
      this.finish();
      from = at + 1;
    }
    if (from < chunk.length) this.#add(chunk.subarray(from));
  }

  finish(): void {
    if (this.#bytes === 0) return;
    const head = this.#head.toString("latin1", 0, this.#headBytes);
    const tail = this.#bytes > keptBytes ? this.#tail.toString("latin1") : "";
    const bytes = this.#bytes;
    this.#headBytes = 0;
    this.#bytes = 0;
    this.#take({ head, bytes, at: performance.now() }, tail);
  }

  #add(piece: Uint8Array): void {
    this.#bytes += piece.length;
    const room = keptBytes - this.#headBytes;
    if (room > 0) {
      this.#head.set(piece.subarray(0, room), this.#headBytes);
      this.#headBytes += Math.min(room, piece.length);
    }
    if (piece.length >= 64) this.#tail.set(piece.subarray(-64));
    else {
      this.#tail.copyWithin(0, piece.length);
      this.#tail.set(piece, 64 - piece.length);
    }
  }
}

/** Id of an answer; undefined for a notification. The id is the first or the last member. */
function answeredId(head: string, tail: string): number | undefined {
  if (head.includes('"method":')) return undefined;
  const id = /"id":(\d+)/.exec(head) ?? /"id":(\d+)[^"]*$/.exec(tail);
  return id === null ? undefined : Number(id[1]);
}

const isError = ({ head }: Arrived): boolean => head.includes('"error":{');

/** A bridge as a child process. */
export class StdioClient implements Client {
  onOther: Client["onOther"];
  readonly #child: Bun.Subprocess<"pipe", "pipe", "ignore">;
  readonly #waiting = new Map<number, PromiseWithResolvers<Arrived>>();
  #isFlushing = false;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = Bun.spawn([...command], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      env: { ...env },
    });
    this.#read().catch((error) => this.#fail(error));
  }

  get pid(): number {
    return this.#child.pid;
  }

  ask(id: number, line: Uint8Array | string): Promise<Arrived> {
    const waiting = Promise.withResolvers<Arrived>();
    this.#waiting.set(id, waiting);
    this.#write(line);
    return waiting.promise;
  }

  async tell(line: string): Promise<void> {
    this.#write(line);
  }

  async end(): Promise<number> {
    const from = performance.now();
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), killedAfterMs);
    await this.#child.exited;
    clearTimeout(timer);
    return performance.now() - from;
  }

  #write(line: Uint8Array | string): void {
    this.#child.stdin.write(line);
    this.#child.stdin.write("\n");
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // Requests of one turn of the event loop go out in one write.
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#child.stdin.flush();
    });
  }

  async #read(): Promise<void> {
    const meter = new Meter((message, tail) => {
      const id = answeredId(message.head, tail);
      const waiting = id === undefined ? undefined : this.#waiting.get(id);
      if (waiting === undefined) {
        this.onOther?.(message);
        return;
      }
      this.#waiting.delete(id!);
      if (isError(message)) waiting.reject(new Error(message.head));
      else waiting.resolve(message);
    });
    for await (const chunk of this.#child.stdout) meter.feed(chunk);
    this.#fail(new Error("the bridge ended its output"));
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** No bridge: the fetch of Bun with keep-alive connections. */
export class DirectClient implements Client {
  readonly pid = undefined;
  onOther: Client["onOther"];
  readonly #url: string;
  readonly #ca: string | undefined;
  readonly #headers: Record<string, string> = {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };

  constructor(url: string, ca: string | undefined) {
    this.#url = url;
    this.#ca = ca;
  }

  async ask(_id: number, line: Uint8Array | string): Promise<Arrived> {
    const response = await this.#post(line);
    const session = response.headers.get("mcp-session-id");
    if (session !== null) this.#headers["mcp-session-id"] = session;
    let last: Arrived | undefined;
    const isStream = response.headers.get("content-type") === "text/event-stream";
    const meter = new Meter((message) => {
      if (isStream && !message.head.startsWith("data:")) return;
      if (message.head.includes('"method":')) this.onOther?.(message);
      else last = message;
    });
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
      meter.feed(chunk);
    meter.finish();
    if (last === undefined || isError(last)) throw new Error(last?.head ?? "no answer");
    return last;
  }

  async tell(line: string): Promise<void> {
    await (await this.#post(line)).bytes();
  }

  async end(): Promise<number> {
    return 0;
  }

  #post(line: Uint8Array | string): Promise<Response> {
    return fetch(this.#url, {
      method: "POST",
      headers: this.#headers,
      body: line,
      timeout: false,
      ...(this.#ca !== undefined && { tls: { ca: this.#ca } }),
    } as BunFetchRequestInit);
  }
}
