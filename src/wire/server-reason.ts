// Extracts the reason of an error from the body of an HTTP response, in the formats that common frameworks use.

/** Names of members that hold a reason, the most specific first; compared without case, `_` and `-`. */
const members = [
  "errordescription", // RFC 6749 5.2
  "message", // JSON-RPC 2.0 5.1, most REST services
  "detail", // RFC 9457 3.1.4, Django, FastAPI
  "details",
  "errormessage",
  "errormsg",
  "errors",
  "error",
  "title", // RFC 9457 3.1.3
  "msg",
  "reason",
  "description",
  "faultstring",
  "fault",
];

/** Names of members in which gateways wrap the object that holds the reason. */
const envelopes = ["data", "response", "result", "body", "payload"];

/** Nesting depth to which objects and lists are read. */
const maxDepth = 5;
/** Most items of a list, or fields of a form, in a reason. */
const maxItems = 3;
/** Characters of a markup document that are searched for a title or message. */
const headLength = 64 * 1024;

/** The server's reason in a response body; not cleaned and not shortened; "" if the body holds no reason. */
export function reasonIn(body: string): string {
  const text = body.trim();
  if (text.startsWith("<")) return reasonInMarkup(text.slice(0, headLength));
  if (!/^["[{]/.test(text)) return text;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  return reasonOf(value, 0) || reasonOfForm(value);
}

function reasonOf(value: unknown, depth: number): string {
  if (typeof value === "string") return value.trim();
  if (typeof value !== "object" || value === null || depth === maxDepth) return "";
  if (Array.isArray(value)) {
    const reasons = value.slice(0, maxItems).map((item) => reasonOf(item, depth + 1));
    return reasons.filter((reason) => reason !== "").join("; ");
  }
  const byName = new Map<string, unknown>();
  for (const [name, member] of Object.entries(value)) byName.set(plainName(name), member);
  for (const name of members) {
    const member = byName.get(name);
    const reason = reasonOf(member, depth + 1);
    if (reason !== "") return reason;
    if (name === "errors" && isObject(member)) return reasonOfFields(member, depth + 1);
  }
  const inside = envelopes.map((name) => byName.get(name)).filter(isObject);
  return inside.map((member) => reasonOf(member, depth + 1)).find((reason) => reason !== "") ?? "";
}

const plainName = (name: string) => name.toLowerCase().replace(/[_-]/g, "");

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The field names with the error of each field (`errors` of Rails, Laravel, ASP.NET). */
function reasonOfFields(fields: object, depth: number): string {
  const reasons = Object.entries(fields)
    .map(([field, reason]) => [field, reasonOf(reason, depth)] as const)
    .filter(([, reason]) => reason !== "");
  const shown = reasons.slice(0, maxItems);
  return shown.map(([field, reason]) => `${field}: ${reason}`).join("; ");
}

/** The reason in a body that consists only of fields, each with a list of errors (Django REST framework). */
function reasonOfForm(body: unknown): string {
  if (!isObject(body) || !Object.values(body).every(Array.isArray)) return "";
  return reasonOfFields(body, maxDepth - 2);
}

/** The title of an HTML page, or the message of an XML document; the first heading of a page without a title. */
function reasonInMarkup(text: string): string {
  const inElement = (names: string) =>
    new RegExp(`<(?:${names})\\b[^<>]*>\\s*([^<\\s][^<]*)<`, "i").exec(text)?.[1];
  const found = inElement("title|message|faultstring") ?? inElement("h[1-3]") ?? "";
  return found.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]+));/gi, entity).trim();
}

const named: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
};

function entity(written: string, decimal?: string, hex?: string, name = ""): string {
  if (decimal === undefined && hex === undefined) return named[name.toLowerCase()] ?? written;
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : written;
}
