import { programOnPath, startChild } from "./exec.ts";
import type { Environment } from "./paths.ts";

/** Programs that open a URL on this system, in the order to try them. They are started without a shell. */
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

/** Whether a browser started here is visible to the user: there is a desktop, and the session is not remote (ssh). */
export function hasDesktop(env: Environment): boolean {
  if (env.SSH_CONNECTION !== undefined || env.SSH_TTY !== undefined) return false;
  if (process.platform === "darwin" || process.platform === "win32") return true;
  return Boolean(env.DISPLAY || env.WAYLAND_DISPLAY) || Boolean(env.BROWSER);
}

/** Opens a URL in the user's browser. Resolves to false if no program for that could be started. */
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
      // xdg-open fails within moments if there is no browser; a browser keeps running.
      const code = await Promise.race([child.exited, Bun.sleep(1500).then(() => 0)]);
      if (code === 0) return true;
    } catch {
      // The next program may start.
    }
  }
  return false;
}
