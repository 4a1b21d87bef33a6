import { expect, test } from "bun:test";
import { headerValue } from "../../src/wire/header-value.ts";

test.each([
  ["us-west1", "us-west1"],
  ["us west 1", "us west 1"],
  ["a\tb", "a\tb"],
  ["", "=?base64??="],
  [" padded ", "=?base64?IHBhZGRlZCA=?="],
  ["\tx", "=?base64?CXg=?="],
  ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
  ["line1\r\nline2", "=?base64?bGluZTENCmxpbmUy?="],
  ["=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="],
  ["=?base64?", "=?base64?"],
  ["a\u007f", "=?base64?YX8=?="],
])("%j is encoded as the header value %s", (text, value) => {
  expect(headerValue(text)).toBe(value);
});
