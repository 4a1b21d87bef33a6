// Text of large results and requests: prose with escapes and non-ASCII letters, as real tools return it. A run of one
// letter would be faster to scan than real text.

const line = new TextEncoder().encode(
  'The quick brown fox said \\"na\u00efve\\" and jumped over 13 lazy dogs, again and again and again.\\n',
);

/** Fills `target` with JSON string content (escaped, valid UTF-8 up to its last byte). */
export function repeatedText(target: Uint8Array): void {
  const whole = target.length - (target.length % line.length);
  if (whole > 0) {
    target.set(line, 0);
    for (let done = line.length; done < whole; done *= 2)
      target.copyWithin(done, 0, Math.min(done, whole - done));
  }
  target.fill(0x2e, whole);
}
