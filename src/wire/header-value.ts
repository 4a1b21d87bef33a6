// Encoding of text in HTTP header fields (MCP 2026-07-28 basic/transports/streamable-http, value encoding).

const prefix = "=?base64?";
const suffix = "?=";

/** Encodes text as a field value: unchanged if it is printable ASCII, else `=?base64?...?=` of its UTF-8. */
export function headerValue(text: string): string {
  const isPlain = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text);
  const isSentinel = text.startsWith(prefix) && text.endsWith(suffix);
  return isPlain && !isSentinel
    ? text
    : `${prefix}${Buffer.from(text, "utf8").toString("base64")}${suffix}`;
}
