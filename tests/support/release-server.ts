// A release address on loopback, and scripts/install.sh run against it.

import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";

export const script = join(import.meta.dir, "../../scripts/install.sh");
export const certificates = join(import.meta.dir, "../fault/certificates");
export const name = "codex-mcp-http-bridge";
/** An executable of the given version, for any platform. */
export const programOf = (version: string) => `#!/bin/sh\necho ${name} ${version}\n`;
export const sumOf = (content: string | Uint8Array) =>
  new Bun.CryptoHasher("sha256").update(content).digest("hex");

const linux = ["linux-x64", "linux-x64-musl", "linux-arm64", "linux-arm64-musl"];

/** The gzip form of an executable for each platform of Linux, by file name. */
export function gzipForms(version: string, program: string | Uint8Array = programOf(version)) {
  const packed = Bun.gzipSync(Buffer.from(program as string), { level: 1 });
  return Object.fromEntries(
    linux.map((platform) => [`${name}-${version}-${platform}.gz`, packed as string | Uint8Array]),
  );
}

/** The plain executable for each platform of Linux, as `./build.sh --all` leaves them in dist/. */
export const plainForms = (program: string | Uint8Array) =>
  Object.fromEntries(
    linux.map((platform) => [`${platform}/${name}`, program as string | Uint8Array]),
  );

/** SHA256SUMS of the files. */
export const sumsOf = (files: Readonly<Record<string, string | Uint8Array>>) =>
  Object.entries(files)
    .map(([path, content]) => `${sumOf(content)}  ${path}\n`)
    .join("");

/** A request that the server received. */
interface Received {
  readonly path: string;
  readonly range: string | undefined;
}

export class ReleaseServer implements AsyncDisposable {
  /** Contents by path below the address. */
  files: Record<string, string | Uint8Array> & { SHA256SUMS?: string } = {};
  readonly requests: Received[] = [];
  /** Takes a request over from the server if it returns true. */
  handle: (request: Received, response: ServerResponse) => boolean = () => false;
  readonly #server = createServer(
    {
      cert: readFileSync(join(certificates, "good.pem")),
      key: readFileSync(join(certificates, "good.key")),
    },
    (request, response) => {
      const path = decodeURIComponent((request.url ?? "").slice("/releases/".length));
      const received = { path, range: request.headers.range };
      this.requests.push(received);
      if (this.handle(received, response)) return;
      const content = this.files[path];
      if (content === undefined) response.writeHead(404).end();
      else this.#send(Buffer.from(content as string), received.range, response);
    },
  );

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get address(): string {
    return `https://127.0.0.1:${(this.#server.address() as { port: number }).port}/releases/`;
  }

  /** Replaces the files and writes their SHA256SUMS. */
  publish(files: Readonly<Record<string, string | Uint8Array>>): void {
    this.files = { ...files, SHA256SUMS: sumsOf(files) };
  }

  #send(content: Buffer, range: string | undefined, response: ServerResponse): void {
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    if (from > 0 && from >= content.length) {
      response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
      return;
    }
    const rest = content.subarray(from);
    const partial = from > 0 && {
      "content-range": `bytes ${from}-${content.length - 1}/${content.length}`,
    };
    response.writeHead(from > 0 ? 206 : 200, { "content-length": rest.length, ...partial });
    response.end(rest);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

export interface InstallOptions {
  /** Home and current folder. */
  readonly home: string;
  /** The https address to download from; "" for none. */
  readonly address: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The words that start the script, such as `["sh", script]`. */
  readonly command?: readonly string[];
  /** Text for the standard input, such as the script itself. */
  readonly stdin?: string;
}

/** Runs install.sh with the arguments. */
export async function install(words: readonly string[], options: InstallOptions) {
  const { home, address, env = {}, command = ["sh", script], stdin } = options;
  const child = Bun.spawn([...command, ...words], {
    env: {
      PATH: process.env.PATH ?? "",
      HOME: home,
      CURL_CA_BUNDLE: join(certificates, "ca.pem"),
      CODEX_MCP_BRIDGE_RELEASES: address,
      ...env,
    },
    cwd: home,
    stdin: stdin === undefined ? "ignore" : new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}
