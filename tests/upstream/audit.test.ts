import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import fs, { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditSettings } from "../../src/config/settings.ts";
import { Redactor } from "../../src/platform/redact.ts";
import { errorMeta, runId } from "../../src/platform/run-id.ts";
import { AuditUpstream } from "../../src/upstream/audit.ts";
import type { Stop, Upstream } from "../../src/upstream/core/types.ts";
import { BridgeError } from "../../src/wire/errors.ts";
import {
  errorTo,
  type Message,
  notificationOf,
  parseMessage,
  requestOf,
  responseTo,
} from "../../src/wire/message.ts";
import { memoryLog } from "../support/client.ts";
import { ownFolder } from "../support/folder.ts";

let folder: ReturnType<typeof ownFolder>;
let file: string;
beforeEach(() => {
  folder = ownFolder();
  file = join(folder.path, "audit.jsonl");
});
afterEach(() => folder[Symbol.dispose]());

type Line = Readonly<Record<string, unknown>>;
const lines = (path = file): Line[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const encoder = new TextEncoder();
const received = (text: string) => parseMessage(encoder.encode(text));
const toolCall = (id: string, args: object = { q: "cats" }) =>
  requestOf(id, "tools/call", JSON.stringify({ name: "search", arguments: args }));

/** An audited upstream that answers as `answer` does; `sent` holds the messages that passed the audit. */
function audited(
  answer: (message: Message) => Promise<Message | undefined> | Message | undefined,
  audits: readonly AuditSettings[] = [{ file, arguments: "none" }],
) {
  const sent: Message[] = [];
  const next: Upstream = {
    async send(message, deliver) {
      sent.push(message);
      const response = await answer(message);
      if (response !== undefined) await deliver(response);
    },
    listen: async () => undefined,
    close: async () => undefined,
  };
  const redactor = new Redactor();
  redactor.add("canary-secret");
  const log = memoryLog();
  const client = { name: "codex-tui", capabilities: "{}", protocolVersion: "" };
  let calls = 0;
  const upstream = new AuditUpstream({
    ...{ next, name: "kb", client, audits, redactor, log },
    nextCall: () => ++calls,
  });
  const delivered: Message[] = [];
  const send = (message: Message, signal = new AbortController().signal) =>
    upstream.send(message, async (incoming) => void delivered.push(incoming), signal);
  return { send, sent, delivered, log };
}

test("a call has a line before it is sent and one when it ends", async () => {
  const { send } = audited(({ head }) => {
    expect(lines().at(-1)).toMatchObject({ event: "call", id: head.id });
    return received(`{"jsonrpc":"2.0","id":${head.id},"result":{"content":[]}}`);
  });
  await send(toolCall('"one"'));
  await send(toolCall("2"));
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  const ms = expect.any(Number);
  const call = {
    time,
    event: "call",
    run: runId(),
    server: "kb",
    tool: "search",
    client: "codex-tui",
  };
  const end = { time, event: "end", run: runId(), server: "kb", outcome: "ok", ms };
  expect(lines()).toEqual([
    { ...call, call: 1, id: '"one"' },
    { ...end, call: 1, bytes: 52 },
    { ...call, call: 2, id: "2" },
    { ...end, call: 2, bytes: 48 },
  ]);
});

const rpcError = { code: -32602, message: "no" };
const failing = received('{"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":[]}}');
const claiming = received(
  JSON.stringify({ jsonrpc: "2.0", id: 1, result: { isError: true, _meta: errorMeta("refused") } }),
);
const ownError = responseTo(
  "1",
  JSON.stringify({ isError: true, content: [], _meta: errorMeta("sign-in-required") }),
);
const mentioning = received('{"jsonrpc":"2.0","id":1,"result":{"text":"\\"isError\\":true"}}');

test.each<[string, Message | Error | undefined, Line]>([
  ["a result that is an error", failing, { outcome: "tool-error", bytes: 63 }],
  ["a result that only mentions isError", mentioning, { outcome: "ok" }],
  [
    "a JSON-RPC error of the server",
    errorTo("1", rpcError),
    { outcome: "rpc-error", code: -32602 },
  ],
  ["a result of the bridge itself", ownError, { outcome: "sign-in-required" }],
  ["a server's result that claims to be the bridge's", claiming, { outcome: "tool-error" }],
  ["a refusal", new BridgeError("refused", "no"), { outcome: "refused" }],
  ["a broken connection", new BridgeError("outcome-unknown", "no"), { outcome: "outcome-unknown" }],
  ["a defect", new TypeError("no"), { outcome: "internal" }],
  ["no response", undefined, { outcome: "bad-answer" }],
])("the last line tells the outcome: %s", async (_, answer, outcome) => {
  const { send } = audited(() => {
    if (answer instanceof Error) throw answer;
    return answer;
  });
  await send(toolCall("1")).catch((error) => expect(error).toBe(answer));
  expect(lines()).toHaveLength(2);
  expect(lines()[1]).toMatchObject({ event: "end", call: 1, ...outcome });
});

test.each<[Stop, string]>([
  [{ by: "client", message: notificationOf("notifications/cancelled") }, "cancelled"],
  [{ by: "deadline" }, "timeout"],
  [{ by: "closing" }, "outcome-unknown"],
])("a call that is stopped ends as such: %o", async (stop, outcome) => {
  const { send } = audited(() => Promise.reject(stop));
  await send(toolCall("1"), AbortSignal.abort(stop)).catch(() => undefined);
  expect(lines()[1]).toMatchObject({ outcome });
});

test.each([
  ['{"q":"ü€😀"}', "ü€😀"],
  ['{"q":"\\ud800"}', "\ud800"],
  ['{"q": "spaced"}', "spaced"],
  ['{"q":12345678901234567890}', Number("12345678901234567890")],
])("arguments %s are hashed as they stand in the message, and shown", async (raw, q) => {
  const audits = (["hash", "full"] as const).map((how) => ({
    file: `${file}.${how}`,
    arguments: how,
  }));
  const { send, sent } = audited(({ head }) => responseTo(head.id!, "{}"), audits);
  await send(requestOf("1", "tools/call", `{"name":"search","arguments":${raw}}`));
  expect(sent).toHaveLength(1);
  const shown = audits.map((audit) => lines(audit.file)[0]!["arguments"]);
  const hash = Bun.CryptoHasher.hash("sha256", encoder.encode(raw), "hex");
  expect(shown).toEqual([`sha256:${hash}`, { q }]);
});

test("arguments are left out, hashed or shown, and each file has its own way", async () => {
  const audits = (["none", "hash", "full"] as const).map((how) => ({
    file: `${file}.${how}`,
    arguments: how,
  }));
  const { send } = audited(({ head }) => responseTo(head.id!, "{}"), audits);
  await send(toolCall("1", { q: "cats" }));
  const shown = audits.map((audit) => lines(audit.file)[0]!["arguments"]);
  const hash = Bun.CryptoHasher.hash("sha256", '{"q":"cats"}', "hex");
  expect(shown).toEqual([undefined, `sha256:${hash}`, { q: "cats" }]);
});

test.each<[string, string, unknown]>([
  ["a known secret", '{"key":"canary-secret"}', { key: "..." }],
  ["a header by its name", '{"authorization":"Bearer abcdefghijkl"}', { authorization: "..." }],
  ["what the redaction breaks", '{"cookie":{"a":1}}', expect.any(String)],
  ["a number beyond a double", '{"n":9007199254740993}', { n: 2 ** 53 }],
  ["control characters", '{"a":"\\u001b[2J\\u0000"}', { a: "\u001b[2J\0" }],
  ["a megabyte", JSON.stringify({ a: "x".repeat(2 ** 20) }), expect.stringMatching(/^sha256:/)],
])("full arguments are one JSON value without a secret: %s", async (_, args, shown) => {
  const { send } = audited(() => undefined, [{ file, arguments: "full" }]);
  await send(requestOf("1", "tools/call", `{"name":"search","arguments":${args}}`));
  expect(lines()[0]!["arguments"]).toEqual(shown);
  expect(readFileSync(file, "utf8")).not.toContain("canary");
  if (args.includes("9007199254740993"))
    expect(readFileSync(file, "utf8")).toContain(`"arguments":${args}`);
});

test.each(["{}", '{"name":7}', `{"name":${JSON.stringify("x".repeat(100_000))}}`, "[]"])(
  "a call with odd parameters has its short line: %.20s",
  async (params) => {
    const { send } = audited(() => undefined);
    await send(requestOf("1", "tools/call", params));
    expect(lines()).toHaveLength(2);
    expect(readFileSync(file).length).toBeLessThan(1000);
  },
);

test("each call of a batch has its lines, and so has a call without an id", async () => {
  const one = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{}}`;
  const answer = (id: number) => `{"jsonrpc":"2.0","id":${id},"result":{}}`;
  const batch = received(`[${one(1)},{"jsonrpc":"2.0","method":"ping","id":9},${one(2)}]`);
  const { send } = audited(({ head }) =>
    head.kind === "batch" ? received(`[${answer(2)},${answer(9)},${answer(1)}]`) : undefined,
  );
  await send(batch);
  await send(notificationOf("tools/call", '{"name":"search"}'));
  expect(lines().map(({ event, call, outcome = "" }) => `${event} ${call} ${outcome}`)).toEqual([
    "call 1 ",
    "call 2 ",
    "end 2 ok",
    "end 1 ok",
    "call 3 ",
    "end 3 sent",
  ]);
});

test("a call whose first line cannot be written is refused, and other messages pass", async () => {
  const { send, sent, delivered } = audited(
    ({ head }) => responseTo(head.id!, "{}"),
    [
      { file, arguments: "none" },
      { file: "/dev/full", arguments: "none" },
    ],
  );
  const error = await send(toolCall("1")).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(BridgeError);
  expect(error.kind).toBe("refused");
  expect(error.message).toContain('the call was not sent to "kb": its audit /dev/full');
  expect(sent).toHaveLength(0);
  expect(lines()[1]).toMatchObject({ event: "end", call: 1, outcome: "refused" });
  await send(requestOf("2", "tools/list"));
  expect(delivered).toHaveLength(1);
});

test("a last line that cannot be written is logged, and the answer arrives", async () => {
  let writing: { mockRestore(): void } | undefined;
  const { send, delivered, log } = audited(({ head }) => {
    writing = spyOn(fs, "writeSync").mockReturnValue(7);
    return responseTo(head.id!, "{}");
  });
  await send(toolCall("1")).finally(() => writing?.mockRestore());
  expect(delivered).toHaveLength(1);
  const missing = /^the end of a call is not in the audit {"call":1,.*"the disk is full"}$/;
  expect(log.events).toEqual([expect.stringMatching(missing)]);
});

test.each([
  ["a method in other letters", '"method":"Tools/Call","params":{"name":"search"}', 0],
  ["a second method", '"method":"ping","Method":"tools/call","params":{"name":"search"}', 0],
  ["a second name", '"method":"tools/call","params":{"name":"search","Name":"delete"}', 2],
  [
    "arguments twice",
    '"method":"tools/call","params":{"name":"a","arguments":{},"arguments":{}}',
    2,
  ],
])(
  "a message with %s is refused, since its lines could name another call",
  async (_, members, count) => {
    const { send, sent } = audited(() => undefined);
    await expect(send(received(`{"jsonrpc":"2.0","id":1,${members}}`))).rejects.toMatchObject({
      kind: "refused",
    });
    expect(sent).toEqual([]);
    if (count > 0) expect(lines().map(({ outcome }) => outcome)).toEqual([undefined, "refused"]);
  },
);
