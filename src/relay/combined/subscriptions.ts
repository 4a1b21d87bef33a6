// A stateless client's subscriptions/listen at all servers (MCP 2026-07-28 basic/utilities/subscriptions).
import { abortable } from "../../platform/async.ts";
import { pauses } from "../../upstream/catalog/lists.ts";
import type { RequestIds } from "../../upstream/core/request-ids.ts";
import { inSubscription } from "../../upstream/core/stateless-protocol.ts";
import type { Deliver } from "../../upstream/core/types.ts";
import { changes as filters } from "../../upstream/protocol/stateless-client.ts";
import { type Message, notificationOf, requestOf } from "../../wire/message.ts";
import type { Changes } from "./changes.ts";
import type { FromServers } from "./from-servers.ts";
import type { Member } from "./member.ts";
import type { ResourceRoutes } from "./resources.ts";

interface SubscriptionsOptions {
  readonly members: readonly Member[];
  readonly ids: RequestIds;
  readonly changes: Changes;
  readonly fromServers: FromServers;
  readonly resources: ResourceRoutes;
}

/** First pause before a stream that ended is opened again. */
const againMs = 1000;

/** Serves one subscriptions/listen until the client ends it. */
export async function listenToAll(
  message: Message,
  { members, ids, changes, fromServers, resources }: SubscriptionsOptions,
  deliver: Deliver,
  signal: AbortSignal,
): Promise<void> {
  const id = message.head.id!;
  const filter = (message.value(["params", "notifications"]) ?? {}) as {
    readonly [name: string]: unknown;
    readonly resourceSubscriptions?: unknown;
  };
  const wants = Object.keys(filters).filter((name) => filter[name] === true);
  const methods = new Set(wants.map((name) => filters[name]));
  const asked = Array.isArray(filter.resourceSubscriptions) ? filter.resourceSubscriptions : [];
  const uris = asked.filter((uri): uri is string => typeof uri === "string");
  const agreed = message.text(["params", "notifications"]) ?? "{}";
  const acknowledged = `{"notifications":${agreed}}`;
  await deliver(
    inSubscription(notificationOf("notifications/subscriptions/acknowledged", acknowledged), id),
  );
  const stop = changes.listen(async (change) => {
    if (methods.has(change.head.method!)) await deliver(inSubscription(change, id));
  });
  const one = async (member: Member): Promise<void> => {
    /** The URIs of this server, each with the one that the client used. */
    const own = new Map<string, string>();
    for (const shown of uris) {
      const route = resources.find(shown);
      if (route === undefined || route.member === member) own.set(route?.uri ?? shown, shown);
    }
    if (wants.length === 0 && own.size === 0) return;
    for (const [uri, shown] of own) member.subscribed.set(uri, shown);
    const wanted = {
      ...Object.fromEntries(wants.map((name) => [name, true])),
      ...(own.size > 0 && { resourceSubscriptions: [...own.keys()] }),
    };
    const take: Deliver = async (incoming) => {
      const { kind, method } = incoming.head;
      if (kind === "response" || method === "notifications/subscriptions/acknowledged") return;
      await fromServers.take(member, incoming, (passed) => deliver(inSubscription(passed, id)));
    };
    // The request's `_meta` says who the client is.
    const meta = message.text(["params", "_meta"]) ?? "{}";
    const params = `{"notifications":${JSON.stringify(wanted)},"_meta":${meta}}`;
    const pause = pauses(againMs);
    while (!signal.aborted) {
      const request = requestOf(ids.next("listen"), "subscriptions/listen", params);
      await member.send(request, take, signal).catch(() => undefined);
      if (!signal.aborted) await abortable(pause(), signal).catch(() => undefined);
    }
  };
  try {
    await Promise.all([
      ...members.map(one),
      abortable(Promise.withResolvers<void>().promise, signal).catch(() => undefined),
    ]);
  } finally {
    stop();
  }
}
