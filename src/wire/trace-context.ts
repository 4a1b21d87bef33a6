// Trace context in `_meta` (MCP 2025-11-25 basic, W3C Trace Context, W3C Baggage). The bridge passes it on and makes no spans of its own.

/** Most bytes of `baggage` (W3C Baggage 3.3.2). */
const maxBaggageBytes = 8192;
const maxMembers = 64;
/** Most members of `tracestate` (W3C Trace Context 3.3.1.1), each with a key and a value of 256 characters. */
const maxStates = 32;
const maxStateLength = maxStates * 520;

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

/** W3C Trace Context 3.3.1: keys and values, which may be apart by white space; members may be blank, but not all of them. */
function isTraceState(text: string): boolean {
  if (text.length > maxStateLength || !isHeaderText(text)) return false;
  const members = trimmed(text, ",").filter((member) => member !== "");
  const form =
    /^(?:[a-z\d][a-z\d_*/-]{0,255}|[a-z\d][a-z\d_*/-]{0,240}@[a-z][a-z\d_*/-]{0,13})=[ -+\--<>-~]{1,256}$/;
  return (
    members.length > 0 &&
    members.length <= maxStates &&
    members.every((member) => form.test(member))
  );
}

/** W3C Baggage 3.2: members of a key and a value, with properties after semicolons. */
function isBaggage(text: string): boolean {
  if (text.length > maxBaggageBytes || !isHeaderText(text)) return false;
  const members = trimmed(text, ",");
  return members.length <= maxMembers && members.every(isBaggageMember);
}

function isBaggageMember(member: string): boolean {
  return trimmed(member, ";").every((part, index) => {
    const at = part.indexOf("=");
    if (at < 0) return index > 0 && isToken(part);
    const value = part.slice(at + 1).trim();
    return isToken(part.slice(0, at).trim()) && /^[!#-+\--:<-[\]-~]*$/.test(value);
  });
}

const isToken = (text: string) => /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/.test(text);

/** Whether a text has the characters of a header value alone. White space in it is then spaces and tabs. */
const isHeaderText = (text: string) => /^[\t -~]*$/.test(text);

/** The parts of a text without white space around them. Not by a regular expression: one would take time by the square of the length. */
const trimmed = (text: string, separator: string) =>
  text.split(separator).map((part) => part.trim());
