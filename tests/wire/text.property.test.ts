import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  cleanText,
  isVisible,
  isWord,
  shellWord,
  splitWords,
  terminalJson,
} from "../../src/wire/text.ts";
import { runsOf } from "../support/property.ts";

const runs = runsOf(import.meta.path);

test("cleaned text holds no cursor movement and no bidi control, and never grows", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.integer({ min: 1, max: 100 }),
      (text, max) => {
        const shown = cleanText(text, max);
        expect(shown).not.toMatch(
          /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u2028\u2029]/,
        );
        expect(shown.length).toBeLessThanOrEqual(max);
        expect(cleanText(shown, max)).toBe(shown);
      },
    ),
    runs,
  );
});

test("JSON for a terminal has equal values, and only visible characters and spaces between them", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const shown = terminalJson(
        JSON.stringify({ [text]: `${text}\u009b\u202e\u{e0041}` }, null, 2),
      );
      expect(shown).not.toMatch(/[\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\u007f-\u009f]/u);
      expect(JSON.parse(shown)).toEqual({ [text]: `${text}\u009b\u202e\u{e0041}` });
    }),
    runs,
  );
});

/** Every character that `pattern` describes, surrogates aside. */
function* charactersOf(pattern: RegExp) {
  for (let code = 0; code <= 0x10_ffff; code++) {
    const character = String.fromCodePoint(code);
    if (pattern.test(character)) yield character;
  }
}

test("cleaned text holds no default-ignorable character", () => {
  const shown = new Set<string>();
  for (const character of charactersOf(/\p{Default_Ignorable_Code_Point}/u))
    shown.add(cleanText(`a${character}b`));
  expect([...shown]).toEqual(["a b"]);
});

test.each([
  ["a variation selector", "\ufe0f"],
  ["a supplementary variation selector", "\u{e0100}"],
  ["a Hangul filler", "\u3164"],
  ["a halfwidth Hangul filler", "\uffa0"],
  ["a tag letter", "\u{e0041}"],
  ["a soft hyphen", "\u00ad"],
  ["a combining grapheme joiner", "\u034f"],
  ["a musical control", "\u{1d173}"],
  ["a Mongolian vowel separator", "\u180e"],
  ["a zero width joiner", "\u200d"],
  ["a line separator", "\u2028"],
  ["an interlinear annotation", "\ufff9"],
  ["an override of direction", "\u202e"],
])("a run of %s becomes a visible space", (_, character) => {
  expect(cleanText(`pay${character.repeat(3)}me`)).toBe("pay me");
});

test("letters, combining marks and emoji of any language stay unchanged", () => {
  for (const text of ["naïve", "日本語", "हिन्दी", "العربية", "한국어", "👍", "e\u0301"])
    expect(cleanText(text)).toBe(text);
});

test("plain text stays unchanged", () => {
  const plain = fc.stringMatching(/^[!-~]+( [!-~]+)*$/);
  fc.assert(
    fc.property(plain, (text) => {
      expect(cleanText(text)).toBe(text);
    }),
    runs,
  );
});

test("isWord and isVisible agree with regular expressions", () => {
  const text = fc.oneof(fc.stringMatching(/^[!-~]*$/), fc.string({ unit: "binary", maxLength: 5 }));
  fc.assert(
    fc.property(text, (text) => {
      expect(isWord(text)).toBe(/^[\w.-]*$/.test(text));
      expect(isVisible(text)).toBe(/^[\x21-\x7e]*$/.test(text));
    }),
    runs,
  );
});

test("splitWords restores the words that shellWord quoted", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (words) => {
      expect(splitWords(words.map(shellWord).join(" "))).toEqual(words);
    }),
    runs,
  );
});
