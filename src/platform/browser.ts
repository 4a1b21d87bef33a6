import { programOnPath, startChild } from "./exec.ts";
import type { Environment } from "./paths.ts";

/** The programs that open a URL here, in the order to try them; no shell ever sees the URL. */
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

/** Whether a browser on this machine can show itself to the person: a desktop, and nobody who came by ssh. */
export function hasDesktop(env: Environment): boolean {
  if (env.SSH_CONNECTION !== undefined || env.SSH_TTY !== undefined) return false;
  if (process.platform === "darwin" || process.platform === "win32") return true;
  return Boolean(env.DISPLAY || env.WAYLAND_DISPLAY) || Boolean(env.BROWSER);
}

/** Opens an http(s) URL in the person's browser; false where no program for that could be started. */
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
      // xdg-open says within moments that there is no browser; a browser itself stays.
      const code = await Promise.race([child.exited, Bun.sleep(1500).then(() => 0)]);
      if (code === 0) return true;
    } catch {
      // The next program may start.
    }
  }
  return false;
}
