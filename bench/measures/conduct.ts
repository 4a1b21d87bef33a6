import { callMany, shakeHands, withClient, within } from "../calls.ts";
import type { Context, Row } from "../context.ts";
import { endedRow } from "../ended-sessions.ts";
import { type Endpoint, pathOf } from "../endpoints.ts";
import { socketsAtMost } from "../goals.ts";
import { rowOf, takeTurns } from "../turns.ts";

/** Behaviour apart from speed: few sockets, nothing sent to an untrusted server, no session left open. The last measure, so that it sees all sessions. */
export async function measureConduct(context: Context): Promise<Row[]> {
  const { systems, amounts, tallies, say } = context;
  const children = systems.slice(1);
  const inFlight = await takeTurns(systems, { rounds: 1 }, (system) =>
    withClient(system, "sockets", (client) =>
      within(120_000, "calls", callMany(client, amounts.throughputCalls, 256)),
    ),
  );
  const strangers = await takeTurns(children, { rounds: 1 }, async (system) => {
    const client = system.open("untrusted");
    const hello = within(10_000, "initialize", shakeHands(client));
    const isAnswered = await hello.then(
      () => true,
      () => false,
    );
    await client.end();
    if (isAnswered) throw new Error("it trusted a certificate that nobody signed");
  });
  const seen = await tallies();
  const at = (name: string, endpoint: Endpoint) => seen[pathOf(name, endpoint)];
  for (const { name } of children) {
    const sockets = at(name, "sockets")?.sockets ?? 0;
    if (sockets > socketsAtMost)
      inFlight.notes[name] ??= `${sockets} sockets for 256 calls in flight`;
    const told = at(name, "untrusted")?.requests ?? 0;
    if (told > 0) strangers.notes[name] ??= `${told} requests went to an untrusted server`;
  }
  say("conduct: done");
  return [
    rowOf(
      "sockets",
      "sockets opened, 256 in flight",
      "",
      systems.map(({ name }) => [name, at(name, "sockets")?.sockets]),
      inFlight.notes,
    ),
    rowOf(
      "untrusted",
      "requests sent to a server with an untrusted certificate",
      "",
      children.map(({ name }) => [name, at(name, "untrusted")?.requests ?? 0]),
      strangers.notes,
    ),
    await endedRow(
      context,
      ["json", "sse", "tls", "sockets"],
      "ended",
      "sessions of the whole run that a DELETE ended",
    ),
  ];
}
