// Saves two configurations in turn until it is killed: `kill.test.ts` kills it in the middle of a write.
import { writeAtomically } from "../../src/platform/files.ts";

const [path = "", size = "0"] = process.argv.slice(2);
const texts = ["a", "b"].map((letter) =>
  JSON.stringify({ letter, text: letter.repeat(Number(size)) }),
);
for (let n = 0; ; n += 1) {
  writeAtomically(path, texts[n % 2]!);
  if (n === 0) console.log("saving");
}
