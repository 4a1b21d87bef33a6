import { expect, test } from "bun:test";
import { nearest } from "../../src/wire/nearest-name.ts";

const names = ["setup", "test", "run", "status", "codex-config", "--token-env", "--token-file"];

test.each([
  ["tset", ["test"]],
  ["stauts", ["status"]],
  ["codexconfig", ["codex-config"]],
  ["SETUP", ["setup"]],
  ["--token", ["--token-env", "--token-file"]],
  ["completely-different", []],
  ["x", []],
  ["", []],
])("the nearest names to %j are %j", (word, expected) => {
  expect(nearest(word, names)).toEqual(expected);
});
