import { programOnPath, startChild } from "./exec.ts";
import type { Environment } from "./paths.ts";

/** Commands that open a URL on this system, in the order to try them; run without a shell. */
function openers(env: Environment): string[][] {
  const named = env.BROWSER?.split(":")
    .map((entry) =>
      entry
        .trim()
        .split(/\s+/)
        .filter((word) => word !== "" && word !== "%s"),
    )
    .filter((argv) => argv.length > 0);
  const own: Readonly<Record<string, string[][]>> = {
    darwin: [["/usr/bin/open"]],
    win32: [["rundll32", "url.dll,FileProtocolHandler"]],
  };
  return [...(named ?? []), ...(own[process.platform] ?? [["xdg-open"], ["gio", "open"]])];
}

/** Whether the user would see a browser that this process starts: a desktop is running, and the session is not remote (ssh). */
export function hasDesktop(env: Environment): boolean {
  if (env.SSH_CONNECTION !== undefined || env.SSH_TTY !== undefined) return false;
  if (process.platform === "darwin" || process.platform === "win32") return true;
  return Boolean(env.DISPLAY || env.WAYLAND_DISPLAY) || Boolean(env.BROWSER);
}

/** Opens a URL in the user's browser. Resolves to false if no such program could be started. */
export async function openBrowser(url: URL, env: Environment): Promise<boolean> {
  for (const [name = "", ...words] of openers(env)) {
    const program = programOnPath(name, env.PATH);
    if (program === undefined) continue;
    try {
      const child = startChild(
        { words: [program, ...words, url.href], env },
        { stdin: "ignore", stdout: "ignore", stderr: "ignore", detached: true },
      );
      child.unref();
      // Without a browser xdg-open fails at once; a program that runs for 1.5 s counts as success.
      const code = await Promise.race([child.exited, Bun.sleep(1500).then(() => 0)]);
      if (code === 0) return true;
    } catch {
      // Try the next program.
    }
  }
  return false;
}
