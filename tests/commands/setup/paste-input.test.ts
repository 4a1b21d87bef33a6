import { expect, test } from "bun:test";
import { PasteFilter, type PasteMode } from "../../../src/commands/setup/paste-input.ts";

const paste = (text: string) => `\u001b[200~${text}\u001b[201~`;

test.each<[PasteMode, string, string]>([
  ["join", `${paste("canary-\r\n  token")}\r`, "canary-token\r"],
  ["space", `${paste('{\n\t"url": "x"\n}')}\r`, '{  "url": "x" }\r'],
  ["drop", `a${paste("canary\r")}b`, "ab"],
  ["join", "typed text\r", "typed text\r"],
  ["join", "\u001b[A\u001b", "\u001b[A\u001b"],
])("%s: %j becomes %j, in chunks of any size", (mode, text, wanted) => {
  for (const size of [1, 2, 3, 5, 8, 1000]) {
    const filter = new PasteFilter(mode);
    let out = "";
    for (let at = 0; at < text.length; at += size) out += filter.feed(text.slice(at, at + size));
    expect(out + filter.flush()).toBe(wanted);
  }
});
