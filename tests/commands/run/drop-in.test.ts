import { expect, test } from "bun:test";
import { dropInAfter } from "../../../src/commands/run/drop-in.ts";
import { initializeParams } from "../../support/oauth-bridge.ts";
import { runProgram } from "../../support/program.ts";

const url = "https://h.example/mcp";

test.each<[string, string]>([
  [`${url} --header X:y`, ""],
  [`--config-path /x/config.json ${url} --no-cache`, "--config-path /x/config.json --no-cache"],
  [
    `${url} -l trace --token-env TOKEN --sign-in never`,
    "-l trace --token-env TOKEN --sign-in never",
  ],
  [`${url} --sign-in=never --log-file=/x`, "--sign-in=never --log-file=/x"],
  [`${url} --debug`, "--log-level debug"],
  [`${url} --silent`, "--log-level error"],
  [`${url} --silent --debug`, "--log-level debug"],
  [`${url} --debug --log-level warn`, "--log-level warn"],
  [`${url} --header --no-cache`, ""],
  [`${url} --resource -c`, ""],
])("of %s the program itself reads the options: %s", (line, own) => {
  expect(dropInAfter(line.split(" ")).words.join(" ")).toBe(own);
});

test("a home that cannot be written does not end the bridge", async () => {
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 405 });
      const { id, method, params } = (await request.json()) as {
        id?: number;
        method: string;
        params?: { protocolVersion?: string };
      };
      if (id === undefined) return new Response(null, { status: 202 });
      const result =
        method === "initialize"
          ? {
              protocolVersion: params?.protocolVersion,
              capabilities: { tools: {} },
              serverInfo: { name: "s", version: "1" },
            }
          : { tools: [] };
      return Response.json({ jsonrpc: "2.0", id, result });
    },
  });
  const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":${initializeParams()}}`;
  const { code, stdout } = await runProgram([`http://127.0.0.1:${server.port}/mcp`], {
    env: { HOME: "/dev/null" },
    stdin: `${initialize}\n{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n`,
  });
  expect([code, stdout.trim().split("\n").length]).toEqual([0, 2]);
});
