import * as v from "valibot";
import { audit, schemaOf, tools } from "./schema.ts";
import { originProblem } from "./validators.ts";
import { flag, list, object, opt, ruled } from "./value-schemas.ts";

const originPattern = () =>
  ruled("an origin", originProblem, "origin such as https://host, https://*.host or https://*");

/** The top level of a machine's policy. */
export const policyTable = {
  $schema: () => opt(v.string("expected a string")),
  version: () => v.literal(1, "expected 1 (another version of the bridge may need it)"),
  origins: () =>
    opt(list(originPattern(), "origins of the servers that may be reached; default: all")),
  rules: () =>
    opt(
      list(
        object(
          { origin: originPattern(), tools: opt(tools()), audit: opt(audit()) },
          "rules for the servers at an origin",
        ),
        "rules by origin; those of one server are added up",
      ),
    ),
  allowHttp: () => opt(flag("false: no server is reached by plain http, except on this machine")),
} as const;

/** The schema of a machine's policy, from which the JSON Schema is generated. */
export const wholePolicy = () => schemaOf(policyTable);
