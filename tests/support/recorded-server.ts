import { readFileSync } from "node:fs";
import type { Http } from "../../src/http/client.ts";

interface Exchange {
  method: string;
  rpc: unknown;
  status: number;
  headers: Record<string, string>;
  texts: string[];
  end: string;
}

/**
 * The HTTP side of a record of `run --record` as an HTTP client without a network: each request gets the first response
 * not used yet to a request with its HTTP and JSON-RPC method. A fault that was recorded happens again.
 */
export function recordedServer(path: string): Http {
  const exchanges = new Map<number, Exchange>();
  for (const text of readFileSync(path, "utf8").trimEnd().split("\n")) {
    const line = JSON.parse(text);
    if (line.method !== undefined) {
      const { http, method, body } = line;
      const rpc = body?.method;
      exchanges.set(http, { method, rpc, status: 0, headers: {}, texts: [], end: "" });
    }
    const exchange = exchanges.get(line.http);
    if (exchange === undefined) continue;
    if (line.status !== undefined) Object.assign(exchange, { status: line.status });
    if (line.status !== undefined) exchange.headers = line.headers;
    if (line.text !== undefined)
      exchange.texts.push(typeof line.text === "string" ? line.text : JSON.stringify(line.text));
    if (line.end !== undefined) exchange.end = line.end;
  }
  const left = [...exchanges.values()];
  return async ({ method, body }) => {
    const text = typeof body === "string" ? body : new TextDecoder().decode(body);
    const rpc = text === "" ? undefined : JSON.parse(text).method;
    const at = left.findIndex((one) => one.method === method && one.rpc === rpc);
    const [exchange] = at < 0 ? [] : left.splice(at, 1);
    if (exchange === undefined) throw new Error(`not in the record: ${method} ${rpc}`);
    const { status, headers, texts, end } = exchange;
    const parts = texts.map((part) => new TextEncoder().encode(part));
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        const part = parts.shift();
        if (part !== undefined) controller.enqueue(part);
        else if (end === "broken") controller.error(new Error("the connection was closed"));
        else controller.close();
      },
    });
    const { "content-length": _, ...kept } = headers;
    return new Response([202, 204, 304].includes(status) ? null : stream, {
      status,
      headers: kept,
    });
  };
}
