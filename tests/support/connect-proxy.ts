import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "bun";

/** An HTTP proxy on loopback that requires a user name and a password. */
export interface ConnectProxy {
  readonly port: number;
  /** Hosts that tunnels were opened to. */
  tunnels(): string[];
  stop(): Promise<void>;
}

export const proxyUser = "corp";
export const proxyPassword = "corporatepass0123";

interface Ends {
  upstream?: Socket<Ends>;
  waiting: Uint8Array[];
  head: string;
}

/** A proxy for machines without tinyproxy. It knows CONNECT with Basic authentication only. */
export function startOwnProxy(): ConnectProxy {
  const tunnels: string[] = [];
  const expected = `basic ${btoa(`${proxyUser}:${proxyPassword}`)}`.toLowerCase();
  const listener = Bun.listen<Ends>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { waiting: [], head: "" };
      },
      data: (socket, bytes) => {
        const ends = socket.data;
        if (ends.head.endsWith("\r\n\r\n")) {
          if (ends.upstream === undefined) ends.waiting.push(bytes.slice());
          else ends.upstream.write(bytes);
          return;
        }
        ends.head += new TextDecoder("latin1").decode(bytes);
        if (!ends.head.endsWith("\r\n\r\n")) return;
        const target = /^CONNECT (\S+):(\d+) HTTP/.exec(ends.head);
        const sent = /^proxy-authorization: (.*)$/im.exec(ends.head)?.[1]?.trim().toLowerCase();
        if (target === null || sent !== expected) {
          socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
          return;
        }
        tunnels.push(target[1]!);
        void tunnel(socket, target[1]!, Number(target[2]));
      },
      close: (socket) => {
        socket.data.upstream?.end();
      },
      error: () => undefined,
    },
  });
  return {
    port: listener.port,
    tunnels: () => tunnels,
    stop: async () => listener.stop(true),
  };
}

async function tunnel(socket: Socket<Ends>, hostname: string, port: number): Promise<void> {
  socket.data.upstream = await Bun.connect<Ends>({
    hostname,
    port,
    data: { waiting: [], head: "" },
    socket: {
      data: (_, bytes) => void socket.write(bytes),
      close: () => void socket.end(),
      error: () => undefined,
    },
  });
  socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
  for (const bytes of socket.data.waiting) socket.data.upstream.write(bytes);
}

/** Debian's tinyproxy, with that user name and password. */
export async function startTinyproxy(program: string): Promise<ConnectProxy> {
  const folder = mkdtempSync(join(tmpdir(), "bridge-tinyproxy-"));
  const port = 10_240 + Math.floor(Math.random() * 22_000);
  const log = join(folder, "log");
  const settings = [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Allow 127.0.0.1",
    `BasicAuth ${proxyUser} ${proxyPassword}`,
    `LogFile "${log}"`,
    "LogLevel Connect",
    "Timeout 60",
  ];
  writeFileSync(join(folder, "conf"), `${settings.join("\n")}\n`);
  const child = Bun.spawn([program, "-d", "-c", join(folder, "conf")], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  for (let tries = 0; !(await accepts(port)); tries += 1) {
    if (tries > 200) throw new Error("tinyproxy does not start");
    await Bun.sleep(25);
  }
  return {
    port,
    tunnels: () =>
      [...readFileSync(log, "utf8").matchAll(/CONNECT (\S+?):\d+ HTTP/g)].map(
        ([, host]) => host ?? "",
      ),
    stop: async () => {
      child.kill();
      await child.exited;
      rmSync(folder, { recursive: true });
    },
  };
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
