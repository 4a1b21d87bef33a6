import { isatty } from "node:tty";
import { defineCommand, serverArgument } from "../../cli/command.ts";
import { Spinner } from "../../cli/spinner.ts";
import { findServer } from "../../config/ad-hoc.ts";
import { ByteChunks } from "../../wire/byte-chunks.ts";
import { BridgeError } from "../../wire/errors.ts";
import { nearest } from "../../wire/nearest-name.ts";
import { cleanText, terminalJson } from "../../wire/text.ts";
import { argumentsIn } from "../test/arguments.ts";
import type { RunChild } from "../test/mcp-child.ts";
import { callTool, initialize, listAll } from "../test/requests.ts";
import { withServerChild } from "../test/server-child.ts";
import { printResult } from "./result-output.ts";
import { isObject } from "./schema.ts";
import { typedArguments } from "./typed-arguments.ts";

const progressToken = 1;
const longestProgress = 70;
const maxArgumentBytes = 64 * 1024 * 1024;

export const command = defineCommand({
  args: {
    name: { type: "positional", description: "the server's name in the configuration, or its URL" },
    tool: { type: "positional", description: "the tool's name" },
    arguments: {
      type: "positional",
      description: "key=value, typed by the tool's schema; key[member]=value, key[]=value",
      repeat: true,
    },
    server: serverArgument,
    args: {
      type: "string",
      valueHint: "JSON|@FILE|-",
      description: "all arguments as a JSON object: the text, a file's, or stdin's; sent as it is",
    },
    json: { type: "boolean", description: "print the result as the server sent it, as JSON" },
  },
  async run({ server, args, json, ...positional }, context) {
    const words = [positional.name, positional.tool, ...positional.arguments].filter(
      (word) => word !== undefined,
    );
    const name = server ?? words.shift();
    const [tool, ...pairs] = words;
    if (name === undefined || tool === undefined)
      throw new BridgeError("usage", `"call" needs ${name === undefined ? "NAME and " : ""}TOOL`, {
        hint: (command) => `see: ${command(`tools ${name ?? "NAME"}`)}`,
      });
    if (args !== undefined && pairs.length > 0)
      throw new BridgeError("usage", "--args and key=value exclude each other");
    const settings = await findServer(context.paths(), name);
    const whole = args === undefined ? undefined : argumentsIn(await textOf(args), "--args");
    const spinner = new Spinner(context.env);
    const notified = (method: string, params: Progress) => {
      if (method === "notifications/progress") spinner.update(progressLine(params));
    };
    const { result, text } = await withServerChild(
      settings,
      context,
      { notified },
      async (child, knowSecrets) => {
        await initialize(child);
        const json = whole ?? typedArguments(pairs, await schemaOf(tool, child, settings.name));
        spinner.start();
        try {
          return await callTool(child, { tool, args: json }, progressToken);
        } finally {
          spinner.stop();
          await knowSecrets();
        }
      },
    );
    const isTerminal = isatty(1);
    if (json) {
      const shown = context.redactor.redact(text);
      await context.print(`${isTerminal ? terminalJson(shown) : shown}\n`);
      return result.isError === true ? 1 : 0;
    }
    const output = { context, tool, folder: process.cwd(), isTerminal };
    const isWhole = await printResult(result, output);
    if (result.isError === true) throw toolError(tool, settings.name);
    return isWhole ? 0 : 1;
  },
});

function toolError(tool: string, server: string): BridgeError {
  return new BridgeError("server-error", `the tool "${cleanText(tool, 100)}" reported an error`, {
    hint: (command) => `check the arguments against its parameters: ${command(`tools ${server}`)}`,
  });
}

/** The text that `--args` names. Throws `usage`. */
async function textOf(args: string): Promise<string> {
  if (!args.startsWith("@") && args !== "-") return args;
  try {
    const source = args === "-" ? Bun.stdin : Bun.file(args.slice(1));
    const stats = args === "-" ? undefined : await source.stat();
    if (stats?.isCharacterDevice() || stats?.isBlockDevice())
      throw new BridgeError("usage", "--args: the file is a device");
    return await boundedText(source.stream() as unknown as AsyncIterable<Uint8Array>);
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new BridgeError("usage", `--args: the file cannot be read (${code})`);
  }
}

/** The text of a stream. A pipe may have no end. */
async function boundedText(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks = new ByteChunks();
  for await (const chunk of stream) {
    chunks.add(chunk);
    if (chunks.length > maxArgumentBytes)
      throw new BridgeError("usage", `--args: more than ${maxArgumentBytes} bytes`);
  }
  return new TextDecoder().decode(chunks.take());
}

/** The schema of a tool's arguments. Throws `usage` for a tool that the server does not list. */
async function schemaOf(tool: string, child: RunChild, server: string): Promise<unknown> {
  const { items } = await listAll(child, "tools", false);
  const tools = items.filter(isObject) as {
    readonly name?: unknown;
    readonly inputSchema?: unknown;
  }[];
  const found = tools.find(({ name }) => name === tool);
  if (found !== undefined) return found.inputSchema;
  const names = tools.flatMap(({ name }) =>
    typeof name === "string" ? [cleanText(name, 100)] : [],
  );
  const near = nearest(tool, names);
  throw new BridgeError("usage", `server "${server}" has no tool "${cleanText(tool, 100)}"`, {
    hint: (command) =>
      near.length > 0 ? `did you mean ${near.join(" or ")}?` : `see: ${command(`tools ${server}`)}`,
  });
}

/** Parameters of a progress notification (MCP 2025-03-26 basic/utilities/progress). */
type Progress = { readonly [member in "progress" | "total" | "message"]?: unknown };

/** `3/10 reading pages`, of a progress notification. */
function progressLine({ progress, total, message }: Progress): string {
  const count = typeof progress === "number" ? String(progress) : "";
  const of = count !== "" && typeof total === "number" ? `/${total}` : "";
  const text = typeof message === "string" ? ` ${message}` : "";
  return cleanText(`${count}${of}${text}`, longestProgress);
}
