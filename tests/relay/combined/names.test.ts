import { describe, expect, test } from "bun:test";
import { mayBelongTo, NameTable } from "../../../src/relay/combined/names.ts";

const [a, longer] = [{ name: "a" }, { name: "a__b" }];
const nameOf = (table: NameTable<{ name: string }>, server: { name: string }, name: string) => {
  const shown = table.nameOf(server, name);
  expect(mayBelongTo(server.name, shown)).toBe(true);
  return shown;
};

describe("names in a combined run", () => {
  test("a name over 64 characters keeps its beginning and ends in a short hash", () => {
    const table = new NameTable([a]);
    expect(nameOf(table, a, "x".repeat(61))).toBe(`a__${"x".repeat(61)}`);
    const [one, two] = ["1", "2"].map((end) => nameOf(table, a, "x".repeat(61) + end));
    expect(one).toMatch(/^a__x{52}_[0-9a-f]{8}$/);
    expect(one).toHaveLength(64);
    expect(two).not.toBe(one);
    expect(nameOf(new NameTable([a]), a, `${"x".repeat(61)}1`)).toBe(one!);
  });

  test("a server whose own name fills the limit gets names, too", () => {
    const server = { name: "s".repeat(64) };
    const table = new NameTable([server]);
    expect(nameOf(table, server, "one")).not.toBe(nameOf(table, server, "two"));
  });

  test("tools of two servers never get one name, whichever is listed first", () => {
    const table = new NameTable([a, longer]);
    expect(nameOf(table, longer, "c")).toBe("a__b__c");
    expect(nameOf(table, a, "b__c")).toMatch(/^a__b__c_[0-9a-f]{8}$/);
    expect(nameOf(table, a, "c")).toBe("a__c");
  });

  test("a listed name is found however its text is escaped, and never by cutting it", () => {
    const table = new NameTable([a, longer]);
    const shown = table.add(a, '"\\u0063"');
    expect(shown).toBe('"a__c"');
    expect(table.find('"a__\\u0063"')?.member).toBe(a);
    expect(table.find('"a__d"')).toBeUndefined();
  });

  test("of a server that lists without end the latest names are kept", () => {
    const table = new NameTable([a]);
    for (let n = 0; n <= 10_000; n++) table.add(a, `"t${n}"`);
    expect(table.find('"a__t0"')).toBeUndefined();
    expect(table.find('"a__t10000"')).toBeDefined();
  });
});
