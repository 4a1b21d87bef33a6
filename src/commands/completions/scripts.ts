// Scripts that ask this program for candidates: `completions candidates -- WORD...` prints one a line, a tab before
// its description; the line ":file" stands for paths, which each shell completes itself.
import bash from "./bash.txt" with { type: "text" };
import fish from "./fish.txt" with { type: "text" };
import powershell from "./powershell.txt" with { type: "text" };
import zsh from "./zsh.txt" with { type: "text" };

/** The completion script of each shell. */
export const scripts = { bash, zsh, fish, powershell } as const;
