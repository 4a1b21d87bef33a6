// C0, C1, DEL, bidi marks and overrides, zero-width and line separators, BOM, tag characters:
// they move the cursor, reorder or hide text (Trojan Source, CVE-2021-42574).
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** Whether every code unit is one of those. */
function isOf(text: string, isIn: (code: number) => boolean): boolean {
  for (let at = 0; at < text.length; at++) if (!isIn(text.charCodeAt(at))) return false;
  return true;
}

// By hand: the first regular expression of a process costs its start a quarter of a millisecond and a megabyte.
const isWordCode = (c: number) =>
  (c >= 0x61 && c <= 0x7a) ||
  (c >= 0x41 && c <= 0x5a) ||
  (c >= 0x2d && c <= 0x39 && c !== 0x2f) ||
  c === 0x5f;
const isVisibleCode = (c: number) => c >= 0x21 && c <= 0x7e;

/** Whether a text is ASCII letters, digits, `-`, `.` and `_` alone: nothing to clean, to quote or to hide. */
export function isWord(text: string): boolean {
  return isOf(text, isWordCode);
}

/** Whether a text is visible ASCII without white space. */
export function isVisible(text: string): boolean {
  return isOf(text, isVisibleCode);
}

/** Text from a server as it may be shown: control and bidi characters become spaces, runs of them one; at most `max` characters. */
export function cleanText(text: string, max = 2000): string {
  if (text.length <= max && isWord(text)) return text;
  const clean = text
    .slice(0, max * 4)
    .replace(unsafe, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  return clean.length > max ? `${clean.slice(0, max - 1)}…` : clean;
}

/** A word as a shell takes it, and as Codex splits `http_headers_helper`. */
export function shellWord(word: string): string {
  const isBare =
    word !== "" &&
    isOf(word, (code) => isWordCode(code) || "@%+=:,/".includes(String.fromCharCode(code)));
  return isBare ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The words of a line that `shellWord` may have written, or a person in their stead; nothing is expanded. */
export function splitWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+/g) ?? [];
  return words.map((word) =>
    word.replace(
      /'([^']*)'|"([^"]*)"|\\(.)/g,
      (_, single, double, escaped) => single ?? double ?? escaped,
    ),
  );
}
