import type { LogLine } from "./log-lines.ts";

type Fields = LogLine["fields"];

const ends: Readonly<Record<string, string>> = {
  eof: "the client closed its side",
  reader: "the client stopped reading",
  signal: "a signal ended it",
  fault: "a defect of the bridge ended it",
};

/** What an event means to a reader, by its name in the log. */
const sentences: Readonly<Record<string, (fields: Fields) => string>> = {
  connected: ({ protocol, revision }) =>
    revision === undefined
      ? `connected to the server, ${protocol} protocol`
      : `connected to the server, ${protocol} protocol of ${revision}`,
  closed: ({ by = "" }) => `ended: ${ends[by] ?? by}`,
  "call failed": ({ error, kind }) => `a request failed: ${error} (${kind})`,
  retrying: ({ method, kind, attempt, ms }) =>
    `${method} is sent again in ${ms} ms, attempt ${attempt} (${kind})`,
  "not connected yet": ({ error }) => `not connected yet: ${error}`,
  "signed in": () => "signed in",
  "sign-in failed": ({ error }) => `the sign-in failed: ${error}`,
  "start refused": ({ error, hint }) => `the start failed: ${error}${hint ? ` (${hint})` : ""}`,
  "session lost, starting another": () => "the server lost the session; a new one is started",
  "not listening": ({ error }) => `the server's own messages are not received: ${error}`,
  "list not renewed": ({ method, error }) => `${method} was answered from memory: ${error}`,
  "invalid tool left out": ({ tool, reason }) => `the tool ${tool} was left out: ${reason}`,
  "renewal refused": ({ error }) => `the token was not renewed: ${error}`,
  "bad line from the client": ({ reason }) =>
    `the client sent a line that is no message: ${reason}`,
  "answer to nothing dropped": () => "an answer that nobody waits for was dropped",
};

/** Fields that every line may have and no reader of one run needs. */
const known = new Set(["run", "server", "count"]);

/** A line in plain words; an event without words of its own keeps its name and fields. */
export function sentenceOf({ event, fields }: LogLine): string {
  const sentence = Object.hasOwn(sentences, event) ? sentences[event]!(fields) : undefined;
  if (sentence !== undefined && !sentence.includes("undefined")) return sentence;
  const rest = Object.entries(fields).filter(([key]) => !known.has(key));
  return rest.length === 0 ? event : `${event} (${rest.map((pair) => pair.join(" ")).join(", ")})`;
}
