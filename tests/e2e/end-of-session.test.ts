// The DELETE of a session arrives over TLS from far away, and is left out where the configuration says so.
import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bridge } from "../fault/support/program.ts";
import { FaultServer } from "../fault/support/server.ts";
import { ownFolder } from "../support/folder.ts";

const certificates = join(import.meta.dir, "../fault/certificates");
const read = (name: string) => Bun.file(join(certificates, name)).text();

/** Passes bytes between its clients and a port, each way after `oneWayMs`. */
function farAway(port: number, oneWayMs: number) {
  type Side = { peer: Bun.Socket<Side> | undefined; early: Buffer[] };
  const later = (act: () => void) => void setTimeout(act, oneWayMs);
  const handlers = {
    data(socket: Bun.Socket<Side>, chunk: Buffer) {
      const copy = Buffer.from(chunk);
      const { data } = socket;
      later(() => (data.peer === undefined ? data.early.push(copy) : data.peer.write(copy)));
    },
    close: (socket: Bun.Socket<Side>) => later(() => void socket.data.peer?.end()),
  };
  return Bun.listen<Side>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      ...handlers,
      async open(near) {
        near.data = { peer: undefined, early: [] };
        const data: Side = { peer: near, early: [] };
        const far = await Bun.connect<Side>({
          hostname: "127.0.0.1",
          port,
          data,
          socket: handlers,
        });
        for (const chunk of near.data.early) far.write(chunk);
        near.data.peer = far;
      },
    },
  });
}

/** Runs a session to the end of its input; `idle` is waited for before that. */
async function methodsOfSession(entry: object, oneWayMs: number): Promise<string[]> {
  using folder = ownFolder();
  mkdirSync(folder.path, { recursive: true });
  using server = new FaultServer({
    sessions: true,
    tls: { cert: await read("good.pem"), key: await read("good.key") },
    name: "localhost",
    // Every connection is closed after its answer: the DELETE has to open one.
    headers: { Connection: "close" },
  }).start();
  const far = farAway(server.port, oneWayMs);
  const url = server.url.replace(String(server.port), String(far.port));
  const network = { caFile: join(certificates, "ca.pem") };
  const { argv, env } = bridge.prepare(folder.path, url, { network, ...entry });
  const lines = [
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":"2.0","id":2,"method":"tools/list"}',
  ];
  const stdin = new Blob([`${lines.join("\n")}\n`]);
  const child = Bun.spawn(argv, { env, cwd: folder.path, stdin, stderr: "ignore" });
  expect(await child.exited).toBe(0);
  // What was sent before the exit is still on its way.
  await Bun.sleep(4 * oneWayMs);
  far.stop(true);
  return server.requests.map(({ method, rpc }) => rpc || method);
}

test.each([1, 15, 40])(
  "over TLS the DELETE arrives from %i ms away",
  async (oneWayMs) => {
    const methods = await methodsOfSession({}, oneWayMs);
    expect(methods).toContain("tools/list");
    expect(methods.filter((method) => method === "DELETE")).toHaveLength(1);
  },
  20_000,
);

test('with "endSession": false no DELETE is sent', async () => {
  const methods = await methodsOfSession({ endSession: false }, 1);
  expect(methods).toContain("tools/list");
  expect(methods).not.toContain("DELETE");
}, 20_000);
