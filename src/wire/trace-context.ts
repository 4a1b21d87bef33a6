// Trace context in `_meta` (MCP 2025-11-25 basic, W3C Trace Context, W3C Baggage). The bridge passes it on and makes no spans of its own.

/** Most bytes of `baggage` (W3C Baggage 3.3.2). */
const maxBaggageBytes = 8192;
const maxMembers = 64;
/** Most members of `tracestate` (W3C Trace Context 3.3.1.1). */
const maxStates = 32;

/** Header fields of the trace context in a `_meta`: well-formed values only, and `tracestate` only beside `traceparent`. */
export function traceFields(meta: unknown, withBaggage: boolean): Record<string, string> {
  const fields: Record<string, string> = {};
  if (typeof meta !== "object" || meta === null) return fields;
  const { traceparent, tracestate, baggage } = meta as Record<string, unknown>;
  if (typeof traceparent === "string" && isTraceParent(traceparent)) {
    fields["traceparent"] = traceparent;
    if (typeof tracestate === "string" && isTraceState(tracestate))
      fields["tracestate"] = tracestate;
  }
  if (withBaggage && typeof baggage === "string" && isBaggage(baggage)) fields["baggage"] = baggage;
  return fields;
}

/** W3C Trace Context 3.2: version, trace id, parent id, flags; a later version may have more after them. */
function isTraceParent(text: string): boolean {
  if (text.length > 512) return false;
  return (
    /^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/.test(text) ||
    /^(?!00|ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]*)?$/.test(
      text,
    )
  );
}

function isTraceState(text: string): boolean {
  // Members may be blank, but not all of them.
  const members = text.split(",").filter((one) => !/^[ \t]*$/.test(one));
  if (members.length === 0 || members.length > maxStates) return false;
  const member =
    /^[ \t]*(?:[a-z\d][a-z\d_*/-]{0,255}|[a-z\d][a-z\d_*/-]{0,240}@[a-z][a-z\d_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e][ \t]*$/;
  return members.every((one) => member.test(one));
}

function isBaggage(text: string): boolean {
  const members = text.length > maxBaggageBytes ? [] : text.split(",");
  if (members.length === 0 || members.length > maxMembers) return false;
  const token = "[!#$%&'*+.^_`|~\\dA-Za-z-]+";
  const value = "[\\x21\\x23-\\x2b\\x2d-\\x3a\\x3c-\\x5b\\x5d-\\x7e]*";
  const pair = `${token}[ \\t]*=[ \\t]*${value}`;
  const property = `[ \\t]*;[ \\t]*${token}(?:[ \\t]*=[ \\t]*${value})?`;
  const member = new RegExp(`^[ \\t]*${pair}(?:${property})*[ \\t]*$`);
  return members.every((one) => member.test(one));
}
