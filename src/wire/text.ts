// Control characters, line separators, bidi controls, interlinear annotations and everything that Unicode lets a
// renderer leave out (zero width, variation selectors, Hangul fillers, tags): they move the cursor, reorder text
// (Trojan Source, CVE-2021-42574) or carry words that nobody sees.
const unsafe =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

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

/** Text from a server as it may be shown: each run of unsafe characters and spaces becomes one space; at most `max` characters. */
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
