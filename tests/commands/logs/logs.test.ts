import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { lastRun, readLogLine } from "../../../src/commands/logs/log-lines.ts";
import { command } from "../../../src/commands/logs/logs.ts";
import { sentenceOf } from "../../../src/commands/logs/sentences.ts";
import { createLog } from "../../../src/platform/log.ts";
import { Redactor } from "../../../src/platform/redact.ts";
import { testContext } from "../../support/context.ts";
import { ownFolder } from "../../support/folder.ts";
import { runsOf } from "../../support/property.ts";

let folder: ReturnType<typeof ownFolder>;
let path: string;
let warned: ReturnType<typeof spyOn<Console, "warn">>;
beforeEach(() => {
  folder = ownFolder();
  path = join(folder.path, "kb.log");
  warned = spyOn(console, "warn").mockImplementation(() => undefined);
  const servers = { kb: { url: "https://kb.example/mcp" } };
  const config = JSON.stringify({ version: 1, servers });
  writeFileSync(join(folder.path, "config.json"), config, { mode: 0o600 });
});
afterEach(() => {
  warned.mockRestore();
  folder[Symbol.dispose]();
});

const line = (time: string, rest: string, run = "r1") =>
  `2026-11-28T10:00:${time}.000Z ${rest} run=${run}\n`;
const connected = "INFO  connected server=kb protocol=session revision=2025-06-18";
const failed = 'WARN  call failed kind=timeout error="no answer within 118 s"';

async function shown(words: { follow?: boolean; file?: string } = {}) {
  const context = testContext({ env: { CODEX_MCP_BRIDGE_HOME: folder.path, HOME: folder.path } });
  const values = { name: undefined, follow: words.follow ?? false, "log-file": words.file };
  const done = command.run(values, context);
  if (words.follow !== true) await done;
  return context;
}

test.each(["text", "json"] as const)(
  "every line that the log writes is read again: %s",
  (format) => {
    const words = fc.string({ unit: "binary", maxLength: 50 });
    const event = fc.constantFrom("connected", "call failed", "answer to nothing dropped");
    fc.assert(
      fc.property(event, words, fc.boolean(), (name, value, flag) => {
        warned.mockClear();
        const options = { level: "info", format, redactor: new Redactor(), run: "r1" } as const;
        createLog(options).warn(name, { server: "kb", value, flag });
        const read = readLogLine(String(warned.mock.calls[0]![0]));
        expect(read).toMatchObject({ level: "warn", event: name });
        expect(read!.fields).toMatchObject({ server: "kb", flag: String(flag), run: "r1" });
        expect(Object.keys(read!.fields)).toEqual(["server", "value", "flag", "run"]);
      }),
      runsOf(import.meta.file),
    );
  },
);

test("any text makes no line or a line without control characters", () => {
  const time = "2026-11-28T10:00:00Z";
  const hostile = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "binary" }).map((text) => `2026-11-28T10:00:00Z WARN  ${text} a="${text}"`),
    fc.json(),
    fc
      .string({ unit: "binary" })
      .map((text) => JSON.stringify({ time, level: "info", event: text, [text]: text })),
    fc.json().map((text) => `{"time":"${time}","level":"info","event":"x","a":${text}}`),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      const read = readLogLine(text);
      if (read === undefined) return;
      expect(`${sentenceOf(read)}${read.time}`).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    }),
    runsOf(import.meta.file),
  );
});

test("the last run of the server is shown in plain words, and equal lines are counted", async () => {
  const lines = [
    line("00", connected, "old"),
    line("01", "INFO  closed by=signal", "old"),
    line("10", connected),
    line("11", failed),
    line("12", failed),
    line("13", `${failed} count=98`),
    line("14", "DEBUG http status=200"),
    line("15", "INFO  closed by=eof"),
  ];
  writeFileSync(path, lines.join(""));
  const { printed } = await shown({ file: path });
  expect(printed.replace(path, "FILE")).toMatchInlineSnapshot(`
    "Last run of "kb" (r1), first line at 2026-11-28T10:00:10.000Z, in FILE

    10:00:10  connected to the server, session protocol of 2025-06-18
    10:00:11  warning: a request failed: no answer within 118 s (timeout) (100 times, until 10:00:13)
    10:00:15  ended: the client closed its side
    "
  `);
});

