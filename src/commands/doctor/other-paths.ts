import {
  discard,
  mediaType,
  messageIn,
  readErrorText,
} from "../../upstream/transport/response-body.ts";
import { BridgeError } from "../../wire/errors.ts";
import { shellWord } from "../../wire/text.ts";
import type { HttpFacts } from "./http-facts.ts";
import { amended } from "./walk.ts";

/** Other places that are tried when the path of the URL answers 404. */
const usualPaths = ["/mcp", "/sse", "/"];
const pathMs = 3000;

/** Whether an MCP server may have answered so: with a message, with an event stream, or with a wish for a sign-in. */
async function isOfMcpServer(response: Response): Promise<boolean> {
  const { status } = response;
  if (status === 200 && mediaType(response) === "text/event-stream") {
    await discard(response);
    return true;
  }
  const text = await readErrorText(response);
  return status === 401 || messageIn(text) !== undefined;
}

/** The error for a path that is not there, with the places that did answer. */
export async function withOtherPaths(error: BridgeError, { settings, http, first }: HttpFacts) {
  const { url, name } = settings;
  const outcome = await first.outcome();
  const sent = outcome instanceof BridgeError ? {} : outcome.sent;
  const { pathname } = url;
  const bare = pathname.replace(/\/+$/, "");
  const other = pathname.endsWith("/") ? bare : `${bare}/`;
  const places = [...new Set([...usualPaths, other || "/", `${bare}/mcp`])]
    .filter((path) => path !== pathname)
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
      return response !== undefined && (await isOfMcpServer(response))
        ? `${place.pathname} (${response.status})`
        : undefined;
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
        ? `try that path: ${command(`setup --server ${name} --url ${shellWord(`${url.origin}${path}`)}`)}`
        : `try that path in the client's entry: ${url.origin}${path}`,
  });
}
