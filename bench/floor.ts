// The floor: the smallest Bun program between stdin and a Streamable HTTP server. It checks nothing and handles no
// errors; it shows the cost of the run time itself. Compiled with the flags of build.sh. It limits the requests in
// flight, because Bun would open thousands of sockets otherwise.

const url = process.argv[2]!;
const maxInFlight = 60;
const headers: Record<string, string> = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};
const out = Bun.stdout.writer();
const lineFeed = new Uint8Array([0x0a]);
const queue: Uint8Array[] = [];
let inFlight = 0;
let ended = false;

async function write(bytes: Uint8Array): Promise<void> {
  out.write(bytes);
  out.write(lineFeed);
  await out.flush();
}

/** Writes the data of each `data: ` line of an event stream to stdout. */
async function passEvents(body: ReadableStream<Uint8Array>): Promise<void> {
  let pieces: Uint8Array[] = [];
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      pieces.push(chunk.subarray(from, at));
      const line = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
      pieces = [];
      from = at + 1;
      if (line[0] !== 0x64) continue;
      out.write(line.subarray(6));
      out.write(lineFeed);
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
    await out.flush();
  }
}

async function pass(line: Uint8Array): Promise<void> {
  const response = await fetch(url, { method: "POST", headers, body: line, timeout: false });
  const session = response.headers.get("mcp-session-id");
  if (session !== null) headers["mcp-session-id"] = session;
  const type = response.headers.get("content-type");
  if (type === "text/event-stream") await passEvents(response.body!);
  else {
    const bytes = await response.bytes();
    if (bytes.length > 0) await write(bytes);
  }
}

function next(): void {
  while (inFlight < maxInFlight && queue.length > 0) {
    inFlight++;
    pass(queue.shift()!).finally(() => {
      inFlight--;
      next();
    });
  }
  if (ended && inFlight === 0) process.exit(0);
}

let pieces: Uint8Array[] = [];
for await (const chunk of Bun.stdin.stream()) {
  let from = 0;
  for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
    pieces.push(chunk.subarray(from, at));
    queue.push(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    pieces = [];
    from = at + 1;
  }
  if (from < chunk.length) pieces.push(chunk.subarray(from));
  next();
}
ended = true;
next();
