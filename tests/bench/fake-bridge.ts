// A bridge with the faults that the first argument names, measured in place of the real one:
// bun fake-bridge.ts FAULTS run --server ENDPOINT --config-path FILE
const faults = (process.argv[2] ?? "").split(",");
const words = process.argv.slice(3);
const wordAfter = (option: string) => words[words.indexOf(option) + 1] ?? "";
const has = (fault: string) => faults.includes(fault);

const config = await Bun.file(wordAfter("--config-path")).json();
const url: string = config.servers[wordAfter("--server")].url;
const largeBytes = 500_000;
const atOnce = has("sockets") ? 1000 : 60;
const headers: Record<string, string> = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
};
const options = { headers, tls: { rejectUnauthorized: !has("trusts") } };
const queue: string[] = [];
const held: string[] = [];
let inFlight = 0;
let ended = false;

/** The output lines for one line. */
function spoiled(line: string): string[] {
  const progress = Number(/"progress":(\d+)/.exec(line)?.[1] ?? 0);
  if (progress > 0) {
    if (has("loses")) return progress % 2 === 0 ? [] : [line];
    if (has("repeats")) return progress % 2 === 0 ? [] : [line, line];
    if (has("doubles")) return [line, line];
    if (!has("delays") || progress > 1) return [line];
    held.push(line);
    return [];
  }
  if (has("cuts-results") && line.length > largeBytes)
    return [line.replace(/(brown fox.{1000})/, "")];
  if (has("garbles")) return [line.replace("pong", "ping"), ...held.splice(0)];
  return [line, ...held.splice(0)];
}

async function pass(line: string): Promise<void> {
  const isAbandoned = has("cuts-requests") && line.length > largeBytes;
  const body = isAbandoned ? line.replace(/(brown fox.{1000})/, "") : line;
  const response = await fetch(url, { ...options, method: "POST", body });
  const session = response.headers.get("mcp-session-id");
  if (session !== null) headers["mcp-session-id"] = session;
  const text = await response.text();
  const isStream = response.headers.get("content-type") === "text/event-stream";
  const lines = isStream ? [...text.matchAll(/^data: (.*)$/gm)].map((match) => match[1]!) : [text];
  const out = lines.filter((one) => one !== "").flatMap(spoiled);
  if (out.length > 0) await Bun.write(Bun.stdout, `${out.join("\n")}\n`);
}

async function end(): Promise<never> {
  if (headers["mcp-session-id"] !== undefined && !has("leaves"))
    await fetch(url, { ...options, method: "DELETE" });
  process.exit(0);
}

function next(): void {
  while (inFlight < atOnce && queue.length > 0) {
    inFlight++;
    // Without an answer the client sees the end of output.
    pass(queue.shift()!)
      .catch(() => process.exit(1))
      .finally(() => {
        inFlight--;
        next();
      });
  }
  if (ended && inFlight === 0) end();
}

let rest = "";
for await (const chunk of Bun.stdin.stream().pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  queue.push(...lines);
  next();
}
ended = true;
next();
