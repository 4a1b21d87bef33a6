// Three servers that share ids, tokens and URIs, in every order: each call is settled once, and nothing crosses.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { BridgeError } from "../../../src/wire/errors.ts";
import { combinedClient, FakeServer, type Got } from "../../support/combined.ts";
import { runsOf } from "../../support/property.ts";

const { numRuns, seed } = runsOf(import.meta.path);
/** Each run makes three handshakes, so fewer runs take as long as those of other properties. */
const runs = { numRuns: Math.ceil(numRuns / 4), seed };

const names = ["a", "b", "c"] as const;
type Name = (typeof names)[number];

/** What a server does in one call, one step after the other; a call without an end hangs. */
const step = fc.constantFrom(
  ...(["answer", "error", "throw", "end", "wait", "ask", "progress", "changed"] as const),
  // Attempts to reach what is another server's.
  ...(["answer-other", "progress-other", "cancel-other"] as const),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("call" as const),
      server: fc.constantFrom(...names),
      steps: fc.array(step, { maxLength: 5 }),
    }),
  },
  fc.record({ type: fc.constant("cancel" as const), which: fc.nat(10) }),
  fc.record({ type: fc.constant("list" as const) }),
  fc.record({ type: fc.constant("answer" as const) }),
  fc.record({ type: fc.constant("turn" as const) }),
);

interface Call {
  readonly server: Name;
  readonly steps: readonly Step[];
}

/** Data of one server, which must appear on its side alone. */
const secretOf = (server: string) => `secret of ${server}`;

/** A server that does what the steps of each call say; all servers use one id for what they ask. */
function scripted(name: Name, calls: ReadonlyMap<string, Call>): FakeServer {
  const server = new FakeServer({
    async "tools/call"({ id, signal, say }: Got) {
      const others = [...calls].filter(([, call]) => call.server !== name).map(([other]) => other);
      const progress = (token: string) => ({
        method: "notifications/progress",
        params: { progressToken: token, progress: 1, message: secretOf(name) },
      });
      for (const [at, one] of calls.get(JSON.parse(id))!.steps.entries()) {
        if (signal.aborted) throw signal.reason;
        if (one === "answer") return { content: [], data: secretOf(name), call: JSON.parse(id) };
        if (one === "error") return { error: { code: 7, message: secretOf(name) } };
        if (one === "throw") throw new BridgeError("server-error", secretOf(name));
        if (one === "end") return new Promise(() => undefined);
        if (one === "wait") await Bun.sleep(0);
        if (one === "ask") {
          const params = { message: secretOf(name) };
          await say({ id: `q-${at}`, method: "elicitation/create", params });
        }
        if (one === "progress") await say(progress(`token-${JSON.parse(id)}`));
        if (one === "changed") await say({ method: "notifications/tools/list_changed" });
        for (const other of others) {
          if (one === "answer-other") await say({ id: other, result: { data: secretOf(name) } });
          if (one === "progress-other") await say(progress(`token-${other}`));
          if (one === "cancel-other")
            await say({ method: "notifications/cancelled", params: { requestId: other } });
        }
      }
      return new Promise(() => undefined);
    },
  });
  return server;
}

test("three servers: each call is settled exactly once, and no data, question or answer crosses", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 20 }), async (actions) => {
      const calls = new Map<string, Call>();
      const servers = {
        a: scripted("a", calls),
        b: scripted("b", calls),
        c: scripted("c", calls),
      };
      const client = combinedClient(servers);
      await client.start();
      await client.tools();
      const cancelled = new Set<string>();
      const lists = new Set<string>();
      const answered = new Set<unknown>();
      /** Answers the questions that came, each with what it was asked. */
      const answer = () => {
        for (const message of client.rest.map((line) => JSON.parse(line))) {
          if (message.method !== "elicitation/create" || answered.has(message.id)) continue;
          answered.add(message.id);
          const content = { echo: message.params.message };
          client.send({ id: message.id, result: { action: "accept", content } });
        }
      };
      for (const one of actions) {
        if (one.type === "call") {
          const id = `call-${calls.size}`;
          calls.set(id, one);
          const params = {
            name: `${one.server}__look`,
            arguments: { data: secretOf(one.server) },
            _meta: { progressToken: `token-${id}` },
          };
          client.send({ id, method: "tools/call", params });
        } else if (one.type === "cancel") {
          cancelled.add(`call-${one.which}`);
          const params = { requestId: `call-${one.which}` };
          client.send({ method: "notifications/cancelled", params });
        } else if (one.type === "list") {
          lists.add(`list-${lists.size}`);
          client.send({ id: `list-${lists.size - 1}`, method: "tools/list" });
        } else if (one.type === "answer") answer();
        else await Bun.sleep(0);
      }
      await Bun.sleep(0);
      answer();
      await client.end();
      await client.relay.finish(1);
      await Bun.sleep(0);
      const messages = client.rest.map((line) => JSON.parse(line));
      for (const [id, { server }] of calls) {
        const own = messages.filter((message) => message.id === id && message.method === undefined);
        if (!cancelled.has(id)) expect(own).toHaveLength(1);
        expect(own.length).toBeLessThanOrEqual(1);
        for (const other of names.filter((each) => each !== server))
          expect(JSON.stringify(own)).not.toContain(secretOf(other));
        if (own[0]?.result !== undefined) expect(own[0].result.call).toBe(id);
      }
      for (const id of lists) {
        const own = messages.filter((message) => message.id === id);
        expect(own).toHaveLength(1);
      }
      for (const { method, params } of messages) {
        // A question begins with the name of the server that asks.
        if (method === "elicitation/create")
          expect(params.message).toBe(`${params.message[0]}: ${secretOf(params.message[0])}`);
        if (method === "notifications/progress") {
          const { server } = calls.get(params.progressToken.slice("token-".length))!;
          expect(params.message).toBe(secretOf(server));
        }
        expect(method).not.toBe("notifications/cancelled");
      }
      for (const name of names) {
        const seen = JSON.stringify(servers[name].seen);
        for (const other of names.filter((each) => each !== name))
          expect(seen).not.toContain(secretOf(other));
      }
    }),
    runs,
  );
}, 120_000);
