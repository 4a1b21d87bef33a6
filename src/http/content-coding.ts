// Content codings (RFC 9110 8.4): the bridge asks for none, and some servers and proxies compress all the same.
import { pipeline, Readable } from "node:stream";
import zlib from "node:zlib";
import { BridgeError } from "../wire/errors.ts";
import { cleanText } from "../wire/text.ts";

type Bytes = AsyncGenerator<Uint8Array, void, undefined>;

/** Most codings of one response. */
const maxCodings = 3;
/** A decoded body up to this size is accepted whatever its ratio. */
const freeBytes = 8 * 1024 * 1024;
/** Largest ratio of decoded to encoded bytes of a larger body. Tool results stay below it; decompression bombs reach 1000 and more. */
const maxRatio = 200;
/** Bytes that a decoder returns at a time. */
const chunkSize = 64 * 1024;

const { constants } = zlib;
// A truncated body is decoded as far as possible; its reader reports the missing end.
const early = { chunkSize, finishFlush: constants.Z_SYNC_FLUSH };

const decoders: Readonly<Record<string, (first: Uint8Array) => zlib.Unzip>> = {
  gzip: () => zlib.createGunzip(early),
  "x-gzip": () => zlib.createGunzip(early),
  // Some servers omit the zlib header (RFC 1950); the first byte shows whether it is present.
  deflate: ([first = 0]) =>
    (first & 0x8f) === 8 ? zlib.createInflate(early) : zlib.createInflateRaw(early),
  br: () =>
    zlib.createBrotliDecompress({ chunkSize, finishFlush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => zlib.createZstdDecompress({ chunkSize, finishFlush: constants.ZSTD_e_flush }),
};

/**
 * The response with its body decoded as it is read, and without the headers that describe the encoded one. Reading the
 * body rejects with `bad-answer` if it is not in the coding, or exceeds the size and ratio limits. Throws `bad-answer` for
 * a coding that is not known.
 */
export function decoded(response: Response, url: URL): Response {
  if (response.body === null) return response;
  const codings = codingsOf(response);
  const unknown = codings.find((coding) => !Object.hasOwn(decoders, coding));
  if (unknown !== undefined || codings.length > maxCodings) {
    response.body.cancel().catch(() => undefined);
    const which =
      unknown === undefined
        ? `${codings.length} codings`
        : `the coding "${cleanText(unknown, 64)}"`;
    throw badCoding(url, `answered in ${which}, though none was asked for`);
  }
  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  const { status, statusText } = response;
  const body = codings.length === 0 ? response.body : decodedStream(response.body, codings, url);
  return new Response(body, { status, statusText, headers });
}

/** Words that servers write into Content-Encoding although they are charsets or transfer encodings (RFC 2045 6.1): the body is not encoded. */
const noCodings = ["", "identity", "none", "utf-8", "utf8", "binary", "8bit", "7bit"];

/** The codings in the order in which they were applied. */
function codingsOf({ headers }: Response): string[] {
  const names = (headers.get("content-encoding") ?? "").toLowerCase().split(",");
  return names.map((name) => name.trim()).filter((name) => !noCodings.includes(name));
}

function badCoding(url: URL, what: string): BridgeError {
  return new BridgeError("bad-answer", `"${url.host}" ${what}`, {
    hint: "ask its operator to send answers uncompressed where a request says so",
  });
}

function decodedStream(
  encoded: ReadableStream<Uint8Array>,
  codings: readonly string[],
  url: URL,
): ReadableStream<Uint8Array> {
  const reader = encoded.getReader();
  let encodedBytes = 0;
  async function* source(): Bytes {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      encodedBytes += read.value.length;
      yield read.value;
    }
  }
  // Every decoding step is bounded: an intermediate result may be huge although the final result is small.
  async function* bounded(chunks: Bytes): Bytes {
    let decodedBytes = 0;
    for await (const chunk of chunks) {
      decodedBytes += chunk.length;
      if (decodedBytes > freeBytes && decodedBytes > encodedBytes * maxRatio) {
        void reader.cancel().catch(() => undefined);
        throw badCoding(
          url,
          `answered ${encodedBytes} bytes that decompress to ${decodedBytes} and more`,
        );
      }
      yield chunk;
    }
  }
  let body = source();
  for (const coding of codings.toReversed()) body = bounded(decode(body, coding, url));
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await body.next();
        if (done === true) return controller.close();
        controller.enqueue(value);
      },
      cancel(reason) {
        // Ends a pending read from the server, so that the decoders can free their memory.
        const cancelled = reader.cancel(reason);
        void body.return().catch(() => undefined);
        return cancelled;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Decodes one coding. Rejects with `bad-answer` if the bytes are not valid in this coding. */
async function* decode(encoded: Bytes, coding: string, url: URL): Bytes {
  const first = await encoded.next();
  if (first.done === true) return;
  let failure: unknown;
  async function* all(): Bytes {
    try {
      yield first.value as Uint8Array;
      yield* encoded;
    } catch (error) {
      failure = error;
      throw error;
    }
  }
  const decoder = decoders[coding]!(first.value);
  pipeline(Readable.from(all()), decoder, () => undefined);
  try {
    for await (const chunk of decoder) yield chunk;
  } catch {
    throw failure ?? badCoding(url, `announced a body in the coding "${coding}" and sent another`);
  }
}
