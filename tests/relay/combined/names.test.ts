import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NameTable } from "../../../src/relay/combined/names.ts";
import { runsOf } from "../../support/property.ts";

const runs = runsOf(import.meta.path);

const [a, longer] = [{ name: "a" }, { name: "a__b" }];
const nameOf = (table: NameTable<{ name: string }>, server: { name: string }, name: string) => {
  const shown = table.nameOf(server, name);
  expect(table.candidates(shown)).toContain(server);
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
    expect(nameOf(table, a, "b__c")).toMatch(/^a__b-c_[0-9a-f]{8}$/);
    expect(nameOf(table, a, "c")).toBe("a__c");
  });

  test("a name that is cut inside a character begins with the name of no other server", () => {
    const other = { name: `a__${"x".repeat(51)}` };
    const shown = nameOf(
      new NameTable([a, other]),
      a,
      `${"x".repeat(51)}\u{1f600}${"y".repeat(20)}`,
    );
    expect(shown).toMatch(/^a__x{51}-_[0-9a-f]{8}$/);
  });

  test("a name that another name's hash could give gets a hash, too", () => {
    const table = new NameTable([a, longer]);
    for (const [server, name] of [
      [a, "b__c"],
      [a, "x".repeat(70)],
      [longer, "x".repeat(70)],
    ] as const) {
      const shown = nameOf(table, server, name);
      for (const other of [a, longer]) {
        if (!shown.startsWith(`${other.name}__`)) continue;
        expect(nameOf(table, other, shown.slice(other.name.length + 2))).not.toBe(shown);
      }
    }
    expect(nameOf(new NameTable([a]), a, "report_20261129")).toBe("a__report_20261129");
  });

  test("no server gets the name or the route of another server's tool, whatever the names and their order", () => {
    const serverName = fc.stringMatching(/^[ab][ab_-]{0,4}(?:x{49})?$/);
    const toolName = fc.oneof(
      fc.stringMatching(/^[ab_]{0,8}(?:x{45,60})?(?:_[0-9a-f]{8})?$/),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(serverName, { minLength: 2, maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(), toolName), { maxLength: 20 }),
        (names, tools) => {
          const servers = names.map((name) => ({ name }));
          const listed = tools.map(([at, name]) => [servers[at % servers.length]!, name] as const);
          const table = new NameTable(servers);
          // A server may know the names that the bridge gives, and list those as its own.
          const given = listed.flatMap(([server, name]) => {
            const shown = table.nameOf(server, name);
            return servers
              .filter((other) => shown.startsWith(`${other.name}__`))
              .map((other) => [other, shown.slice(other.name.length + 2)] as const);
          });
          const shownBy = new Map<string, string>();
          for (const [server, name] of [...listed, ...given]) {
            const shown = table.add(server, JSON.stringify(name));
            expect(shown).toBe(JSON.stringify(table.nameOf(server, name)));
            const own = JSON.stringify([server.name, name]);
            expect(shownBy.get(shown) ?? own).toBe(own);
            shownBy.set(shown, own);
            expect(table.candidates(JSON.parse(shown))).toContain(server);
          }
          for (const [shown, own] of shownBy) {
            const { member, name } = table.find(shown)!;
            expect(JSON.stringify([member.name, name])).toBe(own);
            const guess = new NameTable(servers).unlisted(JSON.parse(shown));
            if (guess !== undefined)
              expect(JSON.stringify([guess.member.name, guess.name])).toBe(own);
          }
        },
      ),
      runs,
    );
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
