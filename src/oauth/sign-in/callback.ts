import { isLoopback } from "../../config/validators.ts";
import { type LoopbackServer, listenOnLoopback } from "../../http/loopback-server.ts";
import { callbackPage } from "./callback-page.ts";
import type { Prepared } from "./prepare.ts";

/** How the sign-in ended, for the page in the browser. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** The listener on this machine that receives the redirect. */
export interface Callback {
  readonly redirectUri: string;
  /** Undefined if the redirect URI is not on this machine: the user then pastes the response. */
  readonly port: number | undefined;
  /** Waits for the one response with this state; other requests get 400. Called again, it waits for another state. */
  wait(state: string): Promise<URLSearchParams>;
  /** Sends the waiting browser to another page, whose response wait() then waits for. */
  sendOn(url: URL): void;
  /** Answers the waiting browser, and closes. */
  end(outcome: Outcome): Promise<void>;
}

const headers = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  connection: "close",
} as const;

function page(status: number, outcome: Outcome, server: string): Response {
  const { html, policy } = callbackPage(outcome, server);
  return new Response(html, { status, headers: { ...headers, "content-security-policy": policy } });
}

/** The redirect URIs to try, in order; a configured redirect URI or port allows only one. */
function candidates({ context, knownRedirect }: Prepared): URL[] {
  const { redirectUri, callbackPort } = context.auth;
  if (redirectUri !== undefined) return [new URL(redirectUri)];
  if (callbackPort !== undefined) return [new URL(`http://127.0.0.1:${callbackPort}/callback`)];
  const known = knownRedirect === undefined ? null : URL.parse(knownRedirect);
  const fresh = new URL("http://127.0.0.1:0/callback");
  return known !== null && isLoopback(known) ? [known, fresh] : [fresh];
}

/** One response of the browser, and where its request leads. */
const newTurn = () => ({
  answered: Promise.withResolvers<URLSearchParams>(),
  ended: Promise.withResolvers<Outcome | URL>(),
});

/** Opens the listener of a sign-in: the registered port first, else a free one. Throws `configuration` where a configured port is taken. */
export async function openCallback(prepared: Prepared): Promise<Callback> {
  const { name } = prepared.context.server;
  let turn = newTurn();
  let expected: { state: string; path: string; port: number } | undefined;
  let place = { path: "/callback", port: 0 };

  const handle = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const suffix = place.port === 80 ? "" : `:${place.port}`;
    const hosts = [`127.0.0.1${suffix}`, `localhost${suffix}`, `[::1]${suffix}`];
    const isOurs =
      request.method === "GET" &&
      url.pathname === place.path &&
      hosts.includes(request.headers.get("host") ?? "") &&
      expected !== undefined &&
      url.searchParams.getAll("state").length === 1 &&
      url.searchParams.get("state") === expected.state;
    // A stray, forged or repeated request gets 400 and the wait continues; `state` is checked before `error`.
    if (!isOurs)
      return page(
        400,
        { ok: false, reason: "This request does not belong to the sign-in in progress." },
        name,
      );
    expected = undefined;
    const { answered, ended } = turn;
    answered.resolve(url.searchParams);
    const outcome = await ended.promise;
    if (outcome instanceof URL) {
      const { "content-type": _, ...plain } = headers;
      return new Response(null, { status: 302, headers: { ...plain, location: outcome.href } });
    }
    return page(outcome.ok ? 200 : 400, outcome, name);
  };

  let listener: LoopbackServer | undefined;
  const uris = candidates(prepared);
  let chosen = uris[0]!;
  for (const uri of uris) {
    chosen = uri;
    if (uri.protocol !== "http:" || !isLoopback(uri)) break;
    try {
      listener = await listenOnLoopback(uri.hostname, Number(uri.port || 80), handle);
      break;
    } catch (error) {
      if (uri === uris.at(-1)) throw error;
    }
  }
  const redirectUri = uriWithPort(prepared, chosen, listener?.port);
  place = { path: chosen.pathname, port: listener?.port ?? 0 };
  return {
    redirectUri,
    port: listener?.port,
    wait(state) {
      expected = { state, ...place };
      return turn.answered.promise;
    },
    sendOn(url) {
      turn.ended.resolve(url);
      turn = newTurn();
    },
    async end(outcome) {
      expected = undefined;
      turn.ended.resolve(outcome);
      await listener?.close();
    },
  };
}

/** A configured redirect URI is sent exactly as written; in any other, port 0 is replaced by the port that was opened. */
function uriWithPort({ context }: Prepared, uri: URL, port: number | undefined): string {
  if (context.auth.redirectUri !== undefined) return context.auth.redirectUri;
  if (port !== undefined && uri.port === "0") return `http://127.0.0.1:${port}${uri.pathname}`;
  return uri.href;
}
