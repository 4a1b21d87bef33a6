import { BridgeError } from "../../wire/errors.ts";

/** A call's arguments as JSON text of an object, on one line. `source`: where the text stands, for the error. Throws `usage`. */
export function argumentsIn(text: string, source: string): string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      // A line break between two JSON tokens would end the JSON-RPC message.
      return text.replace(/[\r\n]/g, " ");
  } catch {}
  throw new BridgeError("usage", `${source} is not a JSON object`, {
    hint: `quote it for the shell: --args '{"key": "value"}'`,
  });
}
