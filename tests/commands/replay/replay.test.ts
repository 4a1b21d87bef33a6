import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readRecord } from "../../../src/commands/replay/record.ts";
import { ReplayUpstream } from "../../../src/commands/replay/upstream.ts";
import { memoryLog, relayClient } from "../../support/client.ts";
import { ownFolder } from "../../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
let path: string;
beforeEach(() => {
  folder = ownFolder();
  path = join(folder.path, "record.jsonl");
});
afterEach(() => folder[Symbol.dispose]());

const begin = { run: "r1", at: 0, record: 1, time: "2026-11-28T00:00:00Z" };
const message = (side: object, body: object, run = "r1") => ({
  ...{ run, at: 1, ...side },
  message: { jsonrpc: "2.0", ...body },
});
const from = (body: object) => message({ from: "client" }, body);
const to = (body: object) => message({ to: "client" }, body);
const text = (lines: readonly object[]) =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const look = (q: string, token?: unknown) => ({
  method: "tools/call",
  params: { name: "look", arguments: { q, z: 1 }, _meta: { progressToken: token } },
});

/** A client of the replay of these lines. */
async function replaying(lines: readonly object[]) {
  writeFileSync(path, text([begin, ...lines]));
  const [run] = await readRecord(path, () => {});
  return relayClient(new ReplayUpstream(run!, memoryLog()));
}

test("requests are matched by method and parameters, in their order, whatever their ids and _meta", async () => {
  const client = await replaying([
    from({ id: 1, ...look("a", 1) }),
    from({ id: 2, ...look("b") }),
    to({ id: 2, result: { n: "b" } }),
    to({ id: 1, result: { n: "a1" } }),
    from({ id: 1, ...look("a") }),
    to({ id: 1, result: { n: "a2" } }),
  ]);
  const answers = [];
  for (const [id, q] of [
    ["x", "b"],
    ["y", "a"],
    ["z", "a"],
    ["again", "a"],
  ] as const) {
    const params = { _meta: { other: true }, arguments: { z: 1, q }, name: "look" };
    client.send({ id, method: "tools/call", params });
    answers.push(await client.next());
  }
  expect(answers.map(({ id, result }) => [id, result.n])).toEqual([
    ["x", "b"],
    ["y", "a1"],
    ["z", "a2"],
    ["again", "a2"],
  ]);
  await client.end();
});

test("initialize is answered whatever the client says of itself, and errors are errors again", async () => {
  const error = { code: 1502, message: "not JSON" };
  const client = await replaying([
    from({ id: 0, method: "initialize", params: { protocolVersion: "2025-06-18" } }),
    to({ id: 0, result: { protocolVersion: "2025-06-18" } }),
    from({ id: 1, method: "tools/list" }),
    to({ id: 1, error }),
  ]);
  client.send({ id: 7, method: "initialize", params: { protocolVersion: "2025-11-25" } });
  expect(await client.next()).toMatchObject({ id: 7, result: { protocolVersion: "2025-06-18" } });
  client.send({ id: 8, method: "tools/list", params: {} });
  expect(await client.next()).toMatchObject({ id: 8, error });
  await client.end();
});

test("the server's own messages come in their order, with this client's progress token", async () => {
  const progress = (n: number, progressToken = 1) => ({
    method: "notifications/progress",
    params: { progressToken, progress: n },
  });
  const client = await replaying([
    from({ id: 1, ...look("a", 1) }),
    to(progress(1)),
    to({ method: "notifications/message", params: { data: "one" } }),
    to(progress(2)),
    to({ id: 1, result: {} }),
    from({ id: 2, ...look("b", 2) }),
    to(progress(3, 2)),
    to({ id: 2, result: {} }),
  ]);
  client.send({ id: 5, ...look("a", "mine") });
  const came = [await client.next(), await client.next(), await client.next(), await client.next()];
  expect(came.map(({ params, id }) => params?.progressToken ?? params?.data ?? id)).toEqual([
    "mine",
    "one",
    "mine",
    5,
  ]);
  // This client asks for no progress.
  client.send({ id: 6, ...look("b") });
  expect(await client.next()).toMatchObject({ id: 6 });
  await client.end();
});

