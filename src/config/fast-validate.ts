// Stand-in for the schema of valibot, which costs a start a quarter of a millisecond a server: it accepts the entries that
// nearly every configuration consists of, and leaves all others to the schema. Tests prove that both agree.
import { headerValueProblem, tokenProblem, urlProblem, variableProblem } from "./validators.ts";

type Judge = (value: unknown) => boolean;
type Judges = Readonly<Record<string, Judge>>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText: Judge = (value) => typeof value === "string";
const isToken: Judge = (value) =>
  typeof value === "string" && tokenProblem(value.trim()) === undefined;
const isWhole = (value: unknown, max: number) =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;

const top: Judges = {
  $schema: isText,
  version: (value) => value === 1,
  servers: isObject,
};

const entry: Judges = {
  url: (value) => typeof value === "string" && urlProblem(value) === undefined,
  description: isText,
  token: isToken,
  access_token: isToken,
  tokenEnv: (value) => typeof value === "string" && variableProblem(value) === undefined,
  auth: (value) =>
    consistsOf({ type: (type) => type === "oauth" || type === "none" }, value) &&
    Object.hasOwn(value as object, "type"),
  headers: (value) =>
    isObject(value) &&
    Object.values(value).every((text) => isText(text) && !headerValueProblem(text as string)),
  timeoutSec: (value) => isWhole(value, 86_400),
  limits: (value) => consistsOf({ messageMB: (size) => isWhole(size, 1024) }, value),
};

/** Whether a value is an object whose keys `judges` has, each with a value that its judge accepts. */
function consistsOf(judges: Judges, value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const key of Object.keys(value))
    if (!Object.hasOwn(judges, key) || !judges[key]!(value[key])) return false;
  return true;
}

/** Whether the outermost object is valid; false means that the schema must decide. */
export function isFastValidTop(value: unknown): boolean {
  return consistsOf(top, value);
}

/** Whether a server's entry is valid; false means that the schema must decide. */
export function isFastValidEntry(value: unknown): boolean {
  return consistsOf(entry, value) && Object.hasOwn(value as object, "url");
}
