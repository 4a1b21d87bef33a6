import { expect, test } from "bun:test";
import fc from "fast-check";
import { foldText, Glob, globProblem } from "../../src/wire/glob.ts";
import { runsOf } from "../support/property.ts";

const runs = runsOf(import.meta.path);

test.each<[glob: string, matching: string[], others: string[]]>([
  ["get", ["get"], ["gets", "aget", "GET", ""]],
  ["get_*", ["get_", "get_all", "get_a/b.c\n"], ["got_all", "xget_"]],
  ["*", ["", "anything", ".hidden", "a/b"], []],
  ["?et", ["get", "💾et"], ["et", "gget"]],
  ["[abc]x", ["ax", "cx"], ["dx", "x", "abx"]],
  ["[a-c-]", ["b", "-"], ["d", ""]],
  ["[!a-c]", ["d", "!"], ["a", ""]],
  ["[^a]", ["b"], ["a"]],
  ["[]]", ["]"], ["["]],
  ["[\\]a]", ["]", "a"], ["\\"]],
  ["{get,list}_*", ["get_x", "list_"], ["put_x", "{get,list}_x"]],
  ["{a,b{c,d},}x", ["ax", "bcx", "bdx", "x"], ["bx", "cx"]],
  ["a,b}", ["a,b}"], ["a"]],
  ["\\*\\{", ["*{"], ["x{"]],
  ["a.b+(c)|d$", ["a.b+(c)|d$"], ["aXb+(c)|d$"]],
  ["*a*b*", ["ab", "xaxbx"], ["ba"]],
])("%s matches what it matches in a shell", (text, matching, others) => {
  const glob = new Glob(text);
  expect(matching.filter((name) => !glob.matches(name))).toEqual([]);
  expect(others.filter((name) => glob.matches(name))).toEqual([]);
});

test.each([
  ["", "not empty"],
  ["[a", '"]" for each "["'],
  ["[", '"]" for each "["'],
  ["{a,b", '"}" for each "{"'],
  ["{a,{b}", '"}" for each "{"'],
  ["a\\", "after"],
  ["[z-a]", "ranges"],
  ["[[:alpha:]]", '"[:"'],
  ["x".repeat(257), "at most 256"],
])("%s is no glob", (text, problem) => {
  expect(globProblem(text)).toContain(problem);
});

/** Glob tokens with the regular expression that each means. */
const token = fc.constantFrom(
  ["*", "[^]*"],
  ["?", "[^]"],
  ["a", "a"],
  ["B", "B"],
  [".", "\\."],
  ["[ab]", "[ab]"],
  ["[!a]", "[^a]"],
  ["{a,bB}", "(?:a|bB)"],
  ["{,.}", "(?:|\\.)"],
  ["\\*", "\\*"],
);

test("a glob matches the texts that its regular expression matches", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "B", ".", "*", "\n"), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(token, { minLength: 1, maxLength: 6 }), text, (tokens, name) => {
      const glob = new Glob(tokens.map(([word]) => word).join(""));
      const regExp = new RegExp(`^${tokens.map(([, source]) => source).join("")}$`, "u");
      expect(glob.matches(name)).toBe(regExp.test(name));
    }),
    runs,
  );
});

test("a glob that a backtracking matcher takes ages for is matched in linear time", () => {
  const glob = new Glob(`${"*a".repeat(90)}{${"*ac,".repeat(10)}b}`);
  const beganAt = performance.now();
  for (let times = 0; times < 10; times++) expect(glob.matches("a".repeat(1000))).toBe(false);
  expect(performance.now() - beganAt).toBeLessThan(5000);
});

test.each([
  ["case", "DELETE_all", "delete_ALL"],
  ["full width", "ｄｅｌｅｔｅ", "delete"],
  ["a Kelvin sign and a long s", "\u212aey\u017f", "keys"],
  ["hidden characters", "de\u200blete\u0000", "delete"],
  ["spaces at the ends", " delete\t", "delete"],
  ["a composed letter", "e\u0301", "é"],
  ["accents", "Deleté\u0301\u20e3", "delete"],
  ["half of a surrogate pair", "delete\ud800", "delete"],
  ["accents behind hidden characters", "e\u200b\u0301", "é"],
])("folded texts differ in no %s", (_, one, other) => {
  expect(foldText(one)).toBe(foldText(other));
});
