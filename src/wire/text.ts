// Characters that must not reach a terminal or a model: control characters and line separators move the cursor, bidi
// controls reorder text (Trojan Source, CVE-2021-42574), interlinear annotations and default-ignorable characters (zero
// width, variation selectors, Hangul fillers, tags) can hide text.
const unsafe =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

/** Whether every UTF-16 code unit of a text satisfies `test`. */
function everyCode(text: string, test: (code: number) => boolean): boolean {
  for (let at = 0; at < text.length; at++) if (!test(text.charCodeAt(at))) return false;
  return true;
}

// No regular expression: the first use of RegExp in a process adds 0.25 ms and 1 MB to the start.
const isWordCode = (c: number) =>
  (c >= 0x61 && c <= 0x7a) ||
  (c >= 0x41 && c <= 0x5a) ||
  (c >= 0x2d && c <= 0x39 && c !== 0x2f) ||
  c === 0x5f;
const isVisibleCode = (c: number) => c >= 0x21 && c <= 0x7e;

/** Whether a text consists of ASCII letters, digits, `-`, `.` and `_`; such a text needs no cleaning and no quotes. */
export function isWord(text: string): boolean {
  return everyCode(text, isWordCode);
}

/** Whether a text consists of visible ASCII characters, without white space. */
export function isVisible(text: string): boolean {
  return everyCode(text, isVisibleCode);
}

/** Makes text from a server safe to display: each run of unsafe characters and spaces becomes one space; the result has at most `max` characters. */
export function cleanText(text: string, max = 2000): string {
  if (text.length <= max && isWord(text)) return text;
  const clean = text
    .slice(0, max * 4)
    .replace(unsafe, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  return clean.length > max ? `${clean.slice(0, max - 1)}…` : clean;
}

/** Makes a text of several lines from a server safe for a terminal: removes unsafe characters, keeps line breaks, tabs and spaces. */
export function terminalText(text: string): string {
  return text.replace(unsafe, (character) => (/[\n\t]/.test(character) ? character : ""));
}

/** Makes JSON text from a server safe for a terminal: unsafe characters become escapes, so that every value stays equal. */
export function terminalJson(text: string): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(unsafe, (char) =>
    "\n\r\t".includes(char) ? char : char.split("").map(escaped).join(""),
  );
}

const codePoint = (char: string) => `\\u{${char.codePointAt(0)!.toString(16)}}`;

/** Shows the unsafe characters of a text as code points, so that nothing in it is hidden; nothing is cut. */
export function withCodePoints(text: string): string {
  return text.replace(/\p{Surrogate}/gu, codePoint).replace(unsafe, codePoint);
}

/** Shows every character of a name outside of ASCII as a code point: look-alike letters of other alphabets then differ. */
export function nameWithCodePoints(name: string): string {
  return name.replace(/[^\x20-\x7e]/gu, codePoint);
}

/** Quotes a word for a POSIX shell, and for Codex, which splits `http_headers_helper` in the same way. */
export function shellWord(word: string): string {
  const needsNoQuotes =
    word !== "" &&
    everyCode(word, (code) => isWordCode(code) || "@%+=:,/".includes(String.fromCharCode(code)));
  return needsNoQuotes ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Splits a command line into words as a POSIX shell does, without any expansion. */
export function splitWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+/g) ?? [];
  return words.map((word) =>
    word.replace(
      /'([^']*)'|"([^"]*)"|\\(.)/g,
      (_, single, double, escaped) => single ?? double ?? escaped,
    ),
  );
}