test("a request of the server waits for the client's answer before the call is answered", async () => {
  const client = await replaying([
    from({ id: 1, ...look("a") }),
    to({ id: 1, method: "elicitation/create", params: { message: "who?" } }),
    from({ id: 1, result: { action: "accept" } }),
    to({ id: 1, result: { n: 1 } }),
  ]);
  client.send({ id: 1, ...look("a") });
  const asked = await client.next();
  expect(asked).toMatchObject({ method: "elicitation/create", params: { message: "who?" } });
  expect(client.rest).toEqual([]);
  client.send({ id: asked.id, result: { action: "decline" } });
  expect(await client.next()).toMatchObject({ id: 1, result: { n: 1 } });
  await client.end();
});

test("what the server sent by itself after an answer comes when the client listens", async () => {
  const changed = { method: "notifications/tools/list_changed" };
  const client = await replaying([
    from({ id: 0, method: "initialize", params: {} }),
    to({ id: 0, result: {} }),
    from({ method: "notifications/initialized" }),
    to(changed),
    from({ id: 1, method: "tools/list" }),
    to({ id: 1, result: { tools: [] } }),
  ]);
  client.send({ id: 0, method: "initialize", params: {} });
  expect(await client.next()).toMatchObject({ id: 0 });
  client.send({ method: "notifications/initialized" });
  expect(await client.next()).toMatchObject(changed);
  await client.end();
});

test("a request that the record does not hold fails with the requests that it holds", async () => {
  const client = await replaying([from({ id: 1, ...look("a") }), to({ id: 1, result: {} })]);
  client.send({ id: 1, method: "tools/call", params: { name: "look", arguments: { q: "other" } } });
  const { error } = await client.next();
  expect(error.message).toBe(
    'the record holds no tools/call of "look" with these parameters: it holds tools/call of "look"',
  );
  client.send({ id: 2, method: "ping" });
  expect(await client.next()).toMatchObject({ id: 2, result: {} });
  await client.end();
});

test("a request whose answer is not in the record fails, and nothing waits", async () => {
  const client = await replaying([from({ id: 1, ...look("a") })]);
  client.send({ id: 1, ...look("a") });
  expect((await client.next()).error).toMatchObject({
    code: 1504,
    data: { kind: "outcome-unknown" },
  });
  await client.end();
});

test("numbers keep their digits", async () => {
  const line =
    '{"run":"r1","to":"client","message":{"jsonrpc":"2.0","id":1,"result":{"n":12345678901234567890}}}';
  writeFileSync(path, `${text([begin, from({ id: 1, method: "tools/list" })])}${line}\n`);
  const [run] = await readRecord(path, () => {});
  const client = relayClient(new ReplayUpstream(run!, memoryLog()));
  client.send({ id: 1, method: "tools/list" });
  expect(await client.line()).toContain("12345678901234567890");
  await client.end();
});

test("the runs in one file are told apart, and a line that was cut by a kill is left out", async () => {
  const other = { ...begin, run: "r2", time: "2026-11-29T00:00:00Z" };
  const lines = [
    begin,
    from({ id: 1, ...look("a") }),
    other,
    message({ from: "client" }, { id: 1, ...look("b") }, "r2"),
    to({ id: 1, result: {} }),
    { run: "r2", full: true },
  ];
  writeFileSync(path, `${text(lines)}{"run":"r2","to":"cli`);
  const runs = await readRecord(path, () => {});
  expect(runs.map(({ id, messages, isFull }) => [id, messages.length, isFull])).toEqual([
    ["r1", 2, false],
    ["r2", 1, true],
  ]);
});

test("a record that anybody wrote puts no control characters into what is shown of it", async () => {
  const hostile = "\u001b]0;title\u0007\u009b31m\u202e";
  const lines = [
    { ...begin, run: `r1${hostile}`, time: hostile },
    message({ from: "client" }, { id: 1, method: hostile }, `r1${hostile}`),
  ];
  writeFileSync(path, text(lines));
  const [run] = await readRecord(path, () => {});
  expect([run!.id, run!.time]).toEqual(["r1 ]0;title 31m", "]0;title 31m"]);
  const client = relayClient(new ReplayUpstream(run!, memoryLog()));
  client.send({ id: 2, method: "tools/list" });
  expect((await client.next()).error.message).toEndWith("it holds ]0;title 31m");
  await client.end();
});

const list = from({ id: 1, method: "tools/list" });
const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;

