import { expect, test } from "bun:test";
import fc from "fast-check";
import { cleanText, isVisible, isWord, shellWord, splitWords } from "../../src/wire/text.ts";
import { runsOf } from "../support/property.ts";

const runs = runsOf(import.meta.path);

test("what is shown never moves the cursor, reorders text or grows", () => {
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

test("plain text is shown as it is", () => {
  const plain = fc.stringMatching(/^[!-~]+( [!-~]+)*$/);
  fc.assert(
    fc.property(plain, (text) => {
      expect(cleanText(text)).toBe(text);
    }),
    runs,
  );
});

test("what is read by hand is what an expression says", () => {
  const text = fc.oneof(fc.stringMatching(/^[!-~]*$/), fc.string({ unit: "binary", maxLength: 5 }));
  fc.assert(
    fc.property(text, (text) => {
      expect(isWord(text)).toBe(/^[\w.-]*$/.test(text));
      expect(isVisible(text)).toBe(/^[\x21-\x7e]*$/.test(text));
    }),
    runs,
  );
});

test("words that are quoted for a shell are split into the same words", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (words) => {
      expect(splitWords(words.map(shellWord).join(" "))).toEqual(words);
    }),
    runs,
  );
});
