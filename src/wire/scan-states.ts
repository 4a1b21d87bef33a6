/** The reason why a text is not JSON. */
export class ScanError extends Error {}

/** States of the scanner. In the states from `minus` to `exponentDigits` the scanner is inside a number. */
export const S = {
  value: 0,
  firstValue: 1,
  firstKey: 2,
  key: 3,
  colon: 4,
  after: 5,
  string: 6,
  escape: 7,
  hex: 8,
  literal: 9,
  minus: 10,
  zero: 11,
  digits: 12,
  point: 13,
  fraction: 14,
  exponent: 15,
  exponentSign: 16,
  exponentDigits: 17,
  done: 18,
  utf8: 19,
} as const;

export const isDigit = (c: number) => c >= 0x30 && c <= 0x39;

/** The next state inside a number; S.done if `c` does not belong to the number. */
export function numberState(state: number, c: number): number {
  switch (state) {
    case S.minus:
      if (c === 0x30) return S.zero;
      if (isDigit(c)) return S.digits;
      throw new ScanError("a digit is missing in a number");
    case S.digits:
      if (isDigit(c)) return S.digits;
      return fractionOrExponent(c);
    case S.zero:
      if (isDigit(c)) throw new ScanError("a number begins with 0");
      return fractionOrExponent(c);
    case S.point:
      if (isDigit(c)) return S.fraction;
      throw new ScanError("a digit is missing in a number");
    case S.fraction:
      if (isDigit(c)) return S.fraction;
      return c === 0x65 || c === 0x45 ? S.exponent : S.done;
    case S.exponent:
      if (c === 0x2b || c === 0x2d) return S.exponentSign;
      if (isDigit(c)) return S.exponentDigits;
      throw new ScanError("a digit is missing in a number");
    case S.exponentSign:
      if (isDigit(c)) return S.exponentDigits;
      throw new ScanError("a digit is missing in a number");
    default:
      return isDigit(c) ? S.exponentDigits : S.done;
  }
}

function fractionOrExponent(c: number): number {
  if (c === 0x2e) return S.point;
  return c === 0x65 || c === 0x45 ? S.exponent : S.done;
}
