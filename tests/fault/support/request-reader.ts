/** One HTTP request as text; header names in lower case. */
export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const headEnd = new TextEncoder().encode("\r\n\r\n");

/** Cuts one socket's bytes into HTTP/1.1 requests (Content-Length or chunked bodies). */
export class RequestReader {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #needed = 0;

  feed(bytes: Uint8Array): RawRequest[] {
    this.#chunks.push(bytes.slice());
    this.#size += bytes.byteLength;
    const out: RawRequest[] = [];
    while (this.#size >= this.#needed) {
      const request = this.#next();
      if (request === undefined) break;
      out.push(request);
    }
    return out;
  }

  #next(): RawRequest | undefined {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    const end = all.indexOf(headEnd);
    if (end < 0) {
      this.#needed = this.#size + 1;
      return undefined;
    }
    const [first = "", ...lines] = all.toString("latin1", 0, end).split("\r\n");
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const start = end + headEnd.byteLength;
    const body =
      headers["transfer-encoding"] === "chunked"
        ? readChunked(all, start)
        : readLength(all, start, Number(headers["content-length"] ?? 0));
    if (typeof body === "number") {
      this.#needed = body;
      return undefined;
    }
    const rest = all.subarray(body.end);
    this.#chunks = [rest];
    this.#size = rest.byteLength;
    this.#needed = 1;
    const [method = "", path = ""] = first.split(" ");
    return { method, path, headers, body: body.text };
  }
}

/** The body and where it ends, or the size the buffer must reach first. */
function readLength(all: Buffer, start: number, length: number) {
  const end = start + length;
  return all.byteLength < end ? end : { text: all.toString("utf8", start, end), end };
}

function readChunked(all: Buffer, start: number) {
  const parts: Buffer[] = [];
  for (let at = start; ; ) {
    const line = all.indexOf("\r\n", at);
    if (line < 0) return all.byteLength + 1;
    const size = Number.parseInt(all.toString("latin1", at, line), 16);
    const next = line + 2 + size + 2;
    if (all.byteLength < next) return next;
    if (size === 0) return { text: Buffer.concat(parts).toString("utf8"), end: next };
    parts.push(all.subarray(line + 2, line + 2 + size));
    at = next;
  }
}
