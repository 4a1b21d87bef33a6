import { describe, expect, test } from "bun:test";
import { typedArguments } from "../../../src/commands/tools/typed-arguments.ts";
import { failure } from "../../support/failure.ts";

const schema = {
  type: "object",
  required: ["query"],
  properties: {
    query: { type: "string" },
    limit: { type: "integer" },
    score: { type: "number" },
    deep: { type: "boolean" },
    mode: { enum: ["fast", "slow", "5", 6] },
    tags: { type: "array", items: { type: "string" } },
    pages: { type: "array", items: { type: "integer" } },
    when: { anyOf: [{ type: "string" }, { type: "null" }] },
    since: { type: ["integer", "string"] },
    ids: { oneOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] },
    filter: { $ref: "#/$defs/Filter" },
    free: {},
    "a[b]": { type: "string" },
  },
  $defs: {
    Filter: {
      allOf: [{ $ref: "#/$defs/Base" }],
      properties: { count: { type: "number" }, inner: { $ref: "#/$defs/Filter" } },
    },
    Base: { type: "object", required: ["by"], properties: { by: { type: "string" } } },
  },
};

const typed = (...words: string[]) => typedArguments(["query=q", ...words], schema);

describe("a value is typed by the schema", () => {
  test.each<[string[], string]>([
    [["limit=5"], '"limit":5'],
    [["limit=9007199254740993"], '"limit":9007199254740993'],
    [["limit=5.0"], '"limit":5.0'],
    [["score=-1.5e3"], '"score":-1.5e3'],
    [["deep=true"], '"deep":true'],
    [["mode=fast"], '"mode":"fast"'],
    [["mode=5"], '"mode":"5"'],
    [["mode=6"], '"mode":6'],
    [["tags=a"], '"tags":["a"]'],
    [["tags=a", "tags=5"], '"tags":["a","5"]'],
    [["tags[]=a", "tags[]="], '"tags":["a",""]'],
    [['tags=["a", "b"]'], '"tags":["a", "b"]'],
    [["pages=1", "pages=2"], '"pages":[1,2]'],
    [["when=null"], '"when":null'],
    [["when=today"], '"when":"today"'],
    [["since=5"], '"since":5'],
    [["since=monday"], '"since":"monday"'],
    [["ids=a"], '"ids":"a"'],
    [["ids=a", "ids=b"], '"ids":["a","b"]'],
    [["filter[by]=me", "filter[count]=2"], '"filter":{"by":"me","count":2}'],
    [["filter[by]=a", "filter[inner][by]=b"], '"filter":{"by":"a","inner":{"by":"b"}}'],
    [['filter={"by":"me",\n"more":[1]}'], '"filter":{"by":"me", "more":[1]}'],
    [["free=5"], '"free":5'],
    [["free=five=5"], '"free":"five=5"'],
    [['free="5"'], '"free":"\\"5\\""'],
    [["a[b]=c"], '"a[b]":"c"'],
  ])("%j", (words, json) => {
    expect(typed(...words)).toBe(`{"query":"q",${json}}`);
  });

  test("a string keeps its quotes, its @ and its digits", () => {
    for (const text of ['"exact phrase"', "@alice", "007", "", "true", "null", "{}"])
      expect(JSON.parse(typedArguments([`query=${text}`], schema))).toEqual({ query: text });
  });

  test("without a schema a value is JSON if it can be, else a string", () => {
    const text = typedArguments(["a=1", "b=x", "c[d]=null", "__proto__=1"], undefined);
    expect(text).toBe('{"a":1,"b":"x","c":{"d":null},"__proto__":1}');
  });

  test("a schema that contains itself ends", () => {
    const loop = { properties: { a: { $ref: "#" } }, allOf: [{ $ref: "#" }] };
    expect(typedArguments(["a[a][a]=5"], loop)).toBe('{"a":{"a":{"a":5}}}');
  });
});

test("null fits a parameter that is nullable, as OpenAPI says it", () => {
  const nullable = { properties: { by: { type: "string", nullable: true } } };
  expect(typedArguments(["by=null"], nullable)).toBe('{"by":null}');
  expect(typedArguments(["by=x"], nullable)).toBe('{"by":"x"}');
});

describe("wrong usage", () => {
  test.each<[string[], string]>([
    [["limit=abc"], '"limit": expected integer'],
    [["limit=1.5"], '"limit": expected integer'],
    [["score=1e999"], '"score": expected number'],
    [["deep=yes"], '"deep": expected boolean'],
    [["mode=medium"], '"mode": expected "fast" | "slow" | "5" | 6'],
    [["pages=a"], '"pages": expected list of integer'],
    [["limit=1", "limit=2"], '"limit" is given twice'],
    [["filter[by]=a", "filter=b"], '"filter" is given twice'],
    [["filter[count]=1"], '"filter[by]" is missing (string)'],
    [["filter[by]=a", "filter[cuont]=1"], '"filter" has no parameter "cuont"'],
    [["qurey=b"], 'the tool has no parameter "qurey"'],
    [['filter={"count":1}'], '"filter[by]" is missing (string)'],
    [["limit"], "an argument of the tool is not written as key=value"],
    [["=5"], "an argument of the tool is not written as key=value"],
    [["tags[][a]=5"], '"tags[][a]": only the last brackets may be empty'],
  ])("%j", (words, message) => {
    expect(failure(() => typed(...words))).toMatchObject({ kind: "usage", message });
  });

  test("parameters that are given are not asked for again", () => {
    expect(failure(() => typed("filter[by]=a", "filter[count]=x")).hint).toBeUndefined();
  });

  test("a missing parameter is named with its type, and all that are needed", () => {
    expect(failure(() => typedArguments([], schema))).toMatchObject({
      kind: "usage",
      message: '"query" is missing (string)',
      hint: "it needs query=...",
    });
  });
});
