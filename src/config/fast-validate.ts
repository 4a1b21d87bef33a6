// Fast validation without valibot, which would add 0.25 ms per server to a start. Accepts entries with common keys only,
// and leaves all others to the valibot schema. Tests prove that the schema accepts whatever this module accepts.
import { headerValueProblem, tokenProblem, urlProblem, variableProblem } from "./validators.ts";

type Predicate = (value: unknown) => boolean;
type Predicates = Readonly<Record<string, Predicate>>;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText: Predicate = (value) => typeof value === "string";
const isToken: Predicate = (value) =>
  typeof value === "string" && tokenProblem(value.trim()) === undefined;
const isPositiveInteger = (value: unknown, max: number) =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;

const top: Predicates = {
  $schema: isText,
  version: (value) => value === 1,
  servers: isObject,
};

const entry: Predicates = {
  // A URL with variables is left to the schema.
  url: (value) =>
    typeof value === "string" && !value.includes("${") && urlProblem(value) === undefined,
  description: isText,
  token: isToken,
  access_token: isToken,
  tokenEnv: (value) => typeof value === "string" && variableProblem(value) === undefined,
  auth: (value) =>
    hasOnly({ type: (type) => type === "oauth" || type === "none" }, value) &&
    Object.hasOwn(value as object, "type"),
  headers: (value) =>
    isObject(value) &&
    Object.values(value).every((text) => isText(text) && !headerValueProblem(text as string)),
  timeoutSec: (value) => isPositiveInteger(value, 86_400),
  limits: (value) => hasOnly({ messageMB: (size) => isPositiveInteger(size, 1024) }, value),
};

/** Whether a value is an object that has only keys of `predicates`, each with a value that the predicate accepts. */
function hasOnly(predicates: Predicates, value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const key of Object.keys(value))
    if (!Object.hasOwn(predicates, key) || !predicates[key]!(value[key])) return false;
  return true;
}

/** Whether the top level is certainly valid; false means that the schema must decide. */
export function isFastValidTop(value: unknown): boolean {
  return hasOnly(top, value);
}

/** Whether a server's entry is certainly valid; false means that the schema must decide. */
export function isFastValidEntry(value: unknown): boolean {
  return hasOnly(entry, value) && Object.hasOwn(value as object, "url");
}
