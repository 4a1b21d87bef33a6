import { answerEarly, type Context, callMany, type Row, withClient, within } from "../context.ts";
import { socketsAtMost } from "../goals.ts";
import { endedRow } from "../tally.ts";
import { rowOf, takeTurns } from "../turns.ts";
import { pathOf, type Way } from "../ways.ts";

/** What holds whatever the speed: few sockets, no word to a stranger, no session left open. Last, to see all sessions. */
export async function measureConduct(context: Context): Promise<Row[]> {
  const { systems, amounts, tallies, say } = context;
  const children = systems.slice(1);
  const inFlight = await takeTurns(systems, { rounds: 1 }, (system) =>
    withClient(system, "crowd", (client) =>
      within(120_000, "calls", callMany(client, amounts.throughputCalls, 256)),
    ),
  );
  const strangers = await takeTurns(children, { rounds: 1 }, async (system) => {
    const client = system.open("stranger");
    const hello = within(10_000, "initialize", answerEarly(client));
    const isAnswered = await hello.then(
      () => true,
      () => false,
    );
    await client.end();
    if (isAnswered) throw new Error("it trusted a certificate that nobody signed");
  });
  const seen = await tallies();
  const at = (name: string, way: Way) => seen[pathOf(name, way)];
  for (const { name } of children) {
    const sockets = at(name, "crowd")?.sockets ?? 0;
    if (sockets > socketsAtMost)
      inFlight.notes[name] ??= `${sockets} sockets for 256 calls in flight`;
    const told = at(name, "stranger")?.requests ?? 0;
    if (told > 0) strangers.notes[name] ??= `${told} requests went to an untrusted server`;
  }
  say("conduct: done");
  return [
    rowOf(
      "sockets",
      "sockets opened, 256 in flight",
      "",
      systems.map(({ name }) => [name, at(name, "crowd")?.sockets]),
      inFlight.notes,
    ),
    rowOf(
      "stranger",
      "requests sent to a server with an untrusted certificate",
      "",
      children.map(({ name }) => [name, at(name, "stranger")?.requests ?? 0]),
      strangers.notes,
    ),
    await endedRow(
      context,
      ["json", "sse", "tls", "crowd"],
      "ended",
      "sessions of the whole run that a DELETE ended",
    ),
  ];
}