test.each([
  ["an empty file", "", "line 1: this is no record"],
  ["a file of blank lines", "\n\r\n \n", "line 1: this is no record"],
  ["another file", "one\ntwo\n", "line 1: this is no record"],
  ["one line without end", "x".repeat(1_000_000), "line 1: this is no record"],
  ["binary data", "\u0000\u0001\n\ufffd\n", "line 1: this is no record"],
  ["JSON of another kind", '{"a":1}\n', "line 1: this is no record"],
  ["a list", `${text([begin])}[]\n`, "line 2: this is no record"],
  ["lines before the first", text([list]), "line 1: the beginning of its run is missing"],
  [
    "lines of another run",
    text([begin, { ...list, run: "r2" }]),
    "line 2: the beginning of its run",
  ],
  ["a run that begins twice", text([begin, list, begin]), "line 3: a run begins twice"],
  ["another format", text([begin, { ...begin, run: "r2", record: 2 }]), "line 2: another version"],
  ["a deep format", `{"run":"r1","record":${deep}}`, "line 1: another version"],
])("%s is refused with the file and the line", async (_, content, why) => {
  writeFileSync(path, content);
  const error = await readRecord(path, () => {}).catch((thrown) => thrown);
  expect(error.message).toStartWith(`${path}, ${why}`);
  expect(error.kind).toBe("configuration");
});

test.each([
  ["CRLF line ends", text([begin, list]).replaceAll("\n", "\r\n")],
  ["a byte order mark", `\ufeff${text([begin, list])}`],
  ["blank lines", `\n${text([begin])}\n\n${text([list])}`],
  [
    "a line cut by a kill, before another run",
    `${text([{ ...begin, run: "r0" }])}{"run":"r0\n${text([begin, list])}`,
  ],
  [
    "a begin of odd values",
    `{"run":"r1","record":1,"time":{"toString":1},"at":${deep}}\n${text([list])}`,
  ],
  ["unknown members", text([{ ...begin, more: 1 }, list])],
])("a record with %s is read", async (_, content) => {
  writeFileSync(path, content);
  const run = (await readRecord(path, () => {})).at(-1)!;
  expect(run.id).toBe("r1");
  expect(run.messages.map(({ message }) => message.head.method)).toEqual(["tools/list"]);
});

test.each([
  ["a message", [{ ...begin, run: "r0" }, begin], [list], "line 3: a damaged line is left out"],
  [
    "the beginning of its run",
    [begin],
    [{ ...list, run: "r2" }, list],
    "line 2: 2 lines are left out",
  ],
])(
  "half a line that a killed run left in front of %s is left out with a warning",
  async (_, before, after, warning) => {
    writeFileSync(
      path,
      `${text(before)}{"run":"r0","fr${text([{ ...list, run: "r9" }])}${text(after)}`,
    );
    const warnings: string[] = [];
    const run = (await readRecord(path, (line) => warnings.push(line))).find(
      ({ id }) => id === "r1",
    )!;
    expect(run.messages.map(({ message }) => message.head.method)).toEqual(["tools/list"]);
    expect(warnings).toEqual([`${path}, ${warning}`]);
  },
);

test("deeply nested requests are replayed, and other ones are told apart", async () => {
  const call = (value: string, token = "1") =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"look","_meta":{"t":${token}},"arguments":${value}}}`;
  const line = (side: string, body: string) =>
    `{"run":"r1","${side}":"client","message":${body}}\n`;
  const lines = [
    line("from", call(`{"a":${deep}}`)),
    line("to", `{"jsonrpc":"2.0","id":1,"result":{"n":${deep}}}`),
    line("from", `[${deep}]`),
  ];
  writeFileSync(path, text([begin]) + lines.join(""));
  const [run] = await readRecord(path, () => {});
  const client = relayClient(new ReplayUpstream(run!, memoryLog()));
  client.write(`${call(`{"a":${deep}}`, "2")}\n`);
  expect(await client.line()).toContain(deep);
  client.write(`${call(`{"b":${deep}}`)}\n`);
  expect((await client.next()).error).toMatchObject({ code: 1400 });
  await client.end();
});

test("a missing file, a folder and a device are refused", async () => {
  expect(readRecord(path, () => {})).rejects.toThrow("ENOENT");
  expect(readRecord(folder.path, () => {})).rejects.toThrow("cannot read the record");
  // Never ends.
  expect(readRecord("/dev/zero", () => {})).rejects.toThrow("this is no record");
});
