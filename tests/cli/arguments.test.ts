import { describe, expect, test } from "bun:test";
import { commandAt, readArguments } from "../../src/cli/arguments.ts";
import { globalArguments, serverArgument, serversArgument } from "../../src/cli/command.ts";
import { failure } from "../support/failure.ts";

const table = {
  name: { type: "positional", required: false, description: "" },
  server: serversArgument,
  url: { type: "string", description: "" },
  json: { type: "boolean", description: "" },
  "no-cache": { type: "boolean", description: "" },
  combined: { type: "string", fallback: "bridge", description: "" },
  "sign-in": { type: "enum", options: ["elicit", "browser", "never"], description: "" },
  ...globalArguments,
} as const;
const read = (...words: string[]) => readArguments("test", table, words);

describe("the command line", () => {
  test("reads lists, flags and strings as their types", () => {
    const words = ["-s", "a", "--server=b", "--json", "--url", "https://x/?a=b", "kb"];
    expect(read(...words)).toMatchObject({
      server: ["a", "b"],
      json: true,
      "no-cache": false,
      url: "https://x/?a=b",
      name: "kb",
      "sign-in": undefined,
    });
  });

  test("an option with a fallback may stand without its value", () => {
    expect(read("--json").combined).toBeUndefined();
    expect(read("--combined").combined).toBe("bridge");
    expect(read("--combined", "--json")).toMatchObject({ combined: "bridge", json: true });
    expect(read("--combined", "team").combined).toBe("team");
    expect(read("--combined=team").combined).toBe("team");
  });

  test("the fast reader and the strict one give repeated options alike", () => {
    const { name: _, ...options } = table;
    const words = ["--server", "a", "--json", "--server", "b"];
    expect(readArguments("test", options, words).server).toEqual(["a", "b"]);
    expect(readArguments("test", options, ["-s", "a", "-s", "b"]).server).toEqual(["a", "b"]);
    expect(readArguments("test", options, []).server).toEqual([]);
  });

  test("a value after = may begin with a dash, and every word after -- is positional", () => {
    expect(read("--url=-x").url).toBe("-x");
    expect(read("--", "--json")).toMatchObject({ name: "--json", json: false });
  });

  test.each([
    [["--sever", "kb"], "unknown option --sever", "did you mean --server?"],
    [["--sign"], "unknown option --sign", "did you mean --sign-in?"],
    [["-x"], "unknown option -x", "see codex-mcp-http-bridge test --help"],
    [["--toString"], "unknown option --toString", "see "],
    [["--server"], "the option --server needs a value", "see "],
    [["--server", "--json"], "the option --server needs a value", "see "],
    [["--url="], "the option --url needs a value", "see "],
    [["--json=1"], "the option --json takes no value", "see "],
    [["--url", "a", "--url", "b"], "--url is given twice", "see "],
    [["--sign-in", "elict"], "--sign-in is one of elicit, browser, never", "did you mean elicit?"],
    [["one", "two"], 'unexpected word "two" after "test"', "see "],
  ])("refuses %j", (words, message, hint) => {
    const error = failure(() => read(...words));
    expect(error.kind).toBe("usage");
    expect(error.exitCode).toBe(2);
    expect(error.message).toStartWith(message);
    expect(error.hint).toStartWith(hint);
  });

  test("an error does not repeat a word that may be a secret", () => {
    const secret = "sk-0123456789abcdef0123456789abcdef";
    for (const words of [["kb", secret], [`--token=${secret}`], [`--json=${secret}`]])
      expect(failure(() => read(...words)).message).not.toContain(secret);
  });

  test("a missing required word is an error", () => {
    const needing = { name: { type: "positional", required: true, description: "" } } as const;
    expect(failure(() => readArguments("remove", needing, [])).message).toBe('"remove" needs NAME');
  });

  test("a server's name and its URL may stand as plain words, in any order", () => {
    const url = { type: "string", plain: "url", description: "" } as const;
    const table = { server: serverArgument, url };
    const both = { server: "kb", url: "https://kb.example/mcp" };
    for (const words of [
      ["kb", "https://kb.example/mcp"],
      ["https://kb.example/mcp", "kb"],
      ["--url", "https://kb.example/mcp", "kb"],
    ])
      expect(readArguments("setup", table, words)).toEqual(both);
    // A command without a URL of its own takes the URL of a server in place of the name.
    const one = { server: serverArgument };
    expect(readArguments("test", one, ["https://kb.example/mcp"]).server).toBe(both.url);
    const several = { server: serversArgument };
    expect(readArguments("test", several, ["a", "-s", "b"]).server).toEqual(["a", "b"]);
    const twice = failure(() => readArguments("login", one, ["a", "b"]));
    expect(twice.message).toBe("--server is given twice");
  });

  test("a plain word follows the words of the command's own", () => {
    const action = { type: "positional", required: true, description: "" } as const;
    const table = { action, server: serverArgument };
    const read = { action: "export", server: "kb" };
    expect(readArguments("credentials", table, ["export", "kb"])).toEqual(read);
  });

  test("a second --server is an error for a command that takes one", () => {
    const one = { server: serverArgument };
    const error = failure(() => readArguments("run", one, ["-s", "a", "-s", "b"]));
    expect(error.message).toBe("-s is given twice");
  });

  test.each([
    [["run", "-s", "x"], 0],
    [["-l", "debug", "run"], 2],
    [["--log-level=debug", "run"], 1],
    [["--bogus", "run"], 1],
    [["--version", "--json"], -1],
    [[], -1],
  ])("finds the command's name in %j", (words, at) => {
    expect(commandAt(words)).toBe(at);
  });
});