test.each(["1e400", "-5", "0", "1.5", "NaN", "Infinity", "99999999999999999999", '"many times"'])(
  "a count that the log does not write counts as one line: %s",
  async (count) => {
    writeFileSync(path, line("00", `${failed} count=${count}`) + line("01", failed));
    expect((await shown({ file: path })).printed).toContain("(2 times, until 10:00:01)");
  },
);

test.each([
  "0000-00-00T00:00:00Z",
  "2026-13-01T10:00:00Z",
  "2026-11-28T99:00:00Z",
  "2026-11-28T10:00Z",
  "2026-11-28T::::::::Z",
  "+275761-01-01T00:00:00Z",
  "yesterday",
  "",
])("a line whose time is none is no line: %s", (time) => {
  expect(readLogLine(`${time} INFO  connected`)).toBeUndefined();
  expect(readLogLine(JSON.stringify({ time, level: "info", event: "connected" }))).toBeUndefined();
});

test("a value without end, or of no text, does not stop the reading", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  for (const value of [deep, '{"toString":1}', "null"])
    expect(
      readLogLine(`{"time":"2026-11-28T10:00:00Z","level":"info","event":"x","a":${value}}`),
    ).toMatchObject({ fields: { a: "..." } });
});

test("runs that interleave in one file, and lines of another server, are told apart", async () => {
  const other = "INFO  connected server=other protocol=session revision=2025-06-18";
  const lines = [
    line("00", connected, "one"),
    line("01", other, "two"),
    line("02", failed, "one"),
    line("03", 'WARN  list not renewed server=other method=tools/list error="down"', "one"),
    line("04", "INFO  closed by=eof", "two"),
  ];
  writeFileSync(path, lines.join(""));
  const { printed } = await shown({ file: path });
  expect(printed).toContain('Last run of "kb" (one)');
  expect(printed).toContain("no answer within 118 s");
  expect(printed).not.toContain("down");
  expect(printed).toContain("It has not ended, or it was killed.");
});

test("a run that began before the file was renamed is shown whole", async () => {
  writeFileSync(`${path}.1`, line("00", connected));
  writeFileSync(path, line("01", "INFO  closed by=eof"));
  const { printed } = await shown({ file: path });
  expect(printed).toContain("connected to the server");
});

test("--follow goes on with what is written, also after the file was renamed, until nobody reads", async () => {
  writeFileSync(path, line("00", connected));
  const context = testContext({ env: { CODEX_MCP_BRIDGE_HOME: folder.path, HOME: folder.path } });
  const printed: string[] = [];
  let arrived = Promise.withResolvers<void>();
  const print = async (text: string) => {
    printed.push(text);
    arrived.resolve();
    return printed.length < 4;
  };
  const next = async () => {
    await arrived.promise;
    arrived = Promise.withResolvers<void>();
    return printed.at(-1);
  };
  const values = { name: "kb", follow: true, "log-file": path };
  const done = command.run(values, { ...context, print });
  expect(await next()).toContain("connected to the server");
  appendFileSync(path, line("01", failed));
  expect(await next()).toBe(
    "10:00:01  warning: a request failed: no answer within 118 s (timeout)\n",
  );
  renameSync(path, `${path}.1`);
  writeFileSync(path, `${line("02", "INFO  closed by=eof")}2026-11-28T10:00:03.000Z INFO  conn`);
  expect(await next()).toBe("10:00:02  ended: the client closed its side\n");
  appendFileSync(path, "ected run=r2\n");
  expect(await next()).toBe("10:00:03  connected\n");
  expect(await done).toBe(0);
});

test("the usual file is found without a name, and a missing one is an error with the way to get one", async () => {
  expect(shown()).rejects.toThrow('no run of "kb" has written a log file');
  mkdirSync(join(folder.path, "logs"));
  writeFileSync(join(folder.path, "logs", "kb.log"), line("00", connected));
  expect((await shown()).printed).toContain("connected to the server");
});

test.each([
  ["an empty file", "", "tells of no run"],
  ["a file of another kind", "\0\u0001\n{}\n[]\n", "tells of no run"],
])("%s is refused", async (_, content, why) => {
  writeFileSync(path, content);
  expect(shown({ file: path })).rejects.toThrow(why);
});

test("a missing file is refused", () => {
  expect(shown({ file: path })).rejects.toThrow("ENOENT");
});

test("lines of older versions, without a run id, are one run", () => {
  const read = ["00 INFO  connected", "01 INFO  closed by=eof"].map((text) =>
    readLogLine(`2026-11-28T10:00:${text.replace(" ", "Z ")}`),
  );
  expect(lastRun(read as never, "kb")).toHaveLength(2);
});
