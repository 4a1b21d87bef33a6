/** A value in an entry of Codex's configuration. */
export type TomlValue =
  | string
  | number
  | boolean
  | readonly (string | Readonly<Record<string, string>>)[]
  | Readonly<Record<string, string>>;

/** The intended content of one `[mcp_servers.NAME]`. */
export interface Wanted {
  /** The keys to set, in order. */
  readonly fields: Readonly<Record<string, TomlValue>>;
  /** The keys to remove: keys of the other transport, and optional keys that are not set any more. */
  readonly unwanted: readonly string[];
  /** Whether the existing entry starts another program: then its `env` is replaced, too. */
  readonly replaces?: boolean;
  /** A comment below a new table, without its `# `. */
  readonly note?: string;
}

function renderString(text: string): string {
  // JSON and TOML have the same escapes, except that JSON leaves DEL as it is.
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}

function renderKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : renderString(key);
}

/** A value on one line, in TOML 1.0. */
export function renderValue(value: TomlValue): string {
  if (typeof value === "string") return renderString(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `[${value.map(renderValue).join(", ")}]`;
  const pairs = Object.entries(value as Readonly<Record<string, string>>);
  return `{ ${pairs.map(([key, text]) => `${renderKey(key)} = ${renderString(text)}`).join(", ")} }`;
}

/** `key = value`. */
export function renderPair(key: string, value: TomlValue): string {
  return `${renderKey(key)} = ${renderValue(value)}`;
}

/** The server as an inline table, without its note. */
export function renderInline({ fields }: Wanted): string {
  const pairs = Object.entries(fields).map(([key, value]) => renderPair(key, value));
  return `{ ${pairs.join(", ")} }`;
}

/** The server as a table with its note; every line ends with `lineEnd`. */
export function renderTable(name: string, { fields, note }: Wanted, lineEnd = "\n"): string {
  const lines = [
    `[mcp_servers.${renderKey(name)}]`,
    ...Object.entries(fields).map(([key, value]) => renderPair(key, value)),
    ...(note === undefined ? [] : [`# ${note}`]),
  ];
  return lines.map((line) => line + lineEnd).join("");
}
