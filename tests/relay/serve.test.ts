import { expect, test } from "bun:test";
import { Redactor } from "../../src/platform/redact.ts";
import type { Stdio } from "../../src/platform/stdio.ts";
import { Output } from "../../src/relay/output.ts";
import { serve } from "../../src/relay/serve.ts";
import { responseTo } from "../../src/wire/message.ts";
import { commandLineFor } from "../../src/wire/program-facts.ts";
import { memoryLog } from "../support/client.ts";
import { handUpstream } from "../support/hand-upstream.ts";

const line = (id: number, method: string) =>
  new TextEncoder().encode(`{"jsonrpc":"2.0","id":${id},"method":"${method}"}\n`);

test("the early answer is written first, however slowly it is read", async () => {
  let written = "";
  const read = Promise.withResolvers<number>();
  const sink = {
    write(bytes: Uint8Array) {
      written += new TextDecoder().decode(bytes);
      return bytes.length;
    },
    flush: () => read.promise,
  } as unknown as Stdio["output"];
  const output = new Output(sink);
  void output.write(responseTo("0", '"said"'), true);
  const { upstream, next, answer } = handUpstream();
  const ended = Promise.withResolvers<number>();
  const input = (async function* () {
    yield line(0, "initialize");
    yield line(1, "ping");
    await ended.promise;
  })();
  const first = Promise.resolve({ done: false, value: line(0, "initialize") });
  const served = serve({
    name: "kb",
    connect: () => upstream,
    stdio: {
      first,
      input,
      output: sink,
      onSignal: () => undefined,
      onFault: () => undefined,
    } as Stdio,
    log: memoryLog(),
    redactor: new Redactor(),
    commandLine: commandLineFor(undefined),
    answered: { id: "0", page: { result: '"said"', savedAt: 0 }, output },
    limit: 1000,
    timeoutMs: 60_000,
  });
  await answer(await next());
  await answer(await next(), '"ping"');
  expect(written).toBe('{"jsonrpc":"2.0","id":0,"result":"said"}\n');
  read.resolve(0);
  ended.resolve(0);
  expect(await served).toBe(0);
  expect(written.split("\n").slice(1)).toEqual(['{"jsonrpc":"2.0","id":1,"result":"ping"}', ""]);
});

test("calls back once, after the first answer was written", async () => {
  let written = "";
  const sink = {
    write(bytes: Uint8Array) {
      written += new TextDecoder().decode(bytes);
      return bytes.length;
    },
    flush: () => 0,
  } as unknown as Stdio["output"];
  const seen: string[] = [];
  const called = Promise.withResolvers<void>();
  const { upstream, next, answer } = handUpstream();
  const ended = Promise.withResolvers<number>();
  const input = (async function* () {
    yield line(1, "ping");
    yield line(2, "ping");
    await ended.promise;
  })();
  const first = Promise.resolve({ done: false, value: line(1, "ping") });
  const signals = { onSignal: () => undefined, onFault: () => undefined };
  const served = serve({
    name: "kb",
    connect: () => upstream,
    stdio: { first, input, output: sink, ...signals } as Stdio,
    log: memoryLog(),
    redactor: new Redactor(),
    commandLine: commandLineFor(undefined),
    onFirstAnswer() {
      seen.push(written);
      called.resolve();
    },
    limit: 1000,
    timeoutMs: 60_000,
  });
  const [one, two] = [await next(), await next()];
  expect(seen).toEqual([]);
  await answer(one, '"one"');
  await called.promise;
  await answer(two, '"two"');
  ended.resolve(0);
  expect(await served).toBe(0);
  expect(seen).toEqual(['{"jsonrpc":"2.0","id":1,"result":"one"}\n']);
});
