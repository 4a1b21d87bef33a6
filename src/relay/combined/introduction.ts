// What the combined server says of itself: the capabilities and instructions of its servers, merged.

type Json = Record<string, unknown>;

/** What one server says of itself in its answer to initialize or server/discover. */
export interface Introduction {
  readonly name: string;
  readonly capabilities: Json;
  readonly instructions: string | undefined;
}

/** Codex reads this many characters of the instructions. */
const readByCodex = 512;
/** What is declared for a server that has not introduced itself yet: a client does not ask for what is not declared. */
const anything: Json = {
  tools: {},
  prompts: {},
  resources: { subscribe: true },
  completions: {},
  logging: {},
};
/** Lists of which the combined server announces changes, since a server may come late. */
const announced = ["tools", "prompts", "resources"];

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads the result of initialize or server/discover. */
export function introductionOf(name: string, { capabilities, instructions }: Json): Introduction {
  return {
    name,
    capabilities: typeof capabilities === "object" ? { ...capabilities } : {},
    instructions: typeof instructions === "string" ? instructions : undefined,
  };
}

/** Merges the capabilities; `areAllKnown`: whether every server has introduced itself. */
export function mergeCapabilities(known: readonly Introduction[], areAllKnown: boolean): Json {
  const merged: Json = {};
  for (const { capabilities } of known) merge(merged, capabilities, 0);
  if (!areAllKnown) merge(merged, anything, 0);
  for (const kind of announced) {
    const declared = merged[kind];
    if (declared !== undefined)
      merged[kind] = { ...(isObject(declared) && declared), listChanged: true };
  }
  return merged;
}

/** Deeper than any capability: a server may nest without end. */
const maxDepth = 8;

function merge(into: Json, from: Json, depth: number): void {
  for (const [key, value] of Object.entries(from)) {
    const old = Object.hasOwn(into, key) ? into[key] : undefined;
    if (isObject(value) && depth < maxDepth) {
      const inner: Json = isObject(old) ? old : {};
      merge(inner, value, depth + 1);
      // A server may name a member "__proto__".
      Object.defineProperty(into, key, {
        value: inner,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else if (old === undefined || old === false)
      Object.defineProperty(into, key, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
}

/** Joins the instructions: an equal share of the first 512 characters for each server, then the whole texts if a share was too small. */
export function joinInstructions(known: readonly Introduction[]): string | undefined {
  const texts = known.flatMap(({ name, instructions }) => {
    const text = instructions?.trim();
    return text ? [{ name, text }] : [];
  });
  if (texts.length === 0) return undefined;
  const whole = texts.map(({ name, text }) => `${name}: ${text}`).join("\n\n");
  if (whole.length <= readByCodex) return whole;
  // Each share ends with a line feed.
  const share = Math.floor(readByCodex / texts.length) - 1;
  const shares = texts.map(({ name, text }) => cut(`${name}: ${text.replace(/\s+/g, " ")}`, share));
  return `${shares.join("\n")}\n\n${whole}`;
}

function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  // A cut may leave half of a surrogate pair.
  return `${text.slice(0, length - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
