// The scripts run `completions candidates -- WORD...`, which prints one candidate per line, with a tab before its
// description. The line ":file" tells the shell to complete paths.
import bash from "./bash.txt" with { type: "text" };
import fish from "./fish.txt" with { type: "text" };
import powershell from "./powershell.txt" with { type: "text" };
import zsh from "./zsh.txt" with { type: "text" };

/** The completion script of each shell. */
export const scripts = { bash, zsh, fish, powershell } as const;
