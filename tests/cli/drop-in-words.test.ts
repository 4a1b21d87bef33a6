import { describe, expect, test } from "bun:test";
import { dropInWords } from "../../src/cli/drop-in-words.ts";

const commands = Object.fromEntries(
  ["run", "setup", "login", "import"].map((name) => [
    name,
    { does: "", load: () => Promise.reject(new Error("not loaded here")) },
  ]),
);
const url = "https://h.example/mcp";
const wordsOf = (line: string, argv0 = "/usr/bin/codex-mcp-http-bridge") =>
  dropInWords(argv0, line.split(" "), commands)?.join(" ");

describe("a command line with the arguments of mcp-remote", () => {
  test.each([
    [url, url],
    [`${url} 3334 --debug`, `${url} 3334 --debug`],
    ["HTTPS://h.example/mcp", "HTTPS://h.example/mcp"],
    [`run ${url} --silent`, `${url} --silent`],
    [`run --no-cache ${url}`, `--no-cache ${url}`],
    [`mcp-remote ${url}`, url],
    [`mcp-remote@0.15.1 ${url}`, url],
    [`-y mcp-remote@latest ${url}`, url],
    [`npx -y mcp-remote ${url}`, url],
    [`/c npx -y mcp-remote ${url} --allow-http`, `${url} --allow-http`],
    [`--allow-http ${url}`, `--allow-http ${url}`],
    [`--log-level debug ${url}`, `--log-level debug ${url}`],
    ["mcp-remote", ""],
    [`/x/node_modules/mcp-remote/dist/proxy.js ${url}`, url],
    [`C:\\x\\mcp-remote\\dist\\proxy.js ${url}`, url],
    [`--use-system-ca /x/mcp-remote/dist/proxy.js ${url}`, url],
  ])("%s is one", (line, expected) => {
    expect(wordsOf(line)).toBe(expected);
  });

  test.each([
    "run --server kb",
    "setup --server kb --url https://h.example/mcp",
    "--config-path /x/config.json setup --server kb --url https://h.example/mcp",
    "import mcp-remote",
    "--config-path /mcp-remote/config.json setup --server kb --url https://h.example/mcp",
    "login --server https://h.example/mcp",
    "setpu https://h.example/mcp",
    "run",
    "--version",
  ])("%s is none", (line) => {
    expect(wordsOf(line)).toBeUndefined();
  });

  test("under the name mcp-remote every command line is one", () => {
    expect(wordsOf("setup", "/x/mcp-remote")).toBe("setup");
    expect(wordsOf(url, "C:\\x\\mcp-remote.exe")).toBe(url);
    expect(wordsOf("setup", "/x/mcp-remote-2")).toBeUndefined();
  });
});
