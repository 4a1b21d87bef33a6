import { expect, test } from "bun:test";
import * as node from "node:path";
import fc from "fast-check";
import * as own from "../../src/platform/path.ts";

const part = fc.constantFrom("", ".", "..", "a", ".b", "c.", "...", "d e", "ä", "/", "//");
const path = fc.array(part, { maxLength: 6 }).map((parts) => parts.join("/"));

test("path functions agree with node:path", () => {
  fc.assert(
    fc.property(path, fc.array(path, { maxLength: 3 }), (first, rest) => {
      expect(own.join(first, ...rest)).toBe(node.join(first, ...rest));
      expect(own.resolve(first, ...rest)).toBe(node.resolve(first, ...rest));
      expect(own.dirname(first)).toBe(node.dirname(first));
      expect(own.basename(first)).toBe(node.basename(first));
      expect(own.isAbsolute(first)).toBe(node.isAbsolute(first));
    }),
    { numRuns: 5000 },
  );
});
