// The record of `run --record FILE`: every line of the client and to it, and every HTTP exchange with its servers.

import { resolve } from "node:path";
import type { Context } from "../../cli/command.ts";
import type { ServerSettings } from "../../config/settings.ts";
import type { Http } from "../../http/client.ts";
import { recordedHttp } from "../../http/recorded-http.ts";
import { knowSecrets } from "../../oauth/store/known-secrets.ts";
import { openKeyring } from "../../platform/keyring.ts";
import { RecordFile } from "../../platform/record-file.ts";
import { openStdio, type Stdio } from "../../platform/stdio.ts";
import { LineSplitter } from "../../wire/lines.ts";
import { program } from "../../wire/program-facts.ts";

/** Version of the format; `replay` refuses others. */
const formatVersion = 1;
/** Of a longer line only the size is recorded. */
const maxLineBytes = 16 * 1024 * 1024;

export interface Recording {
  readonly stdio: Stdio;
  /** Records the exchanges with one server. */
  readonly recordHttp: (http: Http, server: ServerSettings) => Http;
  /** Tells the redactor the servers' secrets: the client's first message may hold one that no request has used yet. */
  readonly knowSecretsOf: (servers: readonly ServerSettings[]) => Promise<void>;
}

/** Begins the record of this run. Throws `configuration` if the file cannot be written. */
export function openRecording(path: string, context: Context): Recording {
  const { redactor, log } = context;
  const file = new RecordFile({ path: resolve(path), redactor, log });
  file.note({
    record: formatVersion,
    time: new Date().toISOString(),
    bridge: program.version,
    platform: `${process.platform}-${process.arch}`,
  });
  const stdio = openStdio();
  const fromClient = lineRecorder(file, { from: "client" });
  const toClient = lineRecorder(file, { to: "client" });
  return {
    stdio: {
      ...stdio,
      input: recordedInput(stdio.input, fromClient, file),
      output: {
        write(bytes) {
          // The sink's caller may use its buffer again, and the sink may take long.
          toClient(bytes as Uint8Array);
          return stdio.output.write(bytes);
        },
        flush: () => stdio.output.flush(),
      },
    },
    recordHttp: (http, server) => recordedHttp(http, file, server),
    async knowSecretsOf(servers) {
      for (const server of servers) await knowSecrets(server, { ...context, keyring: openKeyring });
    },
  };
}

/** Takes chunks, and records each line that is complete. */
function lineRecorder(file: RecordFile, facts: object): (chunk: Uint8Array) => void {
  const lines = new LineSplitter(maxLineBytes);
  const decoder = new TextDecoder();
  return (chunk) => {
    for (const line of lines.feed(chunk))
      if (line instanceof Uint8Array) file.note(facts, { message: decoder.decode(line) });
      else file.note({ ...facts, bytes: line.bytes });
  };
}

async function* recordedInput(
  input: AsyncIterable<Uint8Array>,
  take: (chunk: Uint8Array) => void,
  file: RecordFile,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of input) {
    take(chunk);
    yield chunk;
  }
  file.note({ from: "client", end: true });
}
