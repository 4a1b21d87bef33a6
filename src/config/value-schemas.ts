// The schemas of single values, from which those of the files are made; `what` describes the value in errors and in the JSON
// Schema. Every message is ours and names the expected value: valibot's default messages quote the actual value, which may
// be a secret.
import * as v from "valibot";
import { argvProblem, tokenProblem, urlProblem, variableProblem } from "./validators.ts";

/** Judges a text: undefined if it is valid, otherwise the error message. */
export type Rule = (text: string) => string | undefined;

/** A string for which `rule` returns undefined; otherwise the returned text is the error message. */
export const ruled = (what: string, rule: Rule, description?: string) =>
  v.pipe(
    v.string(`expected ${what}`),
    v.check(
      (text) => rule(text) === undefined,
      (issue) => rule(issue.input) ?? "",
    ),
    v.description(description ?? what),
  );
/** A text that is not empty. */
export const text = (what: string) =>
  v.pipe(
    v.string(`expected ${what}`),
    v.nonEmpty(`expected ${what}, not empty`),
    v.description(what),
  );
/** A bearer token; white space around it is ignored. */
export const token = (what: string) =>
  v.pipe(
    v.string(`expected ${what}`),
    v.check(
      (value) => tokenProblem(value.trim()) === undefined,
      (issue) => tokenProblem(issue.input.trim()) ?? "",
    ),
    v.description(what),
  );
/** A number from `min` to `max`. */
export const range = (what: string, min: number, max: number) =>
  v.pipe(
    v.number(`expected ${what}, ${min} to ${max}`),
    v.minValue(min, `expected ${what}, ${min} to ${max}`),
    v.maxValue(max, `expected ${what}, ${min} to ${max}`),
    v.description(what),
  );
/** A whole number from `min` to `max`. */
export const whole = (what: string, min: number, max: number) =>
  v.pipe(range(what, min, max), v.integer(`expected ${what}, without a fraction`));
/** True or false. */
export const flag = (what: string) =>
  v.pipe(v.boolean("expected true or false"), v.description(what));
/** One of some words. */
export const oneOf = <const T extends readonly string[]>(words: T, what: string) =>
  v.pipe(v.picklist(words, `expected one of ${words.join(", ")}`), v.description(what));
/** An absolute http or https URL. */
export const url = (what: string) => ruled("a URL", urlProblem, what);
/** The name of an environment variable. */
export const variable = (what: string) => ruled("the name of a variable", variableProblem, what);
/** The path of a file. */
export const file = (what: string) =>
  text(`a file: ${what}; relative to the configuration's folder`);
/** A program with its arguments. */
export const argv = (what: string) =>
  v.pipe(
    v.array(v.string("expected a string"), 'expected ["program", "argument", ...]'),
    v.check(
      (words) => argvProblem(words) === undefined,
      (issue) => argvProblem(issue.input) ?? "",
    ),
    v.description(`${what}: program and arguments, no shell`),
  );
/** A list of items of one schema. */
export const list = <const T extends v.GenericSchema>(item: T, what: string) =>
  v.pipe(v.array(item, "expected a list"), v.description(what));
/** An object with these keys and no others. */
export const object = <const T extends v.ObjectEntries>(entries: T, what: string) =>
  v.pipe(v.strictObject(entries, "expected an object"), v.description(what));
/** An object of strings. */
export const words = (what: string) =>
  v.pipe(
    v.record(v.string(), v.string("expected a string"), "expected an object of strings"),
    v.description(what),
  );
/** A key that may be absent. */
export const opt = v.exactOptional;
