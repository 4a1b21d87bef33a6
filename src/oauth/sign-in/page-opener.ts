import { type LoopbackServer, listenOnLoopback, type Peer } from "../../http/loopback-server.ts";
import { openBrowser } from "../../platform/browser.ts";
import type { Environment } from "../../platform/paths.ts";
import { isOwnConnection } from "../../platform/socket-owner.ts";
import { BridgeError } from "../../wire/errors.ts";

const headers = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  connection: "close",
};

const plain = (status: number, text: string) =>
  new Response(`${text}\n`, {
    status,
    headers: { ...headers, "content-type": "text/plain; charset=utf-8" },
  });

interface OpenerOptions {
  readonly env: Environment;
  /** Called if another user may have fetched the page's address: the sign-in must end with this error. */
  readonly onExposed: (error: BridgeError) => void;
  /** Whether this user made the connection; undefined if the owner cannot be determined. */
  readonly isOwn?: (peer: Peer, toPort: number) => boolean | undefined;
}

/**
 * Opens pages of one sign-in in the user's browser. Other users of the machine can read the arguments of programs, and
 * whoever has a page's address can finish the sign-in with an account of theirs. So the browser is given an
 * address on loopback that redirects to the page, once, and to this user alone.
 */
export class PageOpener implements AsyncDisposable {
  readonly #options: OpenerOptions;
  readonly #servers: LoopbackServer[] = [];

  constructor(options: OpenerOptions) {
    this.#options = options;
  }

  /** Resolves to false where no browser could be started. */
  async open(page: URL): Promise<boolean> {
    const path = `/${crypto.getRandomValues(new Uint8Array(16)).toHex()}`;
    let isFirst = true;
    const handle = (request: Request, peer: Peer | undefined): Response => {
      if (request.method !== "GET" || new URL(request.url).pathname !== path)
        return plain(404, "There is nothing here.");
      const isOwn = this.#isOwn(peer, server.port);
      if (isOwn === false) return plain(403, "Another user of this machine signs in here.");
      if (isFirst) {
        isFirst = false;
        return new Response(null, { status: 302, headers: { ...headers, location: page.href } });
      }
      // The first request may have come from another user.
      if (isOwn === undefined) this.#options.onExposed(exposedError());
      return plain(410, "This address was used already. Start the sign-in again.");
    };
    const server = await listenOnLoopback("127.0.0.1", 0, handle);
    this.#servers.push(server);
    return openBrowser(new URL(`http://127.0.0.1:${server.port}${path}`), this.#options.env);
  }

  #isOwn(peer: Peer | undefined, toPort: number): boolean | undefined {
    if (peer === undefined) return undefined;
    return (this.#options.isOwn ?? isOwnConnection)(peer, toPort);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
  }
}

function exposedError(): BridgeError {
  return new BridgeError(
    "sign-in-required",
    "the address that opens the sign-in page was fetched twice: another user of this machine may have it",
    { hint: "sign in again with login --no-browser" },
  );
}
