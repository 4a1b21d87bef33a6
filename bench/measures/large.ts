import { call, requestText, withClient, within } from "../calls.ts";
import type { Arrived, Client } from "../client.ts";
import type { Context, Row } from "../context.ts";
import type { Endpoint } from "../endpoints.ts";
import { peakMB, resetPeak, residentMemory } from "../process-facts.ts";
import { repeatedText } from "../text.ts";
import { rowOfTurns, takeTurns } from "../turns.ts";

const million = 1_000_000;
/** Once only where it takes longer: a slow peer needs a minute for 100 MB. */
const longestTurnMs = 15_000;

/** A large result or request. */
interface Body {
  readonly id: string;
  readonly title: string;
  readonly endpoint: Endpoint;
  readonly megabytes: number;
  /** Prepares a call with so many bytes of text; the result may be called repeatedly. */
  readonly prepare: (client: Client, bytes: number) => () => Promise<Arrived>;
  /** The number of bytes that an answer reports, with the frame around the text. */
  readonly bytesOf: (answer: Arrived) => number;
}

interface Passage {
  readonly ms: number;
  /** Peak of resident memory above what was resident before, as a multiple of the body. */
  readonly growth: number | undefined;
}

/** Time and peak memory of results and requests of many megabytes. */
export async function measureLarge(context: Context): Promise<Row[]> {
  const { resultMB, requestMB } = context.amounts;
  const bodies: Body[] = [
    ...resultMB.flatMap((megabytes) =>
      (["json", "sse"] as const).map((endpoint) => ({
        id: `result-${endpoint}-${megabytes}`,
        title: `${megabytes} MB result, ${endpoint === "json" ? "JSON" : "one event"}`,
        endpoint,
        megabytes,
        prepare: (client: Client, bytes: number) => () => call(client, "text", bytes),
        bytesOf: (answer: Arrived) => answer.bytes,
      })),
    ),
    ...requestMB.map((megabytes) => ({
      id: `request-${megabytes}`,
      title: `${megabytes} MB request`,
      endpoint: "json" as const,
      megabytes,
      prepare: prepareRequest,
      bytesOf: ({ head }: Arrived) => Number(/"(\d+) bytes"/.exec(head)?.[1]),
    })),
  ];
  const rows: Row[] = [];
  for (const body of bodies) {
    rows.push(...(await measureBody(context, body)));
    context.say(`${body.title}: done`);
  }
  return rows;
}

/** A call of `swallow` with so many bytes of text. */
export function prepareRequest(client: Client, bytes: number): () => Promise<Arrived> {
  const { id, text } = requestText("tools/call", '{"name":"swallow","arguments":{"text":"@"}}');
  const at = text.indexOf("@");
  const line = Buffer.allocUnsafe(text.length - 1 + bytes);
  line.write(text.slice(0, at), 0, "latin1");
  repeatedText(line.subarray(at, at + bytes));
  line.write(text.slice(at + 1), at + bytes, "latin1");
  return () => client.ask(id, line);
}

async function measureBody({ systems, amounts }: Context, body: Body): Promise<Row[]> {
  const { id, title, endpoint } = body;
  const turns = await takeTurns(systems, { rounds: amounts.largeRounds, longestTurnMs }, (system) =>
    withClient(system, endpoint, (client) => passOnce(client, body)),
  );
  return [
    rowOfTurns(id, title, "ms", turns, ({ ms }) => ms),
    rowOfTurns(`${id}-growth`, `${title}: peak growth`, "x", turns, ({ growth }) => growth),
  ];
}

async function passOnce(client: Client, body: Body): Promise<Passage> {
  const { prepare, bytesOf, megabytes } = body;
  const bytes = megabytes * million;
  // A bridge may write the frame differently: an empty text shows its length.
  const empty = bytesOf(await within(30_000, "a call", prepare(client, 0)()));
  const begin = prepare(client, bytes);
  const { pid } = client;
  const before = pid === undefined ? 0 : (await residentMemory(pid)).rssMB;
  if (pid !== undefined) resetPeak(pid);
  const from = performance.now();
  const answer = await within(120_000, "a call", begin());
  const ms = performance.now() - from;
  const arrived = bytesOf(answer) - empty;
  if (arrived !== bytes) throw new Error(`of ${bytes} bytes ${arrived} arrived`);
  return { ms, growth: pid === undefined ? undefined : (peakMB(pid) - before) / megabytes };
}
