import type { Exchange } from "../fault/support/exchange.ts";
import type { FaultServer } from "../fault/support/server.ts";

/** Random numbers from 0 to 1 for a seed (mulberry32), so that a soak can be repeated. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The faults of the soak; each says whether it executes the call. */
const faults: ((x: Exchange) => unknown)[] = [
  (x) => x.connection.reset(),
  (x) => x.connection.end(),
  (x) => {
    x.execute();
    x.connection.reset();
  },
  async (x) => {
    const text = x.execute();
    await x.head(200, { "Content-Type": "application/json", "Content-Length": `${text.length}` });
    await x.connection.write(text.slice(0, 20));
    x.connection.end();
  },
  (x) => x.answer(503, "later", { "Content-Type": "text/plain", "Retry-After": "0" }),
  (x) => x.answer(429, "later", { "Content-Type": "text/plain", "Retry-After": "0" }),
  (x) => x.answer(500, "broken", { "Content-Type": "text/plain" }),
  (x) => {
    x.execute();
    return x.answer(502, "<html>", { "Content-Type": "text/html" });
  },
  (x) => {
    x.execute();
    return x.answer(200, "not JSON");
  },
  async (x) => {
    const text = x.execute();
    await x.events();
    await x.event('{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"x"}}');
    await x.event(text);
    x.connection.end();
  },
  async (x) => {
    x.execute();
    await x.events();
    x.connection.reset();
  },
  (x) => {
    x.server.sessions.clear();
    return x.answer(404, "no session", { "Content-Type": "text/plain" });
  },
  async (x) => {
    const text = x.execute();
    await Bun.sleep(50);
    await x.json(text);
  },
];

/** Makes a tenth of the calls meet a fault, each kind equally often. */
export function bringWeather(server: FaultServer, seed: number, share = 0.1): void {
  const next = random(seed);
  server.respond = (x) => {
    if (x.rpc !== "tools/call" || next() >= share) return false;
    void faults[Math.floor(next() * faults.length)]?.(x);
    return true;
  };
}
