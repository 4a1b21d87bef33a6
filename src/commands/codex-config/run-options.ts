// The options of `run` in a client's entry that a person may have added: what writes the entry again keeps them.

const shortForms: Readonly<Record<string, string>> = { "-l": "--log-level" };
const withValue = [
  ...["--log-file", "--log-level", "--log-format"],
  ...["--record", "--sign-in", "--on-failure"],
];
const withoutValue = ["--no-cache"];
/** Options that say which servers and which config.json: the command that writes the entry decides them. */
const decided = ["--server", "-s", "--config-path", "-c"];

/** An option with the words that write it; `name` is undefined for any other word. */
interface Option {
  readonly name: string | undefined;
  readonly words: readonly string[];
}

function* optionsIn(words: readonly unknown[]): Generator<Option> {
  for (let at = 0; at < words.length; at++) {
    const word = String(words[at]);
    const [start = ""] = word.split("=", 1);
    const name = shortForms[start] ?? start;
    const isValued = withValue.includes(name) || decided.includes(name);
    if (!isValued) yield { name: withoutValue.includes(word) ? word : undefined, words: [word] };
    else if (start !== word) yield { name, words: [word] };
    else if (typeof words[at + 1] === "string") yield { name, words: [word, String(words[++at])] };
    else yield { name: undefined, words: [word] };
  }
}

/** Whether these words are options that a written entry may have, and nothing else. */
export function areEntryOptions(words: readonly unknown[]): boolean {
  const mayStand = ["--config-path", ...withValue, ...withoutValue];
  return [...optionsIn(words)].every(({ name }) => name !== undefined && mayStand.includes(name));
}

/** The words of the options in the `args` of an entry that its new `args` do not set; empty unless the entry starts `run`. */
export function keptWords(args: unknown, wanted: readonly string[]): string[] {
  if (!Array.isArray(args) || args[0] !== "run") return [];
  const set = new Set([...optionsIn(wanted)].map(({ name }) => name));
  return [...optionsIn(args)].flatMap(({ name, words }) =>
    name === undefined || decided.includes(name) || set.has(name) ? [] : words,
  );
}
