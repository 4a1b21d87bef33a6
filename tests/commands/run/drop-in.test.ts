import { expect, test } from "bun:test";
import { dropInAfter } from "../../../src/commands/run/drop-in.ts";

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
