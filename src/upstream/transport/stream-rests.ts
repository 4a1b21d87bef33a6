// What is left of an event stream behind its answer.

type BodyReader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

/** Longest wait for the rest of a stream, and most bytes that are read of it. */
const restMs = 1000;
const restBytes = 64 * 1024;
/** Most rests that are read at a time before the server has ended a stream. */
const mostAtFirst = 8;

/**
 * Reads the streams of one server to their ends. A connection can be used again only then: where a stream is cancelled, the
 * next request needs a new TCP and TLS handshake. A server that leaves a stream open gets its later ones cancelled at once.
 */
export class StreamRests {
  #underWay = 0;
  /** Whether the server ends its streams behind the answer; undefined before the first. */
  #endsStreams: boolean | undefined;

  /** Reads a stream to its end, within bounds, then cancels it. Never rejects. */
  async read(reader: BodyReader): Promise<void> {
    const mayRead = this.#endsStreams ?? this.#underWay < mostAtFirst;
    if (mayRead) {
      this.#underWay++;
      const isEnded = await readRest(reader);
      this.#underWay--;
      this.#endsStreams = isEnded && this.#endsStreams !== false;
    }
    reader.cancel().catch(() => undefined);
  }
}

/** Whether the stream ended. */
async function readRest(reader: BodyReader): Promise<boolean> {
  let isLate = false;
  const stop = () => {
    isLate = true;
    reader.cancel().catch(() => undefined);
  };
  const timer = setTimeout(stop, restMs);
  timer.unref();
  try {
    for (let bytes = 0; bytes <= restBytes; ) {
      const { done, value } = await reader.read();
      if (done) return !isLate;
      bytes += value.length;
    }
    return false;
  } catch {
    // The connection broke: there is nothing left to use.
    return true;
  } finally {
    clearTimeout(timer);
  }
}
