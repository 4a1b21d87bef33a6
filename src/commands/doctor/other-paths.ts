import { BridgeError } from "../../wire/errors.ts";
import type { HttpFacts } from "./http-facts.ts";
import { amended } from "./walk.ts";

/** Other places that are tried when the path of the URL answers 404. */
const triedPaths = ["/mcp", "/sse", "/"];
const pathMs = 3000;

/** The error for a path that is not there, with the places that did answer. */
export async function withOtherPaths(error: BridgeError, { settings, http, first }: HttpFacts) {
  const { url, name } = settings;
  const outcome = await first.outcome();
  const sent = outcome instanceof BridgeError ? {} : outcome.sent;
  const places = triedPaths
    .filter((path) => path !== url.pathname)
    .map((path) => new URL(path, url.origin));
  const found = await Promise.all(
    places.map(async (place) => {
      const isSse = place.pathname === "/sse";
      const accept = isSse ? "text/event-stream" : "application/json, text/event-stream";
      const body = isSse ? {} : { body: '{"jsonrpc":"2.0","id":0,"method":"ping"}' };
      const response = await http({
        method: isSse ? "GET" : "POST",
        url: place,
        headers: { ...sent, accept, ...(!isSse && { "content-type": "application/json" }) },
        ...body,
        signal: AbortSignal.timeout(pathMs),
      }).catch(() => undefined);
      const { status = 404, headers } = response ?? {};
      await response?.body?.cancel().catch(() => undefined);
      const isWebPage = (headers?.get("content-type") ?? "").startsWith("text/html");
      return status === 404 || status === 405 || isWebPage
        ? undefined
        : `${place.pathname} (${status})`;
    }),
  );
  const tried = places.map(({ pathname }) => pathname).join(", ");
  const good = found.filter((place) => place !== undefined);
  if (good.length === 0)
    return amended(error, {
      more: `; ${tried} were tried and answer no better`,
      newHint: (command) =>
        settings.adHoc === undefined
          ? `check the URL's path: ${command(`setup --server ${name} --url URL`)}`
          : "check the URL's path in the client's entry",
    });
  const [path] = good[0]!.split(" ");
  return amended(error, {
    more: `; of ${tried}, which were tried, ${good.join(" and ")} answered`,
    newHint: (command) =>
      settings.adHoc === undefined
        ? `try that path: ${command(`setup --server ${name} --url ${url.origin}${path}`)}`
        : `try that path in the client's entry: ${url.origin}${path}`,
  });
}
