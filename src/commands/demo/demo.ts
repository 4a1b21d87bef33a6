import { join } from "node:path";
import { type Context, defineCommand } from "../../cli/command.ts";
import type { Marks } from "../../cli/terminal.ts";
import { writeAtomically } from "../../platform/files.ts";
import { withTempFolder } from "../../platform/temp-folder.ts";
import { program } from "../../wire/program-facts.ts";
import { type Answer, initializeParams, RunChild } from "../test/mcp-child.ts";
import { type DemoServer, startDemoServer, type Visit } from "./server.ts";

/** JSON whose bytes change if a bridge parses it and serializes it again. */
const fragileJson = '{"text":"Grüße, 世界 \\u2603","big":9007199254740993,"one":1.0}';
const countTo = 3;

export const command = defineCommand({
  args: {},
  async run(_, context) {
    const server = startDemoServer();
    try {
      return await withTempFolder((folder) => runDemo(server, folder, context));
    } finally {
      await server.stop();
    }
  },
});

/** Starts the bridge, runs the steps and prints the report; resolves to the exit code. */
async function runDemo(server: DemoServer, home: string, context: Context): Promise<number> {
  const configFile = join(home, "config.json");
  const servers = { demo: { url: server.url.href, token: server.token } };
  writeAtomically(configFile, JSON.stringify({ version: 1, servers }));
  await context.print(
    `A built-in MCP server waits at ${server.url.href}, behind a token.\n` +
      `The bridge is started as Codex starts it: ${program.name} run --server demo\n\n` +
      `${row(context.marks, false, ["client asks (stdio)", "bridge adds", "server answers (HTTP)", "client gets"])}\n`,
  );
  const steps = new DemoSteps(server, context, configFile);
  const passed = await steps.runAll();
  const verdict = passed
    ? `All ${steps.count} steps passed: this executable works on this machine.\nNext: ${context.commandLine("setup")}\n`
    : `Not every step passed: ${context.commandLine("demo --log-level debug")} tells more.\n`;
  await context.print(`\n${verdict}`);
  return passed ? 0 : 1;
}

/** One line of the report; the first three cells are padded to columns. */
const row = (
  { ok, arrow }: Marks,
  isDone: boolean,
  cells: readonly [string, string, string, string],
) => {
  const [asks, adds, answers, gets] = cells;
  const between = ` ${arrow} `;
  const parts = [asks.padEnd(26), adds.padEnd(15), answers.padEnd(23), gets];
  return `${isDone ? ok : " ".repeat(ok.length)} ${parts.join(between)}`;
};

/** Sends a client's messages through the bridge and prints, for each, the request at the server and the client's answer. */
class DemoSteps {
  readonly #server: DemoServer;
  readonly #context: Context;
  readonly #child: RunChild;
  #progress: number[] = [];
  #passed = true;
  count = 0;

  constructor(server: DemoServer, context: Context, configFile: string) {
    this.#server = server;
    this.#context = context;
    const level = context.log.writes("debug") ? "debug" : "warn";
    this.#child = new RunChild(context, {
      words: ["run", "--server", "demo", "--config-path", configFile, "--log-level", level],
      env: { HOME: join(configFile, "..") },
      notified: (method, { progress }) => {
        if (method === "notifications/progress") this.#progress.push(Number(progress));
      },
    });
  }

  /** Runs every step; true where all passed. */
  async runAll(): Promise<boolean> {
    const call = (params: string) => this.#child.request("tools/call", params);
    await this.#step("initialize", async () => {
      const answer = await this.#child.request("initialize", initializeParams(program.version));
      requirement(answer.error === undefined, answer.error?.message ?? "");
      requirement(
        answer.result?.protocolVersion === "2025-06-18",
        "another revision than asked for",
      );
      this.#child.notify("notifications/initialized");
      return `the server's name, MCP ${answer.result?.protocolVersion}`;
    });
    await this.#step("tools/list", async () => {
      const { result } = await this.#child.request("tools/list", "{}");
      const names = (result?.tools as { name: string }[] | undefined)?.map(({ name }) => name);
      requirement(names?.join() === "echo,clock,count", "other tools than the server has");
      return names?.join(", ") ?? "";
    });
    await this.#step("tools/call echo", async () => {
      const answer = await call(`{"name":"echo","arguments":${fragileJson}}`);
      requirement(this.#last().body === answer.sent, "the request was changed on its way");
      requirement(
        textOf(answer) === JSON.parse(fragileJson).text,
        "the text was changed on its way",
      );
      return "its text back, byte for byte";
    });
    await this.#step("tools/call clock", async () => {
      const text = textOf(await call('{"name":"clock"}'));
      requirement(text !== undefined && !Number.isNaN(Date.parse(text)), "no time came");
      return text ?? "";
    });
    await this.#step("tools/call count", async () => {
      const params = { name: "count", arguments: { to: countTo }, _meta: { progressToken: 1 } };
      const text = textOf(await call(JSON.stringify(params)));
      requirement(this.#progress.join() === "1,2,3", "progress was lost or out of order");
      requirement(text === `counted to ${countTo}`, "the result was changed on its way");
      return `${countTo} times progress, then the result`;
    });
    await this.#step("tools/call nothing", async () => {
      const { error } = await call('{"name":"nothing"}');
      requirement(error?.code === -32602, "the server's error did not arrive");
      return `error ${error?.code}: ${error?.message}`;
    });
    await this.#step("(end of input)", async () => {
      const code = await this.#child.end();
      requirement(code === 0, `the bridge ended with ${code}`);
      // The bridge waits at most 10 ms for the answer to its DELETE, so the server may read the DELETE after the exit.
      for (let tries = 0; this.#last().http !== "DELETE" && tries < 100; tries++)
        await Bun.sleep(10);
      requirement(this.#last().http === "DELETE", "the session was not ended");
      requirement(this.#child.strayLines === 0, "stdout held lines that are not JSON-RPC");
      return "exit 0";
    });
    return this.#passed;
  }

  #last(): Visit {
    const visit = this.#server.visits.findLast(
      ({ http, method }) => http !== "GET" && method !== initializedMethod,
    );
    if (visit === undefined) throw new Error("nothing reached the server");
    return visit;
  }

  /** Runs a step and prints its line. After a failed step, further steps are skipped, because they would fail, too. */
  async #step(asks: string, work: () => Promise<string>): Promise<void> {
    if (!this.#passed) return;
    this.count++;
    const { marks, print, redactor } = this.#context;
    const startedAt = performance.now();
    try {
      const gets = await work();
      const ms = (performance.now() - startedAt).toFixed(1);
      const { http, status, answered, hadToken, hadSession } = this.#last();
      requirement(hadToken, "the token was missing");
      requirement(hadSession || asks === "initialize", "the session was missing");
      const adds = hadSession ? "token, session" : "token";
      const answers = `${http} ${status}${answered === "nothing" ? "" : `, ${answered}`}`;
      await print(`${row(marks, true, [asks, adds, answers, gets])}  (${ms} ms)\n`);
    } catch (error) {
      this.#passed = false;
      const why = error instanceof Error ? error.message : String(error);
      await print(`${marks.failed} ${asks}: ${redactor.redact(why)}\n`);
      await this.#child.end();
    }
  }
}

const initializedMethod = "notifications/initialized";

function requirement(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}

function textOf({ result }: Answer): string | undefined {
  const [first] = (result?.content ?? []) as { text?: string }[];
  return first?.text;
}
